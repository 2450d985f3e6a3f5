import Domain
import Edge
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Sign-in` {
    @Test func `a password opens a session, and its cookie is for this host alone`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            var browser = Browser(oauth)
            let shown = try await browser.get("/signin?organization=acme&return_to=%2Fprofile")
            #expect(shown.status == 200 && shown.text.contains("value=\"acme\"") && !shown.text.contains("{{"))
            let answer = try await browser.signIn(as: oauth.admin.username)
            #expect(answer.status == 303 && answer.location == "/profile")
            let cookie = try #require(answer.fields[.setCookie])
            #expect(cookie.hasPrefix("__Host-rollcall=rci_"))
            for word in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] { #expect(cookie.contains(word)) }
            #expect(!cookie.contains("Domain"))
            let profile = try await browser.get("/profile")
            #expect(profile.status == 200 && profile.text.contains("This browser"))
            let entry = try #require(try await oauth.entries(.sessionStarted).last)
            #expect(entry["outcome"] == "done" && entry["actor"]?["id"]?.string == oauth.admin.user.description)
            #expect(entry["credential"]?["id"]?.string?.hasPrefix("ses_") == true && entry["client_ip"] == "192.0.2.10")
            let kept = try await oauth.fixture.text("SELECT encode(digest, 'hex') FROM sessions")
            #expect(kept?.count == 64)
        }
    }

    @Test func `wrong password, unknown user, unknown organization and no password look alike`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            let other = try await oauth.fixture.member(.member, in: oauth.organization, username: "nopassword")
            var texts: Set<String> = []
            for (organization, username, password) in [
                ("acme", oauth.admin.username, "wrong password!"), ("acme", "nobody", TestOAuth.password),
                ("globex", "nobody", TestOAuth.password), ("acme", other.username, TestOAuth.password),
                ("acme", "crm.robot", TestOAuth.password), ("", "", ""),
            ] {
                var browser = Browser(oauth)
                let answer = try await browser.post(
                    "/signin",
                    [("organization", organization), ("username", username), ("password", password)]
                )
                #expect(answer.status == 403 && answer.fields[.setCookie] == nil)
                texts.insert(
                    answer.text.replacing("value=\"\(username)\"", with: "")
                        .replacing("value=\"\(organization)\"", with: "")
                )
            }
            #expect(texts.count == 1)
            let refused = try await oauth.entries(.sessionStarted)
            #expect(refused.count == 4 && refused.allSatisfy { $0["reason"] == "wrong_password" })
            #expect(refused.filter { $0["target"]?["kind"] == "organization" }.count == 2)
        }
    }

    @Test func `a session that was planted is never signed in`() async throws {
        try await TestOAuth.with { oauth in
            let attacker = try await oauth.signedInBrowser()
            var victim = Browser(oauth)
            victim.cookie = attacker.cookie
            _ = try await victim.signIn(as: oauth.admin.username)
            #expect(victim.cookie != attacker.cookie)
            var again = attacker
            #expect(try await again.get("/profile").location.hasPrefix("/signin"))
            var two = Browser(oauth)
            two.cookie = "\(victim.cookie ?? ""); \(attacker.cookie ?? "")"
            #expect(try await two.get("/profile").status == 303)
        }
    }

    @Test func `deactivating a member ends the session at once`() async throws {
        try await TestOAuth.with { oauth in
            let member = try await oauth.fixture.member(.member, in: oauth.organization)
            try await oauth.setPassword(for: member.user)
            var browser = Browser(oauth)
            _ = try await browser.signIn(as: member.username)
            #expect(try await browser.get("/profile").status == 200)
            let end = UserDeactivation(
                of: member.user,
                by: oauth.admin.caller,
                confirmation: nil,
                oauth.fixture.attribution(of: oauth.admin)
            )
            _ = try await oauth.fixture.store.perform(end, in: oauth.organization.id)
            #expect(try await browser.get("/profile").status == 303)
            #expect(try await browser.signIn(as: member.username).status == 403)
        }
    }

    @Test(arguments: ["last_seen_at = last_seen_at - interval '121 minutes'", "expires_at = clock_timestamp()"])
    func `a session ends when it is idle, and when it is over`(change: String) async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            #expect(try await browser.get("/profile").status == 200)
            let statement: SQL =
                change.hasPrefix("last")
                ? "UPDATE sessions SET last_seen_at = last_seen_at - interval '121 minutes'"
                : "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 day', expires_at = clock_timestamp()"
            _ = try await oauth.fixture.owner.query(statement)
            #expect(try await browser.get("/profile").status == 303)
        }
    }

    @Test func `a member sees their sessions and ends them, and nobody else's`() async throws {
        try await TestOAuth.with { oauth in
            var first = try await oauth.signedInBrowser()
            var second = Browser(oauth)
            _ = try await second.signIn(as: oauth.admin.username)
            let member = try await oauth.fixture.member(.member, in: oauth.organization)
            try await oauth.setPassword(for: member.user)
            var stranger = Browser(oauth)
            _ = try await stranger.signIn(as: member.username)
            _ = try await stranger.get("/profile")

            let profile = try await first.get("/profile")
            let end = try #require(profile.text.firstRange(of: "/profile/sessions/ses_"))
            let path = String(profile.text[end.lowerBound...].prefix { $0 != "\"" })
            #expect(try await stranger.post(path, []).status == 303)
            #expect(try await second.get("/profile").status == 200)
            #expect(try await first.post(path, []).status == 303)
            #expect(try await second.get("/profile").status == 303)
            #expect(try await first.post("/signout", []).location == "/signin")
            #expect(first.cookie == nil)
            #expect(try await oauth.entries(.sessionEnded).count == 2)
        }
    }

    @Test func `a form of another site, or of another session, is refused`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let members = [
                ("current", TestOAuth.password), ("password", "another sentence"), ("again", "another sentence"),
            ]
            for origin in ["https://evil.example", "null", "https://rollcall.example.evil.example", nil] {
                #expect(try await browser.post("/profile/password", members, origin: origin).status == 403)
            }
            for site in ["cross-site", "same-site", "none"] {
                let answer = try await browser.post("/profile/password", members, fields: [.fetchSite: site])
                #expect(answer.status == 403)
            }
            for token in ["", "nonsense", "AAAA"] {
                let forged = members + [("form_token", token)]
                #expect(try await browser.post("/profile/password", forged).status == 403)
            }
            var other = Browser(oauth)
            _ = try await other.signIn(as: oauth.admin.username)
            _ = try await other.get("/profile")
            let foreign = members + [("form_token", other.formToken ?? "")]
            #expect(try await browser.post("/profile/password", foreign).status == 403)
            // Signing in has no session yet, and is not open to other sites either.
            var victim = Browser(oauth)
            let login = [
                ("organization", "acme"), ("username", oauth.admin.username), ("password", TestOAuth.password),
            ]
            #expect(try await victim.post("/signin", login, origin: "https://evil.example").status == 403)
            #expect(try await victim.post("/signin", login, origin: nil).status == 403)
        }
    }

    @Test(arguments: [
        "https://evil.example", "//evil.example", "/\\evil.example", "/profile\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "/v1/users", "", "profile",
    ])
    func `nobody is led elsewhere after signing in`(target: String) async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            var browser = Browser(oauth)
            #expect(try await browser.signIn(as: oauth.admin.username, returnTo: target).location == "/profile")
        }
    }

    @Test func `guessing is slowed down where it comes from, and locks nobody out elsewhere`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            var attacker = Browser(oauth, from: "198.51.100.7")
            var statuses: [Int] = []
            for _ in 0..<12 {
                statuses.append(try await attacker.signIn(as: oauth.admin.username, password: "guess number").status)
            }
            #expect(statuses == [Int](repeating: 403, count: 10) + [429, 429])
            let right = try await attacker.signIn(as: oauth.admin.username)
            #expect(right.status == 429 && right.fields[.retryAfter] == "60")
            var owner = Browser(oauth)
            #expect(try await owner.signIn(as: oauth.admin.username).status == 303)
            // An attempt comes back with time: nothing is for ever.
            _ = try await oauth.fixture.owner.query(
                "UPDATE sign_in_attempts SET arrival_at = arrival_at - interval '2 minutes'"
            )
            #expect(try await attacker.signIn(as: oauth.admin.username).status == 303)
        }
    }

    @Test func `of many guesses at once no more are tried than of many in a row`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            var statuses: [Int] = []
            for _ in 0..<4 {
                // As many at once as one address may have hashed.
                statuses += try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<PasswordHashing.mostOfAddress {
                        group.addTask {
                            var attacker = Browser(oauth, from: "198.51.100.7")
                            return try await attacker.signIn(as: oauth.admin.username, password: "guess number").status
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
            }
            #expect(statuses.count { $0 == 403 } == 10 && statuses.count { $0 == 429 } == 6)
        }
    }

    @Test func `one address's flood of sign-ins stops nobody else's`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        var attacker = Browser(oauth, from: "198.51.100.7")
                        let status = try await attacker.signIn(as: "nobody.\(number)", password: "guess number").status
                        #expect(status == 403 || status == 429)
                    }
                }
                group.addTask {
                    var owner = Browser(oauth)
                    let status = try await owner.signIn(as: oauth.admin.username).status
                    #expect(status == 303)
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `an account is one however its name is spelled`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            let name = oauth.admin.username
            for number in 0..<10 {
                var attacker = Browser(oauth, from: "198.51.100.7")
                let spelled = number.isMultiple(of: 2) ? name.uppercased() : name
                #expect(try await attacker.signIn(as: spelled, password: "guess number").status == 403)
            }
            var attacker = Browser(oauth, from: "198.51.100.7")
            #expect(try await attacker.signIn(as: name.uppercased(), password: "guess number").status == 429)
        }
    }

    @Test func `pages are not framed, run nothing and are not kept`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            var pages = [try await browser.get("/profile"), try await browser.get("/profile/second-factor")]
            var stranger = Browser(oauth)
            pages += [try await stranger.get("/signin"), try await stranger.get("/password/nonsense")]
            for page in pages {
                let policy = page.fields[.contentSecurityPolicy] ?? ""
                #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
                #expect(
                    policy.contains("form-action 'self'") && !policy.contains("unsafe") && !policy.contains("script")
                )
                #expect(page.fields[.cacheControl] == "no-store" && !page.text.contains("<script"))
                #expect(!page.text.contains("{{") && page.text.contains("lang=\"en\""))
            }
            #expect(try await stranger.get("/assets/rollcall.css").fields[.contentType] == "text/css; charset=utf-8")
        }
    }
}
