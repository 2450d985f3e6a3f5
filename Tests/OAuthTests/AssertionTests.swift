import Crypto
import Domain
import Foundation
import HTTPTypes
import Outbound
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Clients that sign` {
    private struct Signer {
        let key = P256.Signing.PrivateKey()
        let name: String

        var jwk: JSON {
            let bytes = key.publicKey.x963Representation
            return [
                "kty": "EC", "crv": "P-256", "kid": .string(name), "use": "sig",
                "x": .string(Base64.url.encode(Array(bytes[1..<33]))),
                "y": .string(Base64.url.encode(Array(bytes[33...]))),
            ]
        }

        func assertion(
            of client: GrantID,
            in oauth: TestOAuth,
            id: String = "one",
            audience: String = TestOAuth.issuer
        ) async throws -> String {
            let now = try await oauth.fixture.databaseNow()
            let header: JSON = ["alg": "ES256", "kid": .string(name), "typ": "JWT"]
            let claims: JSON = [
                "iss": .string(client.description), "sub": .string(client.description), "aud": .string(audience),
                "jti": .string(id), "exp": .integer(now.seconds + 60),
            ]
            let signed = Base64.url.encode(header.bytes) + "." + Base64.url.encode(claims.bytes)
            let signature = try key.signature(for: Array(signed.utf8)).rawRepresentation
            return signed + "." + Base64.url.encode(Array(signature))
        }
    }

    private func register(_ source: GrantKeysRegistration.Source, in oauth: TestOAuth) async throws {
        _ = try await oauth.fixture.store.perform(
            GrantKeysRegistration(
                of: oauth.grant,
                source,
                custodian: oauth.admin.user,
                by: oauth.fixture.attribution(of: oauth.admin)
            ),
            in: oauth.organization.id
        )
    }

    private func token(
        _ assertion: String,
        in oauth: TestOAuth,
        more: [(String, String)] = []
    ) async throws -> TestOAuth.Answer {
        let type = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        return try await oauth.form(
            "/oauth/token",
            [
                ("grant_type", "client_credentials"), ("client_assertion_type", type), ("client_assertion", assertion),
            ] + more
        )
    }

    @Test func `a signed assertion buys a token, and the secret of before buys none`() async throws {
        try await TestOAuth.with { oauth in
            let signer = Signer(name: "a")
            let earlier = try await oauth.accessToken()
            try await register(.keys(try ClientKeys(["keys": [signer.jwk]])), in: oauth)
            let former = try #require(OpaqueSecret(earlier))
            let facts = try #require(try await oauth.fixture.store.facts(of: former))
            #expect(!facts.matchesGrantEpoch)
            #expect(try await oauth.token().error == "invalid_client")
            for (id, audience) in [("one", TestOAuth.issuer), ("two", TestOAuth.issuer + "/oauth/token")] {
                let assertion = try await signer.assertion(of: oauth.grant, in: oauth, id: id, audience: audience)
                #expect(try await token(assertion, in: oauth).status == 200)
            }
            for audience in [TestOAuth.issuer + "/", TestOAuth.issuer + "/oauth/introspect", "https://other.example"] {
                let assertion = try await signer.assertion(of: oauth.grant, in: oauth, id: audience, audience: audience)
                #expect(try await token(assertion, in: oauth).error == "invalid_client")
            }
        }
    }

    @Test func `of one assertion that comes many times at once one counts`() async throws {
        try await TestOAuth.with { oauth in
            let signer = Signer(name: "a")
            try await register(.keys(try ClientKeys(["keys": [signer.jwk]])), in: oauth)
            let assertion = try await signer.assertion(of: oauth.grant, in: oauth)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 { group.addTask { try await token(assertion, in: oauth).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + [Int](repeating: 401, count: 5))
            let refused = try await oauth.entries(.tokenIssued).filter { $0["reason"] == "assertion_replayed" }
            #expect(refused.count == 5)
            #expect(refused.allSatisfy { $0["client_ip"] == "192.0.2.10" && $0["request_id"]?.string != nil })
        }
    }

    @Test func `another client's assertion, another's key and two ways at once are refused`() async throws {
        try await TestOAuth.with { oauth in
            let signer = Signer(name: "a")
            try await register(.keys(try ClientKeys(["keys": [signer.jwk]])), in: oauth)
            let other = try await oauth.fixture.grant(to: oauth.user, in: oauth.organization)
            let foreign = try await signer.assertion(of: other, in: oauth)
            #expect(try await token(foreign, in: oauth).error == "invalid_client")
            let claimed = try await token(foreign, in: oauth, more: [("client_id", oauth.grant.description)])
            #expect(claimed.error == "invalid_client")
            let stranger = try await Signer(name: "a").assertion(of: oauth.grant, in: oauth)
            #expect(try await token(stranger, in: oauth).error == "invalid_client")
            let good = try await signer.assertion(of: oauth.grant, in: oauth)
            let both = try await token(good, in: oauth, more: [("client_secret", oauth.secret.reveal())])
            #expect(both.error == "invalid_request")
            #expect(try await token(good, in: oauth, more: [("client_id", oauth.grant.description)]).status == 200)
        }
    }

    @Test func `the custodian takes the key away, and what it bought ends`() async throws {
        try await TestOAuth.with { oauth in
            let signer = Signer(name: "a")
            try await register(.keys(try ClientKeys(["keys": [signer.jwk]])), in: oauth)
            let answer = try await token(try await signer.assertion(of: oauth.grant, in: oauth), in: oauth)
            let bought = try #require(answer.body["access_token"]?.string)
            let asked = HTTPFields(dictionaryLiteral: (.authorization, "Bearer " + bought))
            #expect(try await oauth.send(.get, "/oauth/userinfo", fields: asked).status == 200)
            var browser = try await oauth.signedInBrowser()
            #expect(try await browser.get("/profile/grants").text.contains("Take the key away now"))
            let path = "/profile/grants/\(oauth.grant)/keys/remove"
            #expect(try await browser.post(path, [("form_token", "x")]).status == 403)
            #expect(try await browser.post(path, []).text.contains("The key is taken away"))
            #expect(try await oauth.send(.get, "/oauth/userinfo", fields: asked).status == 401)
            let again = try await signer.assertion(of: oauth.grant, in: oauth, id: "two")
            #expect(try await token(again, in: oauth).error == "invalid_client")
            #expect(try await browser.post(path, []).status == 404)
            let told = try await oauth.entries(.grantKeysRemoved)
            #expect(told.map { $0["outcome"] } == ["done", "refused"])
            #expect(told[0]["authority"] == ["kind": "custodian"])
        }
    }

    @Test func `only the custodian registers keys`() async throws {
        try await TestOAuth.with { oauth in
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            let keys = try ClientKeys(["keys": [Signer(name: "a").jwk]])
            let registration = GrantKeysRegistration(
                of: oauth.grant,
                .keys(keys),
                custodian: other.user,
                by: oauth.fixture.attribution(of: other)
            )
            await #expect(throws: AccessRefusal.notFound) {
                try await oauth.fixture.store.perform(registration, in: oauth.organization.id)
            }
            #expect(try await oauth.token().status == 200)
        }
    }

    @Test func `keys behind a URL are fetched, rotate, and not more often than once a minute`() async throws {
        let first = Signer(name: "a")
        let second = Signer(name: "b")
        let keys = JSON.object(["keys": [first.jwk]])
        try await LocalPeer.with(.answer(LocalPeer.json("200 OK", keys.text))) { port, received in
            try await TestOAuth.with { oauth in
                try await register(.url("http://127.0.0.1:\(port)/jwks.json"), in: oauth)
                for id in ["one", "two"] {
                    let assertion = try await first.assertion(of: oauth.grant, in: oauth, id: id)
                    #expect(try await token(assertion, in: oauth).status == 200)
                }
                #expect(received.connectionCount == 1)
                for id in ["three", "four"] {
                    let unknown = try await second.assertion(of: oauth.grant, in: oauth, id: id)
                    #expect(try await token(unknown, in: oauth).error == "invalid_client")
                }
                // The key is unknown, so that it is worth a look, and a minute has not passed.
                #expect(received.connectionCount == 1)
                #expect(try await oauth.entries(.grantKeysFetched).count == 1)
                _ = try await oauth.fixture.owner.query("UPDATE grant_keys SET tried_at = now() - interval '2 minutes'")
                let rotated = JSON.object(["keys": [second.jwk]])
                try await LocalPeer.with(.answer(LocalPeer.json("200 OK", rotated.text))) { port, _ in
                    _ = try await oauth.fixture.owner.query(
                        "UPDATE grant_keys SET url = \("http://127.0.0.1:\(port)/jwks.json")"
                    )
                    let assertion = try await second.assertion(of: oauth.grant, in: oauth, id: "five")
                    #expect(try await token(assertion, in: oauth).status == 200)
                    let former = try await first.assertion(of: oauth.grant, in: oauth, id: "six")
                    #expect(try await token(former, in: oauth).error == "invalid_client")
                }
            }
        }
    }

    @Test func `a URL that answers nonsense, too much or not at all lets nobody in`() async throws {
        let signer = Signer(name: "a")
        let scripts: [LocalPeer.Script] = [
            .answer(LocalPeer.json("200 OK", "[]")), .answer(LocalPeer.json("404 Not Found", "{}")), .hangUp,
            .endless(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                chunk: "400\r\n" + String(repeating: " ", count: 1024) + "\r\n"
            ),
        ]
        for script in scripts {
            try await LocalPeer.with(script) { port, _ in
                try await TestOAuth.with { oauth in
                    try await register(.url("http://127.0.0.1:\(port)/jwks.json"), in: oauth)
                    let assertion = try await signer.assertion(of: oauth.grant, in: oauth)
                    #expect(try await token(assertion, in: oauth).error == "invalid_client")
                }
            }
        }
    }

    @Test func `the guard keeps URLs away from this machine's own network`() async throws {
        let signer = Signer(name: "a")
        try await LocalPeer.with(.answer(LocalPeer.json("200 OK", JSON.object(["keys": [signer.jwk]]).text))) {
            port,
            received in
            try await TestOAuth.with(outbound: OutboundClient(policy: .publicOnly(ports: [port]))) { oauth in
                try await register(.url("https://127.0.0.1:\(port)/jwks.json"), in: oauth)
                let assertion = try await signer.assertion(of: oauth.grant, in: oauth)
                #expect(try await token(assertion, in: oauth).error == "invalid_client")
                #expect(received.connectionCount == 0)
            }
        }
    }
}

extension TokenFacts {
    fileprivate var matchesGrantEpoch: Bool { grant?.matchesEpoch ?? false }
}
