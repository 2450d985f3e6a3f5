package import Domain
import Storage
import Transparency

/// Signed tokens that nobody was handed.
package enum Forgeries {
    /// Everything that somebody who holds `genuine`, knows our public key, or even has our own key, could make of it: by
    /// name. Not one of them has a row.
    package static func of(_ genuine: String, in fixture: StoreFixture) async throws -> [(name: String, token: String)]
    {
        let parts = genuine.split(separator: ".").map(String.init)
        guard parts.count == 3, let head = Base64.url.decode(parts[0]), let body = Base64.url.decode(parts[1]) else {
            throw NotThere(what: "a signed token")
        }
        let (header, claims) = (try JSON.parse(head), try JSON.parse(body))
        func with(_ json: JSON, _ members: JSON.Object) -> String {
            Base64.url.encode(JSON.object((json.object ?? [:]).merged(with: members)).bytes)
        }
        func swapped(_ members: JSON.Object) -> String { "\(with(header, members)).\(parts[1]).\(parts[2])" }
        let none = with(header, ["alg": "none"])
        let (ours, theirs) = (
            try await TokenKeys(fixture.store).signing(), try await TokenKey.make(using: fixture.randomness)
        )
        let issued = try signable(claims, as: fixture.store.newID())
        var elsewhere = issued
        elsewhere.audience = "https://else.example"
        let byThem = try await theirs.sign(issued).reveal()
        return [
            ("none", "\(none).\(parts[1])."), ("none, with the signature", "\(none).\(parts[1]).\(parts[2])"),
            ("NONE", "\(with(header, ["alg": "NONE"])).\(parts[1])."),
            ("a symmetric algorithm", swapped(["alg": "HS256"])),
            ("their key", byThem),
            ("their key under our header", parts[0] + byThem.drop { $0 != "." }),
            ("their key, brought along", swapped(["jwk": theirs.json])),
            ("their key, behind a URL", swapped(["jku": "https://evil.example/jwks.json"])),
            ("a key id that is a path", swapped(["kid": "../../../../dev/null"])),
            ("a key id that is a statement", swapped(["kid": "' OR 1=1 --"])),
            ("no key id", swapped(["kid": ""])),
            ("our key, no row", try await ours.sign(issued).reveal()),
            ("our key, another audience", try await ours.sign(elsewhere).reveal()),
            ("a wider scope", "\(parts[0]).\(with(claims, ["scope": "users:write"])).\(parts[2])"),
            ("another's", "\(parts[0]).\(with(claims, ["sub": "usr_01k9qyc5qje1qsv9svhrqgc8d1"])).\(parts[2])"),
            ("no signature", "\(parts[0]).\(parts[1])."), ("cut", String(genuine.dropLast())),
        ]
    }

    /// The claims of a token under an id that no row has.
    private static func signable(_ claims: JSON, as id: TokenID) throws -> AccessClaims {
        guard let subject = claims["sub"]?.string.flatMap({ UserID($0) }),
            let organization = claims["organization"]?.string.flatMap({ OrganizationID($0) }),
            let issuedAt = claims["iat"]?.int64, let expiresAt = claims["exp"]?.int64
        else { throw NotThere(what: "claims of ours") }
        return AccessClaims(
            issuer: claims["iss"]?.string ?? "",
            audience: claims["aud"]?.string ?? "",
            subject: subject,
            client: claims["client_id"]?.string ?? "",
            organization: organization,
            scopes: claims["scope"]?.string.flatMap { ScopeSet(parsing: $0) } ?? .none,
            id: id,
            issuedAt: Timestamp(seconds: issuedAt),
            expiresAt: Timestamp(seconds: expiresAt)
        )
    }
}

extension StoreFixture {
    /// A signed access token of a grant for one resource, as `/oauth/token` would issue it.
    package func signedToken(of grant: GrantID, for audience: String, issuer: String) async throws -> String {
        guard let client = try await store.client(grant) else { throw NotThere(what: "the grant") }
        let issue = try await TokenIssue(
            to: client,
            scopes: client.scopes,
            audience: audience,
            lifetime: .seconds(600),
            signer: TokenSigner(key: try await TokenKeys(store).signing(), issuer: issuer),
            by: Attribution(actor: .integrationUser(client.user), receivedAt: clock.now()),
            in: store
        )
        return try await store.perform(issue, in: client.organization).secret.reveal()
    }
}
