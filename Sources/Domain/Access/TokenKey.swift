import Crypto
import Foundation
import JWTKit
package import Transparency

/// A key that access tokens are signed with (RFC 9068), ES256. Only its public half is ever shown.
package struct TokenKey: Sendable {
    /// `kid`: the thumbprint of the public half (RFC 7638), so that no two keys have the same and none can be chosen.
    package let id: String
    /// The private half, to be sealed.
    package let secret: [UInt8]
    private let coordinates: (x: String, y: String)
    private let signer: JWTKeyCollection

    /// Bytes of the private half.
    private static let secretBytes = 32

    /// Reads a private half. Throws for what is none.
    package init(secret: [UInt8]) async throws {
        let key = try P256.Signing.PrivateKey(rawRepresentation: secret)
        let bytes = Array(key.publicKey.rawRepresentation)
        let x = Base64.url.encode(Array(bytes.prefix(Self.secretBytes)))
        let y = Base64.url.encode(Array(bytes.dropFirst(Self.secretBytes)))
        let members = #"{"crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#
        id = Base64.url.encode(Array(SHA256.hash(data: Data(members.utf8))))
        self.secret = secret
        coordinates = (x, y)
        signer = JWTKeyCollection()
        await signer.add(ecdsa: try ES256PrivateKey(backing: key))
    }

    /// A new one. One draw in four thousand millions is no key, and throws.
    package static func make(using randomness: some Randomness) async throws -> TokenKey {
        try await TokenKey(secret: randomness.bytes(secretBytes))
    }

    /// The public half as a JWK (RFC 7517).
    package var json: JSON {
        [
            "kty": "EC", "crv": "P-256", "x": .string(coordinates.x), "y": .string(coordinates.y),
            "kid": .string(id), "use": "sig", "alg": "ES256",
        ]
    }

    /// The token that says `claims`, of type `at+jwt`.
    package func sign(_ claims: AccessClaims) async throws -> OpaqueSecret {
        var header = JWTHeader()
        header.typ = "at+jwt"
        header.kid = id
        return OpaqueSecret(signed: try await signer.sign(claims.payload, header: header))
    }
}

/// What a signed access token says (RFC 9068 2.2). Where the row says something else, the row is right.
package struct AccessClaims: Sendable {
    package var issuer: String
    /// The one resource that it is for.
    package var audience: String
    package var subject: UserID
    /// The client id, as it presented itself.
    package var client: String
    package var organization: OrganizationID
    package var scopes: ScopeSet
    package var id: TokenID
    /// Whole seconds, as both times are written.
    package var issuedAt: Timestamp
    package var expiresAt: Timestamp

    /// However long the app's or the grant's tokens live: what was signed cannot be taken back where nobody asks us.
    package static let longestLifetime = Duration.seconds(600)

    package init(
        issuer: String,
        audience: String,
        subject: UserID,
        client: String,
        organization: OrganizationID,
        scopes: ScopeSet,
        id: TokenID,
        issuedAt: Timestamp,
        expiresAt: Timestamp
    ) {
        self.issuer = issuer
        self.audience = audience
        self.subject = subject
        self.client = client
        self.organization = organization
        self.scopes = scopes
        self.id = id
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    fileprivate var payload: Payload {
        Payload(
            iss: issuer,
            aud: audience,
            sub: subject.description,
            clientID: client,
            organization: organization.description,
            scope: scopes.joined,
            jti: id.description,
            iat: issuedAt.seconds,
            exp: expiresAt.seconds
        )
    }

    fileprivate struct Payload: JWTPayload {
        let iss: String
        let aud: String
        let sub: String
        let clientID: String
        let organization: String
        let scope: String
        let jti: String
        let iat: Int64
        let exp: Int64

        enum CodingKeys: String, CodingKey {
            case iss, aud, sub, organization, scope, jti, iat, exp
            case clientID = "client_id"
        }

        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }
}

/// Who signs what is issued now.
package struct TokenSigner: Sendable {
    package let key: TokenKey
    package let issuer: String

    package init(key: TokenKey, issuer: String) {
        self.key = key
        self.issuer = issuer
    }
}
