import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Claim links` {
    private func link(_ oauth: TestOAuth) async throws -> String {
        let creation = ClaimLinkCreation(
            for: oauth.grant,
            by: oauth.admin.caller,
            oauth.fixture.attribution(of: oauth.admin),
            in: oauth.fixture.store
        )
        return "/claim/" + (try await oauth.fixture.store.perform(creation, in: oauth.organization.id)).secret.reveal()
    }

    private static let page: HTTPFields = [.accept: "text/html,application/xhtml+xml"]

    @Test func `looking changes nothing, claiming works once`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            for _ in 0..<3 {
                let shown = try await oauth.send(.get, path)
                #expect(shown.status == 200)
                #expect(shown.body["client_name"] == "Client" && shown.body["username"] == "crm.robot")
                #expect(shown.body["custodian"]?.string == oauth.admin.username)
                #expect(shown.body["form_token"] == .null)
            }
            let before = try await oauth.entries(.secretClaimed).count
            var browser = try await oauth.signedInBrowser()
            browser.accept = "application/json"
            #expect(try await browser.get(path).body["form_token"]?.string != nil)
            let claimed = try await browser.post(path, [])
            #expect(claimed.status == 200 && claimed.fields[.cacheControl] == "no-store")
            #expect(claimed.body["client_id"]?.string == oauth.grant.description)
            let text = try #require(claimed.body["client_secret"]?.string)
            #expect(OpaqueSecret(text)?.kind == .client)
            #expect(try await oauth.entries(.secretClaimed).count == before + 1)

            #expect(try await browser.post(path, []).status == 404)
            #expect(try await browser.get(path).status == 404)
            let members = [("grant_type", "client_credentials"), ("client_id", oauth.grant.description)]
            let token = try await oauth.form("/oauth/token", members + [("client_secret", text)])
            #expect(token.status == 200)
            #expect(try await oauth.token().error == "invalid_client")
        }
    }

    @Test func `the link alone opens nothing, whether or not the custodian has a password`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            #expect(try await oauth.send(.post, path).status == 401)
            #expect(try await oauth.send(.post, path, fields: [.fetchSite: "same-origin"]).status == 401)
            try await oauth.setPassword(for: oauth.admin.user)
            #expect(try await oauth.send(.post, path).status == 401)
            // Nor does a session of somebody else, whatever they may do.
            let nobody = SessionCaller.nobody(in: oauth)
            let secret = try #require(OpaqueSecret(String(path.dropFirst("/claim/".count))))
            await #expect(throws: AccessRefusal.notCustodian) {
                try await oauth.fixture.store.claim(secret, from: .init(), by: nobody)
            }
            #expect(try await oauth.fixture.number("SELECT count(*) FROM claim_links WHERE claimed_at IS NULL") == 1)
        }
    }

    @Test func `a custodian without a password is led through setting one, signing in, and back`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            var browser = Browser(oauth)
            let shown = try await browser.get(path)
            #expect(shown.status == 200 && shown.text.contains("has no password yet"))
            #expect(!shown.text.contains("Show the secret"))
            let made = PasswordLinkCreation(
                for: oauth.admin.user,
                by: .admin(oauth.admin.user, approvedBy: nil),
                oauth.fixture.attribution(of: oauth.admin),
                in: oauth.fixture.store
            )
            let password = try await oauth.fixture.store.perform(made, in: oauth.organization.id).secret.reveal()
            let chosen = [("password", TestOAuth.password), ("again", TestOAuth.password)]
            #expect(try await browser.post("/password/" + password, chosen).status == 200)
            let form = try await browser.get("/signin?organization=acme")
            #expect(form.hidden("return_to") == path, "the browser remembers where it was going")
            #expect(try await browser.get(path).text.contains("has no password yet") == false)
            let answer = try await browser.signIn(as: oauth.admin.username, returnTo: path)
            #expect(answer.status == 303 && answer.location == path)
            #expect(try await browser.get(path).text.contains("Show the secret"))
            #expect(try await browser.post(path, []).text.contains("<code>rcs_"))
            #expect(browser.returnCookie == nil)
            #expect(try await browser.get("/signin").location == "/profile")
        }
    }

    @Test func `a link whose custodian has left opens nothing and says so`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            var browser = try await oauth.signedInBrowser()
            _ = try await oauth.fixture.owner.query("UPDATE users SET custodian_id = NULL WHERE kind = 'integration'")
            #expect(try await browser.get(path).text.contains("has to name another"))
            #expect(try await browser.post(path, []).status == 403)
            #expect(try await oauth.send(.get, path).body["custodian"] == .null)
        }
    }

    @Test func `after a replaced password nothing is claimed for a day, and the page says until when`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            var browser = try await oauth.signedInBrowser()
            _ = try await oauth.fixture.owner.query(
                "UPDATE accounts SET claiming_blocked_until = now() + interval '1 hour'"
            )
            #expect(try await browser.get(path).text.contains("Not before"))
            let refused = try await browser.post(path, [])
            #expect(refused.status == 403 && !refused.text.contains("rcs_"))
        }
    }

    @Test func `of many who claim at once one gets the secret`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            var browser = try await oauth.signedInBrowser()
            _ = try await browser.get(path)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { [browser] in
                        var one = browser
                        return try await one.post(path, []).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + [Int](repeating: 404, count: 7))
        }
    }

    @Test func `a browser gets pages that nothing can run in or frame`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            var browser = try await oauth.signedInBrowser()
            let shown = try await browser.get(path)
            #expect(shown.status == 200)
            #expect(shown.fields[.contentType] == "text/html; charset=utf-8")
            let policy = shown.fields[.contentSecurityPolicy] ?? ""
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("script-src") && !policy.contains("unsafe-inline"))
            #expect(shown.text.contains("crm.robot") && shown.text.contains("<form method=\"post\">"))
            #expect(!shown.text.contains("{{") && !shown.text.contains("<script"))

            let claimed = try await browser.post(path, [])
            #expect(claimed.text.contains("<code>\(oauth.grant)</code>") && claimed.text.contains("<code>rcs_"))
            #expect(!claimed.text.contains("<form"))
            let gone = try await browser.get(path)
            #expect(gone.status == 404)
            #expect(gone.text.contains("no longer good") && !gone.text.contains("<dl>"))
        }
    }

    @Test func `names are text in a page, whatever they hold`() async throws {
        try await TestOAuth.with { oauth in
            _ = try await oauth.fixture.owner.query("UPDATE grants SET client_name = '<img src=x onerror=alert(1)>'")
            let shown = try await oauth.send(.get, try await link(oauth), fields: Self.page)
            #expect(!shown.text.contains("<img src=x") && shown.text.contains("&lt;img src=x"))
        }
    }

    @Test func `a page of another site cannot claim`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            var browser = try await oauth.signedInBrowser()
            _ = try await browser.get(path)
            for site in ["cross-site", "same-site"] {
                #expect(try await browser.post(path, [], fields: [.fetchSite: site]).status == 403)
            }
            #expect(try await browser.post(path, [], origin: "https://evil.example").status == 403)
            #expect(try await browser.post(path, [], origin: nil).status == 403)
            #expect(try await browser.post(path, [], fields: [.fetchSite: "same-origin"]).status == 200)
        }
    }

    @Test func `unknown, replaced and over look alike`() async throws {
        try await TestOAuth.with { oauth in
            let replaced = try await link(oauth)
            let over = try await link(oauth)
            _ = try await oauth.fixture.owner.query(
                "UPDATE claim_links SET expires_at = clock_timestamp() - interval '1 second' WHERE ended_at IS NULL"
            )
            let unknown = "/claim/" + OpaqueSecret.make(.claim, using: oauth.fixture.randomness).reveal()
            let wrongKind = "/claim/" + oauth.secret.reveal()
            for path in [replaced, over, unknown, wrongKind, "/claim/nonsense"] {
                for method in [HTTPRequest.Method.get, .post] {
                    let answer = try await oauth.send(method, path)
                    #expect(answer.status == 404 && answer.body["type"] == "/problems/not-found")
                }
            }
        }
    }
}

extension SessionCaller {
    /// Somebody of the organization who keeps nothing.
    fileprivate static func nobody(in oauth: TestOAuth) -> SessionCaller {
        SessionCaller(
            organization: oauth.organization.id,
            organizationName: "Acme",
            user: oauth.fixture.store.newID(),
            role: .securityAdmin,
            username: "nobody",
            person: nil,
            session: oauth.fixture.store.newID(),
            digestPrefix: "00000000",
            authenticatedAt: oauth.fixture.clock.now(),
            expiresAt: oauth.fixture.clock.now() + SessionTerms.absolute,
            hasSecondFactor: false,
            claimingBlockedUntil: nil
        )
    }
}
