import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Passwords and second factors` {
    private func link(_ oauth: TestOAuth, for user: UserID, by maker: PasswordLinkCreation.Maker) async throws -> String
    {
        let creation = PasswordLinkCreation(
            for: user,
            by: maker,
            oauth.fixture.attribution(of: oauth.admin),
            in: oauth.fixture.store
        )
        let made = try await oauth.fixture.store.perform(creation, in: oauth.organization.id)
        return "/password/" + made.secret.reveal()
    }

    private static let chosen = [("password", "quite a long sentence"), ("again", "quite a long sentence")]

    @Test func `a link sets a password once, and looking changes nothing`() async throws {
        try await TestOAuth.with { oauth in
            let member = try await oauth.fixture.member(.member, in: oauth.organization)
            let path = try await link(oauth, for: member.user, by: .admin(oauth.admin.user, approvedBy: nil))
            var browser = Browser(oauth)
            for _ in 0..<3 { #expect(try await browser.get(path).text.contains(member.username)) }
            for wrong in [
                [("password", "short"), ("again", "short")],
                [("password", "quite a long sentence"), ("again", "other")],
            ] { #expect(try await browser.post(path, wrong).status == 422) }
            #expect(try await browser.post(path, Self.chosen, origin: "https://evil.example").status == 403)
            #expect(try await browser.post(path, Self.chosen).status == 200)
            #expect(try await browser.post(path, Self.chosen).status == 404)
            #expect(try await browser.signIn(as: member.username, password: "quite a long sentence").status == 303)
            let stored = try await oauth.fixture.text("SELECT password FROM accounts")
            #expect(stored?.hasPrefix("$scrypt$") == true)
            #expect(try await oauth.entries(.passwordSet).count == 1)
        }
    }

    @Test func `nobody alone replaces somebody's password`() async throws {
        try await TestOAuth.with { oauth in
            let member = try await oauth.fixture.member(.member, in: oauth.organization)
            try await oauth.setPassword(for: member.user)
            var browser = Browser(oauth)
            _ = try await browser.signIn(as: member.username)
            await #expect(throws: ChangeRefusal.self) {
                try await link(oauth, for: member.user, by: .admin(oauth.admin.user, approvedBy: nil))
            }
            // Nor by approving one's own request: the database refuses it.
            await #expect(throws: (any Error).self) {
                try await link(oauth, for: member.user, by: .admin(oauth.admin.user, approvedBy: oauth.admin.user))
            }
            #expect(try await browser.get("/profile").status == 200)
            let second = try await oauth.fixture.member(.securityAdmin, in: oauth.organization, username: "second")
            let path = try await link(oauth, for: member.user, by: .admin(oauth.admin.user, approvedBy: second.user))
            #expect(try await browser.get("/profile").status == 303)
            var setter = Browser(oauth)
            #expect(try await setter.post(path, Self.chosen).status == 200)
            #expect(try await setter.signIn(as: member.username, password: "quite a long sentence").status == 303)
            #expect(try await setter.get("/profile").text.contains("Claiming secrets"))
            let cookie = String((setter.cookie ?? "").drop { $0 != "=" }.dropFirst())
            let secret = try #require(OpaqueSecret(cookie))
            let caller = try #require(try await oauth.fixture.store.session(of: secret))
            let until = try #require(caller.claimingBlockedUntil)
            #expect(until > caller.authenticatedAt + .seconds(23 * 3600))
        }
    }

    @Test func `of two first links that are made and used at once exactly one sets the password`() async throws {
        try await TestOAuth.with { oauth in
            for place in 0..<4 {
                let username = "m\(place)@acme.example"
                let member = try await oauth.fixture.member(.member, in: oauth.organization, username: username)
                let texts = ["the first of two sentences", "the second of two sentences"]
                let statuses = try await withThrowingTaskGroup(of: (String, Int).self) { group in
                    for text in texts {
                        group.addTask {
                            let maker = PasswordLinkCreation.Maker.admin(oauth.admin.user, approvedBy: nil)
                            do {
                                let path = try await link(oauth, for: member.user, by: maker)
                                var browser = Browser(oauth)
                                let chosen = [("password", text), ("again", text)]
                                return (text, try await browser.post(path, chosen).status)
                            } catch is ChangeRefusal {
                                // Too late: there is a password, and a link for another needs a second admin.
                                return (text, 409)
                            }
                        }
                    }
                    return try await group.reduce(into: [String: Int]()) { $0[$1.0] = $1.1 }
                }
                #expect(statuses.values.count { $0 == 200 } == 1, "\(statuses)")
                #expect(statuses.values.allSatisfy { [200, 404, 409].contains($0) }, "\(statuses)")
                for text in texts {
                    var browser = Browser(oauth)
                    let signedIn = try await browser.signIn(as: username, password: text).status
                    #expect((signedIn == 303) == (statuses[text] == 200))
                }
            }
            let set = try await oauth.entries(.passwordSet)
            #expect(set.count == 4 && set.allSatisfy { $0["after"]?["replaced"] == false })
        }
    }

    @Test func `a second factor that waits to be proved is gone with a new password`() async throws {
        try await TestOAuth.with { oauth in
            // Whoever had the account showed themselves a secret, and left it waiting.
            var intruder = try await oauth.signedInBrowser()
            let shown = try await intruder.get("/profile/second-factor").text
            let pending = "SELECT count(*) FROM accounts WHERE totp_pending IS NOT NULL" as SQL
            #expect(try await oauth.fixture.number(pending) == 1)
            try await oauth.setPassword("another sentence of mine", for: oauth.admin.user)
            #expect(try await oauth.fixture.number(pending) == 0)
            var owner = Browser(oauth)
            _ = try await owner.signIn(as: oauth.admin.username, password: "another sentence of mine")
            let fresh = try await owner.get("/profile/second-factor").text
            func secret(_ page: String) throws -> String {
                let text = try #require(page.firstRange(of: "<code>"))
                return String(page[text.upperBound...].prefix { $0 != "<" })
            }
            #expect(try secret(shown) != secret(fresh))
            let known = TimeCode(secret: try Self.decoded(try secret(shown)))
            let code = known.code(at: TimeCode.step(at: oauth.fixture.clock.now()))
            #expect(try await owner.post("/profile/second-factor", [("code", code)]).status == 403)
            // The same where the member changes it themselves.
            let members = [
                ("current", "another sentence of mine"), ("password", TestOAuth.password),
                ("again", TestOAuth.password),
            ]
            #expect(try await owner.post("/profile/password", members).status == 200)
            #expect(try await oauth.fixture.number(pending) == 0)
        }
    }

    @Test func `a changed password ends every other session`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            var other = Browser(oauth)
            _ = try await other.signIn(as: oauth.admin.username)
            let wrong = try await browser.post("/profile/password", [("current", "not the one")] + Self.chosen)
            #expect(wrong.status == 403)
            let changed = try await browser.post("/profile/password", [("current", TestOAuth.password)] + Self.chosen)
            #expect(changed.status == 200 && changed.text.contains("is changed"))
            #expect(try await other.get("/profile").status == 303)
            #expect(try await browser.get("/profile").status == 200)
            #expect(try await other.signIn(as: oauth.admin.username).status == 403)
        }
    }

    private func enrol(_ browser: inout Browser, _ oauth: TestOAuth) async throws -> TimeCode {
        try await enrolled(&browser, oauth).secret
    }

    private func enrolled(
        _ browser: inout Browser,
        _ oauth: TestOAuth
    ) async throws -> (secret: TimeCode, codes: [String]) {
        let page = try await browser.get("/profile/second-factor")
        let text = try #require(page.text.firstRange(of: "<code>"))
        let base32 = String(page.text[text.upperBound...].prefix { $0 != "<" })
        #expect(page.text.contains("otpauth://totp/"))
        let secret = TimeCode(secret: try Self.decoded(base32))
        let code = secret.code(at: TimeCode.step(at: oauth.fixture.clock.now()))
        let done = try await browser.post("/profile/second-factor", [("code", code)])
        #expect(done.status == 200 && done.text.contains("asks for a code"))
        return (secret, codes(done))
    }

    private static func decoded(_ base32: String) throws -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var bytes: [UInt8] = []
        var bits = 0
        var count = 0
        for character in base32 {
            bits = bits << 5 | (try #require(alphabet.firstIndex(of: character)))
            count += 5
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return bytes
    }

    @Test func `a second factor is asked for, and no code is good twice`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let secret = try await enrol(&browser, oauth)
            let clock = oauth.fixture.clock
            let used = secret.code(at: TimeCode.step(at: clock.now()))

            var next = Browser(oauth)
            #expect(try await next.signIn(as: oauth.admin.username).location.hasPrefix("/signin/code?return_to="))
            #expect(try await next.get("/profile").location.hasPrefix("/signin"))
            _ = try await next.get("/signin/code?return_to=%2Fprofile")
            #expect(try await next.post("/signin/code", [("code", used)]).status == 403)
            let pending = next.cookie
            clock.advance(by: .seconds(30))
            let fresh = secret.code(at: TimeCode.step(at: clock.now()))
            let answer = try await next.post("/signin/code", [("code", fresh), ("return_to", "/profile")])
            #expect(answer.status == 303 && answer.location == "/profile" && next.cookie != pending)
            #expect(try await next.get("/profile").text.contains("Authenticator app"))

            var replay = Browser(oauth)
            _ = try await replay.signIn(as: oauth.admin.username)
            _ = try await replay.get("/signin/code")
            #expect(try await replay.post("/signin/code", [("code", fresh)]).status == 403)
            let sealed = try await oauth.fixture.text("SELECT encode(totp_secret, 'escape') FROM accounts")
            #expect(sealed?.contains(secret.base32) == false)
            #expect(try await oauth.entries(.sessionStarted).count { $0["reason"] == "wrong_code" } == 2)
        }
    }

    @Test func `of many who present the same code at once one is signed in`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let secret = try await enrol(&browser, oauth)
            oauth.fixture.clock.advance(by: .seconds(30))
            let code = secret.code(at: TimeCode.step(at: oauth.fixture.clock.now()))
            var waiting: [Browser] = []
            for _ in 0..<4 {
                var one = Browser(oauth)
                _ = try await one.signIn(as: oauth.admin.username)
                _ = try await one.get("/signin/code")
                waiting.append(one)
            }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for one in waiting {
                    group.addTask {
                        var one = one
                        return try await one.post("/signin/code", [("code", code)]).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 303 } == 1)
        }
    }

    @Test func `confirming a new second factor is as slow as signing in with one`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            _ = try await browser.get("/profile/second-factor")
            var statuses: [Int] = []
            for _ in 0..<7 {
                statuses.append(try await browser.post("/profile/second-factor", [("code", "000000")]).status)
            }
            #expect(statuses == [403, 403, 403, 403, 403, 429, 429])
            #expect(try await oauth.entries(.secondFactorAdded).count == 5)
        }
    }

    private func codes(_ page: TestOAuth.Answer) -> [String] {
        page.text.split(separator: "<li><code>").dropFirst().map { String($0.prefix { $0 != "<" }) }
    }

    @Test func `a recovery code signs in once, and new ones end the others`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let (secret, codes) = try await enrolled(&browser, oauth)
            #expect(codes.count == RecoveryCode.count && Set(codes).count == codes.count)
            #expect(try await browser.get("/profile").text.contains("10 recovery codes left"))
            var next = Browser(oauth)
            _ = try await next.signIn(as: oauth.admin.username)
            _ = try await next.get("/signin/code")
            // As somebody types it.
            let typed = codes[0].lowercased().replacing("-", with: " ")
            #expect(try await next.post("/signin/code", [("code", typed), ("return_to", "/profile")]).status == 303)
            #expect(try await next.get("/profile").text.contains("9 recovery codes left"))
            let started = try #require(try await oauth.entries(.sessionStarted).last)
            #expect(started["after"]?["second_factor"] == "recovery")
            var replay = Browser(oauth)
            _ = try await replay.signIn(as: oauth.admin.username)
            _ = try await replay.get("/signin/code")
            #expect(try await replay.post("/signin/code", [("code", codes[0])]).status == 403)
            // Another set, by a code of the app.
            oauth.fixture.clock.advance(by: .seconds(30))
            let code = secret.code(at: TimeCode.step(at: oauth.fixture.clock.now()))
            let fresh = self.codes(try await next.post("/profile/recovery-codes", [("code", code)]))
            #expect(fresh.count == RecoveryCode.count && Set(fresh).isDisjoint(with: codes))
            #expect(try await oauth.fixture.number("SELECT count(*) FROM recovery_codes") == RecoveryCode.count)
            #expect(try await replay.post("/signin/code", [("code", fresh[0])]).status == 303)
            let kept = try await oauth.fixture.text(
                "SELECT string_agg(encode(digest, 'escape'), ' ') FROM recovery_codes"
            )
            #expect(kept?.contains(fresh[1]) == false)
            #expect(try await oauth.entries(.recoveryCodesMade).count == 1)
        }
    }

    @Test func `of many who present the same recovery code at once one is signed in`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let (_, codes) = try await enrolled(&browser, oauth)
            var waiting: [Browser] = []
            for _ in 0..<4 {
                var one = Browser(oauth)
                _ = try await one.signIn(as: oauth.admin.username)
                _ = try await one.get("/signin/code")
                waiting.append(one)
            }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for one in waiting {
                    group.addTask {
                        var one = one
                        return try await one.post("/signin/code", [("code", codes[0])]).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 303 } == 1)
        }
    }

    @Test func `recovery codes are guessed as slowly, and are nobody else's`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let (_, codes) = try await enrolled(&browser, oauth)
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            try await oauth.setPassword(for: other.user)
            var second = Browser(oauth)
            _ = try await second.signIn(as: other.username)
            _ = try await second.get("/profile")
            _ = try await enrolled(&second, oauth)
            var guesser = Browser(oauth)
            _ = try await guesser.signIn(as: other.username)
            _ = try await guesser.get("/signin/code")
            var statuses: [Int] = []
            for code in codes.prefix(6) {
                statuses.append(try await guesser.post("/signin/code", [("code", code)]).status)
            }
            // One of five was spent on the enrolment.
            #expect(statuses == [403, 403, 403, 403, 429, 429])
        }
    }

    @Test func `codes are guessed slowly`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            _ = try await enrol(&browser, oauth)
            var guesser = Browser(oauth)
            _ = try await guesser.signIn(as: oauth.admin.username)
            _ = try await guesser.get("/signin/code")
            var statuses: [Int] = []
            for _ in 0..<6 { statuses.append(try await guesser.post("/signin/code", [("code", "000000")]).status) }
            // One of five was spent on the enrolment.
            #expect(statuses == [403, 403, 403, 403, 429, 429])
        }
    }
}
