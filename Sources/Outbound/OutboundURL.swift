import Domain
import FoundationEssentials

/// Why a URL is not one that Rollcall connects to.
package enum URLRefusal: String, Error, Hashable, Sendable {
    case tooLong = "is too long"
    case malformed = "is not an absolute URL of visible ASCII characters"
    case scheme = "has a scheme that is not allowed here"
    case credentials = "carries credentials"
    case fragment = "carries a fragment"
    /// Also numbers that some resolvers take for addresses (octal, hexadecimal, one word), zones, and a trailing dot.
    case host = "has a host that is neither a plain name nor a plain address"
    case port = "has a port that is not allowed here"
}

/// A URL taken apart once, and written anew from its parts, so that nothing after this point reads it differently.
struct OutboundURL: Hashable, Sendable {
    /// Bytes. Queries with a long filter fit; nothing needs more.
    static let longest = 8_192
    /// RFC 1035 section 2.3.4.
    static let longestName = 253
    static let longestLabel = 63

    let isSecure: Bool
    /// Lower case; an IPv6 address without its brackets.
    let host: String
    /// Set where the host is an address and not a name.
    let address: IPAddress?
    /// What goes on the wire.
    let text: String

    init(_ text: String, policy: AddressPolicy) throws(URLRefusal) {
        guard text.utf8.count <= Self.longest else { throw .tooLong }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }),
            let parts = URLComponents(string: text, encodingInvalidCharacters: false),
            let scheme = parts.scheme?.lowercased()
        else { throw .malformed }
        guard scheme == "https" || scheme == "http" && policy == .operatorChosen else { throw .scheme }
        guard parts.user == nil, parts.password == nil else { throw .credentials }
        guard parts.fragment == nil else { throw .fragment }
        guard let written = parts.encodedHost, !written.isEmpty else { throw .host }
        (host, address) = try Self.readHost(written.lowercased())
        isSecure = scheme == "https"
        let port = parts.port ?? (isSecure ? 443 : 80)
        guard (1...65_535).contains(port) else { throw .port }
        if case .publicOnly(let allowed) = policy, !allowed.contains(port) { throw .port }

        let bracketed = host.contains(":") ? "[\(host)]" : host
        let explicitPort = port == (isSecure ? 443 : 80) ? "" : ":\(port)"
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        let query = parts.percentEncodedQuery.map { "?" + $0 } ?? ""
        self.text = "\(scheme)://\(bracketed)\(explicitPort)\(path)\(query)"
    }

    private static func readHost(_ written: String) throws(URLRefusal) -> (String, IPAddress?) {
        if written.hasPrefix("[") {
            guard written.hasSuffix("]"), let address = IPAddress(String(written.dropFirst().dropLast())) else {
                throw .host
            }
            // A mapped address is an IPv4 address in disguise; whoever means it can write it.
            guard !address.isIPv4 else { throw .host }
            return (address.description, address)
        }
        if let address = IPAddress(written) { return (written, address) }
        let labels = written.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard written.utf8.count <= longestName, labels.allSatisfy(isLabel), let last = labels.last else { throw .host }
        // A last label that is a number makes resolvers try the forms of inet_aton (WHATWG URL, "ends in a number").
        guard let first = last.first, !isDigit(first) else { throw .host }
        return (written, nil)
    }

    private static func isLabel(_ label: Substring.UTF8View) -> Bool {
        (1...longestLabel).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
            && label.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
