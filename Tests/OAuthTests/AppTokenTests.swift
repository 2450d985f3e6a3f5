import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Tokens of apps` {
    @Test func `of many who present a code at once one gets tokens, and they end`() async throws {
        try await TestApp.with { app in
            let code = try await app.code()
            let presented = app
            let answers = try await withThrowingTaskGroup(of: TestOAuth.Answer.self) { group in
                for _ in 0..<8 { group.addTask { try await presented.exchange(code) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let winners = answers.filter { $0.status == 200 }
            #expect(winners.count == 1 && answers.count { $0.error == "invalid_grant" } == 7)
            let access = try #require(winners.first?.body["access_token"]?.string)
            let refresh = try #require(winners.first?.body["refresh_token"]?.string)
            // The replay ended what was issued.
            #expect(try await app.userInfo(access).status == 401)
            #expect(try await app.refresh(refresh).error == "invalid_grant")
            #expect(try await app.oauth.entries(.tokenRevoked).contains { $0["reason"] == "code_replayed" })
        }
    }

    @Test func `a code is good for its client, address and verifier, and stays for them`() async throws {
        try await TestApp.with { app in
            let code = try await app.code()
            let other = try await app.oauth.register()
            let foreign: [String: String?] = [
                "client_id": other.app.id.description, "client_secret": other.secret?.reveal(),
            ]
            for changes: [String: String?] in [
                foreign, ["redirect_uri": "https://app.example/callback/"], ["redirect_uri": nil],
                ["code_verifier": String(repeating: "a", count: 43)], ["code_verifier": nil],
                ["code_verifier": TestApp.challenge],
            ] { #expect(try await app.exchange(code, changes).error == "invalid_grant") }
            #expect(try await app.exchange(code, ["client_secret": other.secret?.reveal()]).error == "invalid_client")
            #expect(try await app.exchange(code, ["client_secret": nil]).error == "invalid_client")
            #expect(try await app.exchange(code, ["grant_type": nil]).error == "invalid_request")
            #expect(try await app.exchange(code, ["client_hash": app.secret?.reveal()]).status == 400)
            #expect(try await app.exchange(code).status == 200)
        }
    }

    @Test func `deactivating a user ends what they let apps do`() async throws {
        try await TestApp.with { app in
            let tokens = try await app.exchange(try await app.code())
            #expect(tokens.status == 200)
            let oauth = app.oauth
            let second = try await oauth.fixture.member(.securityAdmin, in: oauth.organization, username: "second")
            let end = UserDeactivation(
                of: oauth.admin.user,
                by: second.caller,
                confirmation: nil,
                oauth.fixture.attribution(of: second)
            )
            _ = try await oauth.fixture.store.perform(end, in: oauth.organization.id)
            let open = try await oauth.fixture.number("SELECT count(*) FROM authorizations WHERE status = 'active'")
            #expect(open == 0)
            #expect(try await oauth.entries(.authorizationEnded).map { $0["reason"]?.string } == ["user_deactivated"])
        }
    }

    @Test func `a code lives five minutes`() async throws {
        try await TestApp.with { app in
            let code = try await app.code()
            _ = try await app.oauth.fixture.owner.query(
                "UPDATE authorization_codes SET expires_at = expires_at - interval '300 seconds'"
            )
            #expect(try await app.exchange(code).error == "invalid_grant")
        }
    }

    @Test func `refreshing rotates, and a retry gets the same successor`() async throws {
        try await TestApp.with { app in
            let first = try await app.tokens()
            let one = try await app.refresh(first.refresh)
            let successor = try #require(one.body["refresh_token"]?.string)
            #expect(one.status == 200 && successor != first.refresh && one.body["scope"] == "people:read")
            let retry = try await app.refresh(first.refresh)
            #expect(retry.status == 200 && retry.body["refresh_token"]?.string == successor)
            #expect(try await app.userInfo(try #require(retry.body["access_token"]?.string)).status == 200)
            // Once the successor was used, the former one is somebody else's.
            #expect(try await app.refresh(successor).status == 200)
            #expect(try await app.refresh(first.refresh).error == "invalid_grant")
            #expect(try await app.userInfo(first.access).status == 401)
            #expect(try await app.oauth.entries(.tokenRevoked).contains { $0["reason"] == "refresh_reused" })
        }
    }

    @Test func `reuse after the window ends the family`() async throws {
        try await TestApp.with { app in
            let first = try await app.tokens()
            let successor = try #require(try await app.refresh(first.refresh).body["refresh_token"]?.string)
            _ = try await app.oauth.fixture.owner.query(
                "UPDATE tokens SET replaced_at = replaced_at - interval '61 seconds' WHERE replaced_at IS NOT NULL"
            )
            #expect(try await app.refresh(first.refresh).error == "invalid_grant")
            #expect(try await app.refresh(successor).error == "invalid_grant")
        }
    }

    @Test func `of many who refresh at once all get the same successor`() async throws {
        try await TestApp.with { app in
            let first = try await app.tokens()
            let presented = app
            let successors = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<6 {
                    group.addTask { try await presented.refresh(first.refresh).body["refresh_token"]?.string }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(successors.count == 1 && successors.first != .some(nil))
        }
    }

    @Test func `scopes narrow at refresh and never widen, and no other client's token is taken`() async throws {
        try await TestApp.with { app in
            let tokens = try await app.tokens(["scope": "people:read users:read"])
            let narrow = try await app.refresh(tokens.refresh, [("scope", "users:read")])
            #expect(narrow.body["scope"] == "users:read")
            let next = try #require(narrow.body["refresh_token"]?.string)
            #expect(try await app.refresh(next, [("scope", "people:read grants:write")]).error == "invalid_scope")
            let other = TestApp(
                oauth: app.oauth,
                id: try await app.oauth.register().app.id,
                secret: nil,
                browser: app.browser
            )
            #expect(try await other.refresh(next).error == "invalid_client")
            let registered = try await app.oauth.register()
            let thief = TestApp(
                oauth: app.oauth,
                id: registered.app.id,
                secret: registered.secret,
                browser: app.browser
            )
            #expect(try await thief.refresh(next).error == "invalid_grant")
            let wide = try await app.refresh(next)
            #expect(wide.body["scope"] == "people:read users:read")
        }
    }

    @Test func `a family that ends while it is rotated ends whole`() async throws {
        try await TestApp.with { app in
            for _ in 0..<10 {
                let first = try await app.tokens()
                let second = try #require(try await app.refresh(first.refresh).body["refresh_token"]?.string)
                let third = try #require(try await app.refresh(second).body["refresh_token"]?.string)
                let app = app
                // Whoever holds the present one goes on at the moment when the use of the first one ends them all.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await app.refresh(third) }
                    group.addTask {
                        let reused = try await app.refresh(first.refresh)
                        #expect(reused.error == "invalid_grant")
                    }
                    try await group.waitForAll()
                }
                let alive = try await app.oauth.fixture.number(
                    "SELECT count(*) FROM tokens WHERE family_id IS NOT NULL AND revoked_at IS NULL"
                )
                #expect(alive == 0)
            }
        }
    }

    @Test func `a token for one resource is refreshed for no other`() async throws {
        try await TestApp.with { app in
            let resource = TestOAuth.issuer + "/v1"
            let tokens = try await app.tokens(["resource": resource])
            #expect(try await app.refresh(tokens.refresh, [("resource", TestOAuth.issuer)]).error == "invalid_target")
            #expect(try await app.refresh(tokens.refresh, [("resource", resource)]).status == 200)
            #expect(
                try await app.oauth.fixture.text("SELECT audience FROM tokens WHERE family_id IS NOT NULL") == resource
            )
        }
    }

    @Test func `what was approved for no resource is for none afterwards`() async throws {
        try await TestApp.with { app in
            try await app.oauth.resource("https://payroll.example")
            let code = try await app.code()
            let bound = try await app.exchange(code, ["resource": "https://payroll.example"])
            #expect(bound.error == "invalid_target")
            let free = try await app.exchange(code)
            #expect(free.status == 200)
            let refresh = try #require(free.body["refresh_token"]?.string)
            #expect(try await app.refresh(refresh, [("resource", "https://payroll.example")]).error == "invalid_target")
            #expect(try await app.oauth.fixture.number("SELECT count(*) FROM tokens WHERE audience IS NOT NULL") == 0)
        }
    }

    @Test func `every end of an approval ends its tokens at once`() async throws {
        try await TestApp.with { app in
            let oauth = app.oauth
            let attribution = oauth.fixture.attribution(of: oauth.admin)
            var tokens = try await app.tokens()
            let profile = try await app.browser.get("/profile")
            let start = try #require(profile.text.firstRange(of: "/profile/apps/aut_"))
            let path = String(profile.text[start.lowerBound...].prefix { $0 != "\"" })
            #expect(try await app.browser.post(path, []).status == 303)
            #expect(try await app.userInfo(tokens.access).status == 401)
            #expect(try await app.refresh(tokens.refresh).error == "invalid_grant")

            tokens = try await app.tokens()
            for (status, expected) in [(AppStatus.disabled, 401), (.active, 200), (.ended, 401)] {
                let change = AppStateChange(of: app.id, to: status, by: attribution)
                _ = try await oauth.fixture.store.perform(change, in: oauth.organization.id)
                #expect(try await app.userInfo(tokens.access).status == expected)
            }
            #expect(try await app.refresh(tokens.refresh).status == 401)
        }
    }

    @Test func `a member who leaves takes their approvals along`() async throws {
        try await TestApp.with { app in
            let oauth = app.oauth
            let member = try await oauth.fixture.member(.auditor, in: oauth.organization)
            try await oauth.setPassword(for: member.user)
            app.browser = Browser(oauth)
            _ = try await app.browser.signIn(as: member.username)
            _ = try await app.browser.get("/profile")
            let tokens = try await app.tokens()
            let code = try await app.code()
            let end = UserDeactivation(
                of: member.user,
                by: oauth.admin.caller,
                confirmation: nil,
                oauth.fixture.attribution(of: oauth.admin)
            )
            _ = try await oauth.fixture.store.perform(end, in: oauth.organization.id)
            #expect(try await app.userInfo(tokens.access).status == 401)
            #expect(try await app.refresh(tokens.refresh).error == "invalid_grant")
            #expect(try await app.exchange(code).error == "invalid_grant")
        }
    }

    @Test func `an app ends its tokens, a refresh token with its family`() async throws {
        try await TestApp.with { app in
            let first = try await app.tokens()
            let second = try await app.tokens()
            let client = app
            let revoke = { (token: String) async throws in
                try await client.oauth.form("/oauth/revoke", [("token", token)] + client.credentials).status
            }
            #expect(try await revoke(first.access) == 200)
            #expect(try await app.userInfo(first.access).status == 401)
            #expect(try await app.refresh(first.refresh).status == 200)
            #expect(try await revoke(second.refresh) == 200)
            #expect(try await app.userInfo(second.access).status == 401)
            #expect(try await revoke("rcr_nonsense") == 200)
        }
    }

    @Test func `an access token lives as long as the admin chose`() async throws {
        try await TestApp.with(lifetime: .seconds(365 * 86_400)) { app in
            let code = try await app.code()
            let seconds = try await app.exchange(code).body["expires_in"]
            #expect(seconds == .integer(365 * 86_400))
        }
    }
}

