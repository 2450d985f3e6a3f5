/// Of which form access tokens for a resource are.
package enum TokenFormat: String, Sendable, CaseIterable {
    /// Means nothing to whoever does not ask this server.
    case opaque
    /// Signed (RFC 9068), to be validated without asking.
    case jwt
}

/// What names a protected resource (RFC 8707 2): an address in the form that is compared byte for byte, as strictly judged
/// as one that a browser is sent to.
package struct ResourceIdentifier: Hashable, Sendable, LosslessStringConvertible {
    package let description: String

    /// Refuses all but absolute https addresses without fragment and query, in one spelling; http for loopback alone.
    package init?(_ text: String) {
        guard text.hasPrefix("https://") || text.hasPrefix("http://"), RedirectURI(text) != nil, !text.contains("?")
        else { return nil }
        description = text
    }

    /// Those that stand for this server itself, and its API.
    package static func own(of issuer: String) -> Set<String> { [issuer, issuer + "/v1"] }
}
