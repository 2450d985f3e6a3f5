/// Where an app gets its codes. Compared as it stands, character by character; only the port of a loopback address may
/// differ (RFC 8252 7.3), which its program takes as it finds it.
package struct RedirectURI: Hashable, Sendable, LosslessStringConvertible {
    package let description: String
    /// What stands before the port, and behind it, of a loopback address; nil for every other.
    private let loopback: Loopback?

    private struct Loopback: Hashable, Sendable {
        let front: String
        let rest: String
    }

    /// Characters at most.
    package static let mostCharacters = 2000

    /// Refuses what could be taken for another place by some reader: no scheme, a fragment, user information, a host in
    /// upper case, percent-encoded or not in ASCII, `..` in the path, a backslash, spaces. Plain http is for loopback alone, and a
    /// scheme of a program's own needs a dot (RFC 8252 7.1), so that `javascript:` and `data:` are none.
    package init?(_ text: String) {
        let visible = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !Self.forbidden.contains($0) }
        guard visible, (1...Self.mostCharacters).contains(text.utf8.count), let colon = text.firstIndex(of: ":") else {
            return nil
        }
        let scheme = text[..<colon]
        guard let first = scheme.utf8.first, Self.isLetter(first),
            scheme.utf8.allSatisfy({ Self.isLetter($0) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0) })
        else { return nil }
        description = text
        let rest = text[text.index(after: colon)...]
        guard ["http", "https"].contains(scheme) else {
            guard scheme.contains("."), !rest.isEmpty, !rest.contains("..") else { return nil }
            loopback = nil
            return
        }
        guard rest.hasPrefix("//") else { return nil }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(2 + authority.count)
        guard let host = Self.host(authority), !path.contains("/../"), !path.hasSuffix("/..") else { return nil }
        let isLoopback = ["127.0.0.1", "[::1]", "localhost"].contains(host)
        guard scheme == "https" || isLoopback else { return nil }
        // A name may be resolved elsewhere than here (RFC 8252 8.3): only the addresses themselves have a free port.
        loopback =
            scheme == "http" && host != "localhost"
            ? Loopback(front: "http://\(host)", rest: String(path)) : nil
    }

    /// Whether a request that names `asked` means this registered one.
    package func matches(_ asked: String) -> Bool {
        if asked == description { return true }
        guard let loopback, let other = RedirectURI(asked)?.loopback else { return false }
        return loopback == other
    }

    /// What a form that is answered with a redirect here may lead to, as a source of a content security policy.
    package var policySource: String {
        guard isWeb else { return description.prefix { $0 != ":" } + ":" }
        let start = description.hasPrefix("https://") ? 8 : 7
        let authority = description.dropFirst(start).prefix { $0 != "/" && $0 != "?" }
        return String(description.prefix(start)) + authority
    }

    /// Where it leads, for somebody who decides: the host, or the scheme of a program.
    package var host: String {
        let source = policySource
        guard isWeb else { return source }
        return String(source.drop { $0 != "/" }.dropFirst(2))
    }

    private var isWeb: Bool { description.hasPrefix("https://") || description.hasPrefix("http://") }

    // " # < > \ ^ ` { | }: none may stand in an address as it is, and a fragment is refused.
    private static let forbidden = Array("\"#<>\\^`{|}".utf8)

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }

    /// The host without its port. Refuses user information and anything that is not plainly a host.
    private static func host(_ authority: Substring) -> String? {
        var host = authority.prefix { $0 != ":" }
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
            guard host.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || $0 == ":" }) else { return nil }
        } else {
            let isHost = host.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || "-.".utf8.contains($0) }
            guard isHost, !host.isEmpty, host.first != ".", host.first != "-" else { return nil }
        }
        let rest = authority[host.endIndex...]
        return rest.isEmpty || isPort(rest) ? String(host) : nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        guard let port = UInt16(text.dropFirst()), port > 0 else { return false }
        return text.dropFirst() == String(port)
    }
}
