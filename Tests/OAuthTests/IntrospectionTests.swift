import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Introspection and revocation` {
    private func ask(
        _ oauth: TestOAuth,
        _ token: String,
        clientIP: String? = "192.0.2.10"
    ) async throws -> TestOAuth.Answer {
        let address = clientIP.map { [("client_ip", $0)] } ?? []
        return try await oauth.form("/oauth/introspect", [("token", token)] + address, basic: oauth.basic)
    }

    @Test func `a good token is told with whom it means, with an entry`() async throws {
        try await TestOAuth.with { oauth in
            let token = try await oauth.accessToken()
            let answer = try await ask(oauth, token)
            #expect(answer.status == 200)
            #expect(answer.body["active"] == true)
            #expect(answer.body["client_id"]?.string == oauth.grant.description)
            #expect(answer.body["sub"]?.string == oauth.user.description)
            #expect(answer.body["username"] == "crm.robot" && answer.body["iss"]?.string == TestOAuth.issuer)
            let entry = try #require(try await oauth.entries(.tokenIntrospected).last)
            #expect(entry[pointer: "/after/active"] == true && entry["outcome"] == "done")
            #expect(entry[pointer: "/target/id"]?.string == answer.body["jti"]?.string)
        }
    }

    @Test func `what is not a good token of this organization is inactive and no more`() async throws {
        try await TestOAuth.with { oauth in
            let globex = try await oauth.fixture.organization("globex")
            let theirs = try await oauth.fixture.securityAdmin(in: globex)
            let never = OpaqueSecret.make(.access, using: oauth.fixture.randomness).reveal()
            for token in ["nonsense", never, theirs.token.reveal(), oauth.secret.reveal()] {
                let answer = try await ask(oauth, token)
                #expect(answer.status == 200)
                #expect(answer.body == ["active": false])
            }
            #expect(try await oauth.entries(.tokenIntrospected).count == 4)
            #expect(try await oauth.fixture.leaves(in: globex.id, action: .tokenIntrospected).isEmpty)
        }
    }

    @Test func `the allow-list is judged where the resource server says from where`() async throws {
        try await TestOAuth.with { oauth in
            let token = try await oauth.accessToken()
            #expect(try await ask(oauth, token, clientIP: "192.0.2.200").body["active"] == true)
            #expect(try await ask(oauth, token, clientIP: "198.51.100.1").body == ["active": false])
            let wrong = try await ask(oauth, token, clientIP: "somewhere")
            #expect(wrong.status == 400 && wrong.error == "invalid_request")
            // Bound to addresses, and nobody says from which one it came.
            #expect(try await ask(oauth, token, clientIP: nil).body == ["active": false])
            let entry = try #require(try await oauth.entries(.tokenIntrospected).last)
            #expect(entry[pointer: "/after/why"] == "address_not_allowed" && entry["outcome"] == "done")
            let anywhere = try await oauth.fixture.member(.securityAdmin, in: oauth.organization, username: "anywhere")
            #expect(try await ask(oauth, anywhere.token.reveal(), clientIP: nil).body["active"] == true)
        }
    }

    @Test func `a deactivated user's token is inactive from that moment`() async throws {
        try await TestOAuth.with { oauth in
            let token = try await oauth.accessToken()
            let asker = try await oauth.fixture.member(.securityAdmin, in: oauth.organization, username: "asker")
            _ = try await oauth.fixture.owner.query(
                "UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = now() WHERE id = \(oauth.user)"
            )
            let answer = try await oauth.form("/oauth/introspect", [("token", token)], bearer: asker.bearer)
            #expect(answer.status == 200)
            #expect(answer.body == ["active": false])
        }
    }

    @Test func `whoever asks needs the scope, and a refusal is an entry`() async throws {
        try await TestOAuth.with(scopes: ScopeSet([.peopleRead])) { oauth in
            let answer = try await ask(oauth, try await oauth.accessToken())
            #expect(answer.status == 403 && answer.error == "insufficient_scope")
            let entry = try #require(try await oauth.entries(.tokenIntrospected).last)
            #expect(entry["outcome"] == "refused" && entry["reason"] == "scope_missing")
            let bearer = "Bearer " + OpaqueSecret.make(.access, using: oauth.fixture.randomness).reveal()
            let unknown = try await oauth.form("/oauth/introspect", [("token", "x")], bearer: bearer)
            #expect(unknown.status == 401 && unknown.error == "invalid_token")
            let nobody = try await oauth.form("/oauth/introspect", [("token", "x")])
            #expect(nobody.status == 401 && nobody.error == "invalid_client")
        }
    }

    // MARK: Revocation

    @Test func `a client ends its own token, and is told no more than that`() async throws {
        try await TestOAuth.with { oauth in
            let token = try await oauth.accessToken()
            let other = try await oauth.accessToken()
            let answer = try await oauth.form("/oauth/revoke", [("token", token)], basic: oauth.basic)
            #expect(answer.status == 200 && answer.text.isEmpty)
            #expect(try await ask(oauth, token).body == ["active": false])
            #expect(try await ask(oauth, other).body["active"] == true)
            #expect(try await oauth.entries(.tokenRevoked).count == 1)
        }
    }

    @Test func `a token of another client stays, with the same answer`() async throws {
        try await TestOAuth.with { oauth in
            for token in [oauth.admin.token.reveal(), "nonsense"] {
                let answer = try await oauth.form("/oauth/revoke", [("token", token)], basic: oauth.basic)
                #expect(answer.status == 200 && answer.text.isEmpty)
            }
            #expect(try await oauth.fixture.store.facts(of: oauth.admin.token)?.isRevoked == false)
            #expect(try await oauth.entries(.tokenRevoked).isEmpty)
            let missing = try await oauth.form("/oauth/revoke", [], basic: oauth.basic)
            #expect(missing.status == 400 && missing.error == "invalid_request")
            let nobody = try await oauth.form("/oauth/revoke", [("token", "x")])
            #expect(nobody.status == 401)
        }
    }
}