@Suite struct `Legacy apps` {
    @Test func `the older dialect is understood, and nothing is weaker`() async throws {
        try await TestApp.with(isLegacy: true) { app in
            let plain: [String: String?] = ["code_challenge": nil, "code_challenge_method": nil]
            let page = try await app.ask(plain.merging(["scope": "people:read,users:read"]) { $1 })
            #expect(page.status == 200 && page.text.contains("users:read") && page.text.contains("older dialect"))
            let code = try await app.code(plain.merging(["scope": "all"]) { $1 })
            let hash: [String: String?] = [
                "client_secret": nil, "client_hash": app.secret?.reveal(), "grant_type": nil, "code_verifier": nil,
                "state": "1",
            ]
            let wrong = hash.merging(["client_hash": "rcs_wrong"]) { $1 }
            #expect(try await app.exchange(code, wrong).error == "invalid_client_id")
            #expect(
                try await app.exchange(code, hash.merging(["redirect_uri": "https://evil.example"]) { $1 }).error
                    == "invalid_grant"
            )
            let tokens = try await app.exchange(code, hash)
            #expect(tokens.status == 200 && tokens.body["scope"] == "people:read users:read")
            #expect(try await app.exchange(code, hash).error == "invalid_grant")

            let evil = try await app.ask(plain.merging(["redirect_uri": "https://evil.example/callback"]) { $1 })
            #expect(evil.status == 400 && evil.fields[.location] == nil)
            #expect(
                try await app.ask(plain.merging(["scope": "grants:write"]) { $1 }).member("error") == "invalid_scope"
            )
        }
    }

    @Test func `a code as JSON comes from the consent alone`() async throws {
        try await TestApp.with(isLegacy: true) { app in
            let json: [String: String?] = [
                "response_type": "json_code", "code_challenge": nil, "code_challenge_method": nil,
            ]
            #expect(try await app.ask(json).fields[.contentType] == "text/html; charset=utf-8")
            let answer = try await app.approve(json)
            #expect(answer.status == 200 && answer.body["state"] == "xyz &=")
            #expect(answer.body["code"]?.string?.hasPrefix("rco_") == true)
            #expect(answer.fields[.accessControlAllowOrigin] == nil)
            // A challenge binds the code all the same.
            let bound = try await app.code()
            #expect(try await app.exchange(bound, ["code_verifier": nil]).error == "invalid_grant")
            #expect(try await app.exchange(bound).status == 200)
        }
    }

    @Test func `only a confidential app can be legacy, and it is told`() async throws {
        try await TestOAuth.with { oauth in
            await #expect(throws: ChangeRefusal.self) {
                try await oauth.register(isConfidential: false, isLegacy: true)
            }
            let app = try await oauth.register(isLegacy: true).app
            #expect(try await oauth.entries(.appCreated).last?["after"]?["legacy"] == true)
            #expect(app.terms.isLegacy)
        }
    }
}
