import Transparency

/// What a client says of itself in a signed token, in place of a secret (RFC 7523 3, RFC 7521 5.2): read strictly here;
/// whether the signature holds is ``isSigned(by:)``'s to say, and whether it came before is the database's.
package struct ClientAssertion: Sendable {
    /// Issuer and subject, which have to be the same.
    package let client: GrantID
    /// Names the token among those of its client.
    package let id: String
    package let expiresAt: Timestamp
    /// The key that it names.
    package let keyName: String?
    private let algorithm: String
    /// Not before any of these.
    private let starts: [Timestamp]
    private let audience: String
    private let token: [UInt8]

    /// `client_assertion_type` of RFC 7523 2.2.
    package static let type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    /// Bytes at most.
    package static let mostBytes = 8 * 1024
    /// How far ahead it may expire, so that what has to be remembered of it is soon forgotten.
    package static let longestLifetime = Duration.seconds(300)
    /// How far a client's clock may be off.
    package static let leeway = Duration.seconds(30)

    /// nil for whatever is no assertion that could be good: another algorithm than those of ``ClientKeys``, a missing or
    /// malformed claim, a header that brings its own key.
    package init?(_ text: String) {
        let token = Array(text.utf8)
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard token.count <= Self.mostBytes, parts.count == 3, let header = Self.object(parts[0]),
            let claims = Self.object(parts[1]), Self.decode(parts[2])?.isEmpty == false,
            let algorithm = header["alg"]?.string, ClientKeys.algorithms.contains(algorithm)
        else { return nil }
        // Keys come from where the client registered them, never along with what they would prove.
        guard ["crit", "jwk", "jku", "x5c", "x5u"].allSatisfy({ header[$0] == nil }),
            ["jwt", "client-authentication+jwt"].contains(header["typ"]?.string?.lowercased() ?? "jwt"),
            header["kid"] == nil || header["kid"]?.string != nil
        else { return nil }
        guard let issuer = claims["iss"]?.string, claims["sub"]?.string == issuer, let client = GrantID(issuer),
            let id = claims["jti"]?.string, (1...255).contains(id.utf8.count),
            let audience = Self.audience(claims["aud"]), let expiresAt = Self.time(claims["exp"])
        else { return nil }
        let starts = [claims["nbf"], claims["iat"]].compactMap(\.self)
        self.starts = starts.compactMap(Self.time)
        guard self.starts.count == starts.count else { return nil }
        self.client = client
        self.id = id
        self.expiresAt = expiresAt
        self.algorithm = algorithm
        self.audience = audience
        self.token = token
        keyName = header["kid"]?.string
    }

    /// Whether it is good at that moment, and not for longer than it has to be.
    package func isTimely(at now: Timestamp) -> Bool {
        expiresAt > now && expiresAt <= now + Self.longestLifetime + Self.leeway
            && starts.allSatisfy { $0 <= now + Self.leeway }
    }

    /// Whether it is meant for one of these, byte for byte; for nobody besides.
    package func isFor(_ audiences: [String]) -> Bool {
        audiences.contains { $0.utf8.elementsEqual(audience.utf8) }
    }

    /// Whether a key of the client signed it.
    package func isSigned(by keys: ClientKeys) async -> Bool {
        await keys.verify(token, algorithm: algorithm, name: keyName)
    }

    /// One text, alone or as the only element: a token that is good elsewhere too could be replayed from there.
    private static func audience(_ claim: JSON?) -> String? {
        guard let list = claim?.array else { return claim?.string }
        return list.count == 1 ? list[0].string : nil
    }

    private static func time(_ claim: JSON?) -> Timestamp? {
        guard let seconds = claim?.int64, (0...99_999_999_999).contains(seconds) else { return nil }
        return Timestamp(seconds: seconds)
    }

    private static func decode(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        Base64.url.decode(String(decoding: part, as: UTF8.self))
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSON.Object? {
        guard let bytes = decode(part) else { return nil }
        // What is no JSON is no assertion.
        return try? JSON.parse(bytes).object
    }
}
