import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Personal tokens in the profile` {
    private static let week = String(7 * 86_400)

    private func secret(in page: TestOAuth.Answer) throws -> OpaqueSecret {
        let start = try #require(page.text.firstRange(of: "rcp_"))
        return try #require(OpaqueSecret(String(page.text[start.lowerBound...].prefix(OpaqueSecret.length))))
    }

    private func form(_ more: [(String, String)] = [], without left: String = "") -> [(String, String)] {
        [("name", "Laptop"), ("scope:people:read", "on"), ("lifetime", Self.week), ("audience", "")]
            .filter { member in member.0 != left && !more.contains { $0.0 == member.0 } } + more
    }

    private func refusal(_ secret: OpaqueSecret, _ oauth: TestOAuth) async throws -> AccessRefusal? {
        try #require(try await oauth.fixture.store.facts(of: secret))
            .refusal(from: IPAddress("192.0.2.1"), for: .resources([TestOAuth.issuer, TestOAuth.issuer + "/v1"]))
    }

    @Test func `one is made in one step, shown once, listed with its last use`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let empty = try await browser.get("/profile/tokens")
            #expect(
                empty.status == 200 && empty.text.contains("name=\"scope:people:read\"") && !empty.text.contains("{{")
            )
            let began = try await oauth.fixture.databaseNow()
            let made = try await browser.post("/profile/tokens", form())
            #expect(made.status == 200 && made.fields[.cacheControl] == "no-store")
            let token = try secret(in: made)
            #expect(try await refusal(token, oauth) == nil)
            let facts = try #require(try await oauth.fixture.store.facts(of: token))
            #expect(facts.caller.scopes == ScopeSet([.peopleRead]) && facts.caller.user == oauth.admin.user)
            #expect((.seconds(7 * 86_400)...(.seconds(7 * 86_400 + 60))).contains(facts.caller.tokenExpiresAt - began))
            let uses = LastUses(oauth.fixture.store)
            uses.touch(facts.caller, at: began, from: IPAddress("198.51.100.3"))
            await uses.flush()
            let listed = try await browser.get("/profile/tokens")
            #expect(
                listed.text.contains("Laptop") && listed.text.contains("198.51.100.3") && !listed.text.contains("rcp_")
            )
            let entry = try #require(try await oauth.entries(.tokenIssued).last)
            #expect(entry["credential"]?["id"]?.string?.hasPrefix("ses_") == true)
        }
    }

    @Test func `made again the former one ends, and revoked it is gone`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let first = try secret(in: try await browser.post("/profile/tokens", form()))
            let id = try #require(try await oauth.fixture.store.facts(of: first)).caller.credential.token
            _ = try await browser.get("/profile/tokens")
            let again = try await browser.post("/profile/tokens/\(id)/again", [("lifetime", Self.week)])
            let second = try secret(in: again)
            #expect(try await refusal(first, oauth) == .tokenRevoked)
            #expect(try await refusal(second, oauth) == nil)
            let fresh = try #require(try await oauth.fixture.store.facts(of: second)).caller.credential.token
            _ = try await browser.get("/profile/tokens")
            #expect(try await browser.post("/profile/tokens/\(fresh)/revoke", []).location == "/profile/tokens")
            #expect(try await refusal(second, oauth) == .tokenRevoked)
            #expect(try await !browser.get("/profile/tokens").text.contains("Laptop"))
        }
    }

    @Test func `its audience binds it`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let audience = TestOAuth.issuer + "/mcp"
            let token = try secret(in: try await browser.post("/profile/tokens", form([("audience", audience)])))
            #expect(try await refusal(token, oauth) == .wrongAudience)
            #expect(
                try await browser.post("/profile/tokens", form([("audience", "https://evil.example")])).status == 404
            )
        }
    }

    @Test(arguments: [
        ("name", "", 422), ("scope:people:read", "", 422), ("lifetime", "99999999999", 404), ("lifetime", "", 404),
    ])
    func `what is not offered is not made`(member: String, value: String, status: Int) async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let more = value.isEmpty ? [] : [(member, value)]
            let answer = try await browser.post("/profile/tokens", form(more, without: member))
            #expect(answer.status == status && !answer.text.contains("rcp_"))
        }
    }

    @Test func `nobody makes more than they may do, or ends another's`() async throws {
        try await TestOAuth.with { oauth in
            let member = try await oauth.fixture.member(.member, in: oauth.organization)
            try await oauth.setPassword(for: member.user)
            var browser = Browser(oauth)
            _ = try await browser.signIn(as: member.username)
            let page = try await browser.get("/profile/tokens")
            #expect(page.text.contains("scope:people:read.self") && !page.text.contains("scope:users:write"))
            let wider = try await browser.post("/profile/tokens", form([("scope:users:write", "on")]))
            #expect(wider.status == 422 && !wider.text.contains("rcp_"))
            let foreign = oauth.admin.caller.credential.token
            for action in ["again", "revoke"] {
                let answer = try await browser.post("/profile/tokens/\(foreign)/\(action)", [("lifetime", Self.week)])
                #expect(answer.status == 404, "\(action)")
            }
            #expect(try await browser.post("/profile/tokens", form(), origin: "https://evil.example").status == 403)
            #expect(try await browser.post("/profile/tokens", form([("form_token", "x")])).status == 403)
        }
    }

    @Test func `an admin's own token may have the organization's own scopes, in its own words`() async throws {
        try await TestOAuth.with { oauth in
            let scope = try #require(Scope("invoices:read"))
            let creation = ScopeCreation(
                scope,
                opens: "Read every invoice",
                by: oauth.admin.caller,
                oauth.fixture.attribution(of: oauth.admin)
            )
            _ = try await oauth.fixture.store.perform(creation, in: oauth.organization.id)
            var browser = try await oauth.signedInBrowser()
            #expect(try await browser.get("/profile/tokens").text.contains("Read every invoice"))
            let made = try await browser.post("/profile/tokens", form([("scope:invoices:read", "on")]))
            let token = try secret(in: made)
            #expect(try await oauth.fixture.store.facts(of: token)?.caller.scopes.contains(scope) == true)
        }
    }
}

