import Crypto
package import Domain
import Foundation

/// Which proxies may ask for a check, and for whose tokens (`ROLLCALL_PROXY_CREDENTIALS`).
///
/// A line each: a name for logs and entries, the id of the organization whose tokens it may have checked or `*` for all of
/// them, and the secret, parted by single spaces. Empty lines and lines that begin with `#` say nothing.
package struct ProxyCredentials: Sendable {
    /// A proxy that proved to be one.
    package struct Proxy: Sendable, Hashable {
        package let name: Slug
        /// nil: any.
        package let organization: OrganizationID?
    }

    private let entries: [(proxy: Proxy, digest: SHA256Digest)]

    /// Characters of a secret. Fewer could be guessed.
    package static let secretLength = 32...256
    /// Proxies at most.
    package static let mostProxies = 256

    /// Nobody.
    package init() { entries = [] }

    /// Refuses a line that is not of the form, a short secret, and a secret that stands twice.
    package init(parsing text: String) throws(ProxyCredentialsError) {
        var entries: [(proxy: Proxy, digest: SHA256Digest)] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            let entry = try Self.entry(line, number: number + 1)
            guard !entries.contains(where: { $0.digest == entry.digest }) else { throw .twice(line: number + 1) }
            guard entries.count < Self.mostProxies else { throw .tooMany }
            entries.append(entry)
        }
        self.entries = entries
    }

    /// The proxy whose secret that is; nil for none. Takes the same time wherever it stands in the list.
    package func proxy(presenting secret: String) -> Proxy? {
        let digest = SHA256.hash(data: Data(secret.utf8))
        var found: Proxy?
        for entry in entries where entry.digest == digest { found = entry.proxy }
        return found
    }

    private static func entry(
        _ line: Substring,
        number: Int
    ) throws(ProxyCredentialsError) -> (proxy: Proxy, digest: SHA256Digest) {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, let name = Slug(String(parts[0])) else { throw .malformed(line: number) }
        let organization = parts[1] == "*" ? nil : OrganizationID(String(parts[1]))
        guard parts[1] == "*" || organization != nil else { throw .malformed(line: number) }
        let secret = parts[2].utf8
        guard secretLength.contains(secret.count), secret.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .secret(line: number)
        }
        return (Proxy(name: name, organization: organization), SHA256.hash(data: Data(secret)))
    }
}

/// Why the list of proxies does not do. Holds nothing of a secret.
package enum ProxyCredentialsError: Error, Sendable, Equatable, CustomStringConvertible {
    case malformed(line: Int)
    case secret(line: Int)
    case twice(line: Int)
    case tooMany

    package var description: String {
        switch self {
        case .malformed(let line): "line \(line) is not a name, an organization's id or *, and a secret"
        case .secret(let line):
            "the secret of line \(line) has not 32 to 256 visible ASCII characters; see `openssl rand -hex 32`"
        case .twice(let line): "the secret of line \(line) stands twice"
        case .tooMany: "it names more than \(ProxyCredentials.mostProxies) proxies"
        }
    }
}
