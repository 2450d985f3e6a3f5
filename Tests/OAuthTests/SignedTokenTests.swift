import Crypto
import Domain
import Foundation
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// RFC 9068. Invariant: a signed token is worth what its row says, whatever it says itself.
@Suite struct `Signed access tokens` {
    private static let payroll = "https://payroll.example"

    @Test func `a grant's token for a resource that asks for it is signed, and is its row`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.resource(Self.payroll)
            let answer = try await oauth.token([("resource", Self.payroll)])
            #expect(answer.status == 200 && (answer.body["expires_in"]?.int64 ?? 0) <= 600)
            let text = try #require(answer.body["access_token"]?.string)
            let claims = try claims(of: text)
            #expect(claims["aud"]?.string == Self.payroll && claims["iss"]?.string == TestOAuth.issuer)
            #expect(claims["sub"]?.string == oauth.user.description)
            #expect(claims["client_id"]?.string == oauth.grant.description)
            #expect(claims["organization"]?.string == oauth.organization.id.description)
            let introspected = try await oauth.introspect(text)
            #expect(introspected["active"] == true)
            for name in ["aud", "iss", "sub", "client_id", "jti", "iat", "exp", "scope"] {
                #expect(introspected[name] == claims[name], "\(name)")
            }
            #expect(try await oauth.isSigned(text))
            // Without a resource, and for one that takes opaque tokens, nothing changes.
            try await oauth.resource("https://other.example", format: .opaque)
            for more in [[], [("resource", "https://other.example")], [("resource", TestOAuth.issuer)]] {
                #expect(try await oauth.token(more).body["access_token"]?.string?.hasPrefix("rca_") == true)
            }
            for unknown in ["https://payroll.example/", "https://PAYROLL.example", "https://else.example", "x"] {
                #expect(try await oauth.token([("resource", unknown)]).error == "invalid_target", "\(unknown)")
            }
        }
    }

    @Test func `no signed token outlives its grant, or ten minutes of a year`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.resource(Self.payroll)
            _ = try await oauth.fixture.owner.query("UPDATE grants SET expires_at = now() + interval '2 minutes'")
            let answer = try await oauth.token([("resource", Self.payroll)])
            let claims = try claims(of: answer.body["access_token"]?.string)
            let lifetime = (claims["exp"]?.int64 ?? 0) - (claims["iat"]?.int64 ?? 0)
            #expect((100...120).contains(lifetime))
        }
        try await TestOAuth.with { oauth in
            try await oauth.resource(Self.payroll)
            // What an overlap leaves of a secret bounds what it buys, whoever reads the token.
            _ = try await oauth.fixture.owner.query(
                "UPDATE grant_secrets SET not_after = now() + interval '2 minutes' WHERE grant_id = \(oauth.grant)"
            )
            let answer = try await oauth.token([("resource", Self.payroll)])
            let claims = try claims(of: answer.body["access_token"]?.string)
            #expect((100...120).contains((claims["exp"]?.int64 ?? 0) - (claims["iat"]?.int64 ?? 0)))
        }
        try await TestApp.with(lifetime: .seconds(365 * 86_400)) { app in
            try await app.oauth.resource(Self.payroll)
            let asked: [String: String?] = ["resource": Self.payroll]
            let answer = try await app.exchange(try await app.code(asked))
            let claims = try claims(of: answer.body["access_token"]?.string)
            #expect((claims["exp"]?.int64 ?? 0) - (claims["iat"]?.int64 ?? 0) == 600)
            #expect((answer.body["expires_in"]?.int64 ?? 0) <= 600 && claims["aud"]?.string == Self.payroll)
            #expect(claims["client_id"]?.string == app.id.description)
            let refreshed = try await app.refresh(answer.body["refresh_token"]?.string ?? "")
            let second = try #require(refreshed.body["access_token"]?.string)
            #expect(try await app.oauth.isSigned(second))
            #expect(try await app.oauth.introspect(second)["active"] == true)
            // The audience was bound when the user approved.
            let other = try await app.exchange(try await app.code(asked), ["resource": TestOAuth.issuer])
            #expect(other.error == "invalid_target")
        }
    }

    @Test func `our own doors judge the row: another audience, revoked, expired, ended`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.resource(Self.payroll)
            try await oauth.resource(TestOAuth.issuer + "/v1")
            let elsewhere = try #require(
                try await oauth.token([("resource", Self.payroll)]).body["access_token"]?.string
            )
            #expect(try await oauth.userInfo(elsewhere) == 401)
            let own: @Sendable () async throws -> String = {
                let answer = try await oauth.token([("resource", TestOAuth.issuer + "/v1")])
                return try #require(answer.body["access_token"]?.string)
            }
            let first = try await own()
            #expect(try await oauth.userInfo(first) == 200)
            #expect(try await oauth.isSigned(first))
            #expect(try await oauth.form("/oauth/revoke", oauth.posted + [("token", first)]).status == 200)
            #expect(try await oauth.userInfo(first) == 401)
            #expect(try await oauth.introspect(first) == ["active": false])
            let second = try await own()
            _ = try await oauth.fixture.owner.query(
                "UPDATE tokens SET issued_at = issued_at - interval '1 hour', expires_at = now()"
            )
            #expect(try await oauth.userInfo(second) == 401)
            let third = try await own()
            _ = try await oauth.fixture.owner.query("UPDATE users SET epoch = epoch + 1 WHERE id = \(oauth.user)")
            #expect(try await oauth.userInfo(third) == 401)
            #expect(try await oauth.introspect(third) == ["active": false])
        }
    }

    @Test func `what nobody was handed is refused everywhere, however it is signed`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.resource(TestOAuth.issuer + "/v1")
            let answer = try await oauth.token([("resource", TestOAuth.issuer + "/v1")])
            let genuine = try #require(answer.body["access_token"]?.string)
            #expect(try await oauth.userInfo(genuine) == 200)
            for (name, forged) in try await forgeries(of: genuine, oauth) {
                #expect(try await oauth.userInfo(forged) == 401, "\(name)")
                #expect(try await oauth.introspect(forged) == ["active": false], "\(name)")
                #expect(
                    try await oauth.form("/oauth/revoke", oauth.posted + [("token", forged.formEncoded)]).status == 200
                )
                let asked = try await oauth.form("/oauth/introspect", [("token", genuine)], bearer: "Bearer " + forged)
                #expect(asked.error == "invalid_token", "\(name)")
            }
            #expect(try await oauth.userInfo(genuine) == 200)
            // Nor is one a client's secret, a code, or a refresh token.
            let asSecret = [("grant_type", "client_credentials"), ("client_id", oauth.grant.description)]
            #expect(
                try await oauth.form("/oauth/token", asSecret + [("client_secret", genuine)]).error == "invalid_client"
            )
        }
    }

    private func forgeries(of genuine: String, _ oauth: TestOAuth) async throws -> [(String, String)] {
        let parts = genuine.split(separator: ".").map(String.init)
        let header = try JSON.parse(Base64.url.decode(parts[0]) ?? [])
        let claims = try claims(of: genuine)
        let ours = try await TokenKeys(oauth.fixture.store).signing()
        let ourKey = try P256.Signing.PrivateKey(rawRepresentation: ours.secret)
        let theirKey = P256.Signing.PrivateKey()
        func token(_ header: JSON, _ claims: JSON, by key: P256.Signing.PrivateKey) throws -> String {
            let signed = Base64.url.encode(header.bytes) + "." + Base64.url.encode(claims.bytes)
            return signed + "." + Base64.url.encode(Array(try key.signature(for: Data(signed.utf8)).rawRepresentation))
        }
        func with(_ json: JSON, _ name: String, _ value: JSON) -> JSON {
            var object = json.object ?? [:]
            object[name] = value
            return .object(object)
        }
        let none = Base64.url.encode(with(header, "alg", "none").bytes)
        let later = with(claims, "exp", .integer((claims["exp"]?.int64 ?? 0) + 3600))
        return [
            ("none", none + "." + parts[1] + "."), ("none, signed", none + "." + parts[1] + "." + parts[2]),
            ("wrong key", try token(header, claims, by: theirKey)),
            ("foreign kid", try token(with(header, "kid", "theirs"), claims, by: theirKey)),
            ("key of its own", try token(with(header, "jwk", .object([:])), claims, by: theirKey)),
            ("wrong audience", try token(header, with(claims, "aud", "https://else.example"), by: ourKey)),
            ("longer life", try token(header, later, by: ourKey)),
            ("expired", try token(header, with(claims, "exp", .integer(1)), by: ourKey)),
            ("wider", try token(header, with(claims, "scope", "users:write"), by: ourKey)),
            // The same claims under our own key: correct in everything but that it has no row.
            ("no row", try token(header, claims, by: ourKey)),
            ("another id", try token(header, with(claims, "jti", "tok_01k9qyc5qje1qsv9svhrqgc8d1"), by: ourKey)),
            ("cut", String(genuine.dropLast())), ("padded", genuine + "="), ("and more", genuine + ".x"),
        ]
    }

    @Test func `removing a resource ends the tokens for it`() async throws {
        try await TestOAuth.with { oauth in
            let resource = try await oauth.resource(Self.payroll)
            let answer = try await oauth.token([("resource", Self.payroll)])
            let token = try #require(answer.body["access_token"]?.string)
            let removal = ResourceRemoval(of: resource.id, by: oauth.fixture.attribution(of: oauth.admin))
            try await oauth.fixture.store.perform(removal, in: oauth.organization.id)
            #expect(try await oauth.introspect(token) == ["active": false])
            #expect(try await oauth.token([("resource", Self.payroll)]).error == "invalid_target")
        }
    }

    @Test func `keys are published with what caches need, and metadata says where`() async throws {
        try await TestOAuth.with { oauth in
            let metadata = try await oauth.send(.get, "/.well-known/oauth-authorization-server").body
            #expect(metadata["jwks_uri"]?.string == TestOAuth.issuer + "/.well-known/jwks.json")
            let before = try await oauth.send(.get, "/.well-known/jwks.json")
            #expect(before.fields[.cacheControl] == "public, max-age=300")
            #expect(before.fields[.contentType] == "application/jwk-set+json")
            let key = try await TokenKeys(oauth.fixture.store).signing()
            #expect(key.json["alg"] == "ES256")
            #expect(!before.text.contains("\"d\""))
        }
    }

    private func claims(of token: String?) throws -> JSON {
        let part = try #require(token?.split(separator: ".").dropFirst().first)
        return try JSON.parse(Base64.url.decode(part) ?? [])
    }
}

