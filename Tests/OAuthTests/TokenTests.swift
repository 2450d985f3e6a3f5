import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Token endpoint` {
    @Test func `a client gets a token for everything that its grant has, with an entry`() async throws {
        try await TestOAuth.with { oauth in
            let answer = try await oauth.token()
            #expect(answer.status == 200)
            #expect(answer.fields[.cacheControl] == "no-store")
            #expect(answer.body["token_type"] == "Bearer" && answer.body["expires_in"] == 600)
            #expect(answer.body["scope"] == "people:read people:read.self tokens:introspect")
            let text = try #require(answer.body["access_token"]?.string)
            let secret = try #require(OpaqueSecret(text))
            #expect(secret.kind == .access)
            let facts = try #require(try await oauth.fixture.store.facts(of: secret))
            #expect(facts.caller.grant == oauth.grant && facts.refusal(from: IPAddress("192.0.2.1"), for: .any) == nil)

            let entries = try await oauth.entries(.tokenIssued)
            #expect(entries.count == 1)
            #expect(entries[0][pointer: "/actor/id"]?.string == oauth.user.description)
            #expect(entries[0]["outcome"] == "done" && entries[0]["client_ip"] == "192.0.2.10")
            let stored = try await oauth.fixture.text(
                "SELECT encode(digest, 'escape') FROM tokens WHERE kind = 'access'"
            )
            #expect(stored?.contains(text) == false)
        }
    }

    @Test func `in the header as well as in the body, and in one of them only`() async throws {
        try await TestOAuth.with { oauth in
            let type = [("grant_type", "client_credentials")]
            #expect(try await oauth.form("/oauth/token", type, basic: oauth.basic).status == 200)
            let both = try await oauth.form("/oauth/token", type + oauth.posted, basic: oauth.basic)
            #expect(both.status == 400 && both.error == "invalid_request")
            let other = [("client_id", GrantID(high: 1, low: 1).description)]
            let two = try await oauth.form("/oauth/token", type + other, basic: oauth.basic)
            #expect(two.status == 400 && two.error == "invalid_request")
        }
    }

    @Test func `fewer scopes on wish, never more`() async throws {
        try await TestOAuth.with { oauth in
            let fewer = try await oauth.token([("scope", "people:read")])
            #expect(fewer.status == 200 && fewer.body["scope"] == "people:read")
            for wish in ["audit:read", "people:read+audit:read", "people:read++mcp", "Nonsense%22"] {
                let answer = try await oauth.token([("scope", wish)])
                #expect(answer.status == 400 && answer.error == "invalid_scope", "\(wish)")
            }
            let refused = try await oauth.entries(.tokenIssued).filter { $0["outcome"] == "refused" }
            #expect(refused.map { $0["reason"]?.string } == Array(repeating: "scope_missing", count: 4))
            #expect(try await oauth.fixture.number("SELECT count(*) FROM tokens WHERE kind = 'access'") == 1)
        }
    }

    @Test func `requests that RFC 6749 does not allow are told so`() async throws {
        try await TestOAuth.with { oauth in
            let type = ("grant_type", "client_credentials")
            let cases: [([(String, String)], String)] = [
                (oauth.posted, "invalid_request"),
                ([("grant_type", "")] + oauth.posted, "invalid_request"),
                ([("grant_type", "password")] + oauth.posted, "unsupported_grant_type"),
                ([type, type] + oauth.posted, "invalid_request"),
                ([type, ("x", "%zz")] + oauth.posted, "invalid_request"),
                ([type, ("resource", "https://elsewhere.example")] + oauth.posted, "invalid_target"),
            ]
            for (members, error) in cases {
                let answer = try await oauth.form("/oauth/token", members)
                #expect(answer.status == 400 && answer.error == error, "\(error)")
                #expect(answer.fields[.cacheControl] == "no-store")
                #expect(!answer.text.contains(oauth.secret.reveal()))
            }
            let query = try await oauth.form("/oauth/token?grant_type=client_credentials", oauth.posted)
            #expect(query.error == "invalid_request")
            let json = try await oauth.send(.post, "/oauth/token", "{}", fields: [.contentType: "application/json"])
            #expect(json.status == 400 && json.error == "invalid_request")
            let long = try await oauth.token([("x", String(repeating: "y", count: 20_000))])
            #expect(long.status == 413)
        }
    }

    @Test func `a wrong secret and an unknown client look alike`() async throws {
        try await TestOAuth.with { oauth in
            let wrong = OpaqueSecret.make(.client, using: oauth.fixture.randomness).reveal()
            let unknown = GrantID(high: 1, low: 1).description
            let type = [("grant_type", "client_credentials")]
            var texts: Set<String> = []
            for (id, secret) in [
                (oauth.grant.description, wrong), (unknown, wrong), (unknown, oauth.secret.reveal()), ("x", "y"),
                (oauth.grant.description, oauth.admin.token.reveal()),
            ] {
                let posted = try await oauth.form(
                    "/oauth/token",
                    type + [("client_id", id), ("client_secret", secret)]
                )
                let header = try await oauth.form("/oauth/token", type, basic: (id, secret))
                for answer in [posted, header] {
                    #expect(answer.status == 401 && answer.error == "invalid_client")
                    #expect(answer.fields[.wwwAuthenticate]?.hasPrefix("Basic") == true)
                    texts.insert(answer.text)
                }
            }
            #expect(texts.count == 1)
            #expect(try await oauth.form("/oauth/token", type).error == "invalid_client")
            #expect(try await oauth.entries(.tokenIssued).isEmpty)
        }
    }

    @Test func `what the grant does not allow is refused, each time with an entry`() async throws {
        try await TestOAuth.with { oauth in
            let owner = oauth.fixture.owner
            let elsewhere = try await oauth.token(from: "198.51.100.1")
            #expect(elsewhere.status == 400 && elsewhere.error == "unauthorized_client")
            _ = try await owner.query("UPDATE grants SET expires_at = clock_timestamp() - interval '1 second'")
            #expect(try await oauth.token().error == "unauthorized_client")
            _ = try await owner.query(
                "UPDATE grants SET expires_at = clock_timestamp() + interval '1 day', status = 'suspended'"
            )
            #expect(try await oauth.token().error == "unauthorized_client")
            let reasons = try await oauth.entries(.tokenIssued).map { $0["reason"]?.string }
            #expect(reasons == ["address_not_allowed", "grant_expired", "grant_suspended"])
            #expect(try await oauth.fixture.number("SELECT count(*) FROM tokens WHERE kind = 'access'") == 0)
        }
    }

    @Test func `no token outlives its grant`() async throws {
        try await TestOAuth.with { oauth in
            _ = try await oauth.fixture.owner.query(
                "UPDATE grants SET expires_at = clock_timestamp() + interval '90 seconds'"
            )
            let seconds = try #require(try await oauth.token().body["expires_in"]?.int64)
            #expect((1...90).contains(seconds))
        }
    }

    @Test func `metadata names what there is`() async throws {
        try await TestOAuth.with { oauth in
            let answer = try await oauth.send(.get, "/.well-known/oauth-authorization-server")
            #expect(answer.status == 200)
            #expect(answer.body["issuer"]?.string == TestOAuth.issuer)
            #expect(answer.body["token_endpoint"]?.string == TestOAuth.issuer + "/oauth/token")
            #expect(
                answer.body["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
            )
            #expect(answer.body["scopes_supported"]?.array?.count == Scope.catalogue.count)
        }
    }
}