@Suite struct `Keys in the profile` {
    private static let jwks = """
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", \
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
        """

    @Test func `the custodian registers a key of their grant, and its secret ends`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let path = "/profile/grants/\(oauth.grant)/keys"
            _ = try await browser.get("/profile/grants")
            for wrong in [[("jwks", "x")], [("jwks_url", "http://a.example")], [], [("jwks", "x"), ("jwks_url", "y")]] {
                #expect(try await browser.post(path, wrong).status == 422)
            }
            let done = try await browser.post(path, [("jwks", Self.jwks), ("jwks_url", "")])
            #expect(done.status == 200 && done.text.contains("proves who it is by its key"))
            #expect(try await oauth.token().error == "invalid_client")
            #expect(try await oauth.entries(.grantKeysRegistered).count == 1)
            let url = try await browser.post(path, [("jwks", ""), ("jwks_url", "https://keys.example/jwks.json")])
            #expect(url.status == 200 && url.text.contains("https://keys.example/jwks.json"))
        }
    }

    @Test func `nobody else does, and for a day after a replaced password the custodian neither`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            _ = try await oauth.fixture.owner.query(
                "UPDATE accounts SET claiming_blocked_until = now() + interval '1 hour'"
            )
            let path = "/profile/grants/\(oauth.grant)/keys"
            _ = try await browser.get("/profile/grants")
            #expect(try await browser.post(path, [("jwks", Self.jwks)]).status == 403)
            // The change itself asks too, by whatever door it comes.
            let registration = GrantKeysRegistration(
                of: oauth.grant,
                .url("https://keys.example/"),
                custodian: oauth.admin.user,
                by: oauth.fixture.attribution(of: oauth.admin)
            )
            await #expect(throws: AccessRefusal.claimingBlocked) {
                try await oauth.fixture.store.perform(registration, in: oauth.organization.id)
            }
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            try await oauth.setPassword(for: other.user)
            var stranger = Browser(oauth)
            _ = try await stranger.signIn(as: other.username)
            _ = try await stranger.get("/profile")
            #expect(try await stranger.post(path, [("jwks", Self.jwks)]).status == 404)
            #expect(try await oauth.token().status == 200)
        }
    }
}