extension TestOAuth {
    @discardableResult
    func resource(_ identifier: String, format: TokenFormat = .jwt) async throws -> ResourceView {
        let token = try #require(OpaqueSecret(try await accessToken()))
        let caller = try #require(try await fixture.store.facts(of: token)).caller
        let creation = ResourceCreation(
            try #require(ResourceIdentifier(identifier)),
            name: "Payroll",
            format: format,
            issuer: Self.issuer,
            by: caller,
            fixture.attribution(of: admin),
            in: fixture.store
        )
        return try await fixture.store.perform(creation, in: organization.id)
    }

    /// What is told of a token; `admin` asks with their own.
    func introspect(_ token: String, by admin: TestAccount? = nil) async throws -> JSON {
        if let admin {
            let bearer = "Bearer " + admin.token.reveal()
            return try await form("/oauth/introspect", [("token", token.formEncoded)], bearer: bearer).body
        }
        return try await form(
            "/oauth/introspect",
            posted + [("token", token.formEncoded), ("client_ip", "192.0.2.10")]
        ).body
    }

    func userInfo(_ token: String) async throws -> Int {
        try await send(.get, "/oauth/userinfo", fields: [.authorization: "Bearer " + token]).status
    }

    /// Whether a published key signed it, as a resource server finds out.
    func isSigned(_ token: String) async throws -> Bool {
        let parts = token.split(separator: ".").map(String.init)
        guard parts.count == 3, let header = Base64.url.decode(parts[0]), let signature = Base64.url.decode(parts[2])
        else { return false }
        // Read anew: this node's set may be older than its first key.
        let (schedule, now) = try await fixture.store.tokenKeys()
        let published = schedule.published(at: now)["keys"]?.array ?? []
        let kid = try JSON.parse(header)["kid"]
        guard let key = published.first(where: { $0["kid"] == kid }),
            let x = key["x"]?.string.flatMap(Base64.url.decode),
            let y = key["y"]?.string.flatMap(Base64.url.decode)
        else { return false }
        return try P256.Signing.PublicKey(rawRepresentation: x + y).isValidSignature(
            P256.Signing.ECDSASignature(rawRepresentation: signature),
            for: Data((parts[0] + "." + parts[1]).utf8)
        )
    }
}
