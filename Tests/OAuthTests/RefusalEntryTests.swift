import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Invariant: who proved who they are, and is refused, has an entry of it that is committed before the answer.
@Suite struct `Entries of refusals` {
    private func refusals(_ action: ActionCode, in oauth: TestOAuth) async throws -> [JSON] {
        try await oauth.entries(action).filter { $0["outcome"] == "refused" }
    }

    private func link(in oauth: TestOAuth) async throws -> OpaqueSecret {
        let creation = ClaimLinkCreation(
            for: oauth.grant,
            by: oauth.admin.caller,
            oauth.fixture.attribution(of: oauth.admin),
            in: oauth.fixture.store
        )
        return try await oauth.fixture.store.perform(creation, in: oauth.organization.id).secret
    }

    // MARK: Secrets

    @Test func `a claim by somebody else, and one that is blocked, name the grant and who it was`() async throws {
        try await TestOAuth.with { oauth in
            let path = "/claim/" + (try await link(in: oauth)).reveal()
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            try await oauth.setPassword(for: other.user)
            var stranger = Browser(oauth, from: "192.0.2.77")
            _ = try await stranger.signIn(as: other.username)
            _ = try await stranger.get("/profile")
            #expect(try await stranger.post(path, []).status == 403)
            let first = try #require(try await refusals(.secretClaimed, in: oauth).last)
            #expect(first["reason"] == "not_custodian" && first["actor"]?["id"]?.string == other.user.description)
            #expect(first["target"]?["id"]?.string == oauth.grant.description && first["client_ip"] == "192.0.2.77")
            #expect(first["credential"]?["id"]?.string?.hasPrefix("ses_") == true)

            var browser = try await oauth.signedInBrowser()
            _ = try await oauth.fixture.owner.query(
                "UPDATE accounts SET claiming_blocked_until = now() + interval '1 hour'"
            )
            #expect(try await browser.post(path, []).status == 403)
            let second = try #require(try await refusals(.secretClaimed, in: oauth).last)
            #expect(second["reason"] == "claiming_blocked")
            #expect(second["actor"]?["id"]?.string == oauth.admin.user.description)
            #expect(try await oauth.fixture.number("SELECT count(*) FROM claim_links WHERE claimed_at IS NULL") == 1)
            #expect(try await refusals(.secretClaimed, in: oauth).count == 2)
        }
    }

    @Test func `who is signed in at another organization is told of here without a name`() async throws {
        try await TestOAuth.with { oauth in
            let secret = try await link(in: oauth)
            let globex = try await oauth.fixture.organization("globex")
            let theirs = try await oauth.fixture.securityAdmin(in: globex)
            let session = SessionCaller(
                organization: globex.id,
                organizationName: "Globex",
                user: theirs.user,
                role: .securityAdmin,
                username: theirs.username,
                person: nil,
                session: oauth.fixture.store.newID(),
                digestPrefix: "00000000",
                authenticatedAt: oauth.fixture.clock.now(),
                expiresAt: oauth.fixture.clock.now() + SessionTerms.absolute,
                hasSecondFactor: false,
                claimingBlockedUntil: nil
            )
            await #expect(throws: AccessRefusal.notCustodian) {
                try await oauth.fixture.store.claim(secret, from: .init(), by: session)
            }
            let entry = try #require(try await refusals(.secretClaimed, in: oauth).last)
            #expect(entry["actor"] == ["kind": "system", "id": "claim"] && entry["credential"] == .null)
            #expect(!entry.text.contains(theirs.user.description))
        }
    }

    @Test func `regenerating and registering keys while it is blocked, or for somebody else's grant`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let grant = "/profile/grants/\(oauth.grant)"
            let keys = [("jwks_url", "https://payroll.example/jwks.json")]
            _ = try await oauth.fixture.owner.query(
                "UPDATE accounts SET claiming_blocked_until = now() + interval '1 hour'"
            )
            let refused = try await browser.post(grant + "/regenerate", [("overlap", "none")])
            #expect(refused.status == 403 && refused.text.contains("Not before"))
            #expect(try await browser.post(grant + "/keys", keys).status == 403)
            #expect(try await refusals(.secretRegenerated, in: oauth).map { $0["reason"] } == ["claiming_blocked"])
            #expect(try await refusals(.grantKeysRegistered, in: oauth).map { $0["reason"] } == ["claiming_blocked"])

            _ = try await oauth.fixture.owner.query("UPDATE accounts SET claiming_blocked_until = NULL")
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            _ = try await oauth.fixture.owner.query(
                "UPDATE users SET custodian_id = \(other.user) WHERE id = \(oauth.user)"
            )
            #expect(try await browser.post(grant + "/regenerate", [("overlap", "none")]).status == 404)
            #expect(try await browser.post(grant + "/keys", keys).status == 404)
            #expect(try await refusals(.secretRegenerated, in: oauth).last?["reason"] == "not_found")
            #expect(try await refusals(.grantKeysRegistered, in: oauth).last?["reason"] == "not_found")
        }
    }

    // MARK: Tokens

    @Test func `a grant that asks for a resource that there is none of`() async throws {
        try await TestOAuth.with { oauth in
            #expect(try await oauth.token([("resource", "https://none.example")]).error == "invalid_target")
            let entry = try #require(try await refusals(.tokenIssued, in: oauth).last)
            #expect(entry["reason"] == "wrong_audience" && entry["actor"]?["id"]?.string == oauth.user.description)
        }
    }

    @Test func `an app that proved itself and is disabled, asks for another resource, or brings nothing good`()
        async throws
    {
        try await TestApp.with { app in
            let code = try await app.code()
            let unknown = OpaqueSecret.make(.code, using: app.oauth.fixture.randomness).reveal()
            #expect(try await app.exchange(code, ["resource": "https://none.example"]).error == "invalid_target")
            #expect(try await app.exchange(unknown).error == "invalid_grant")
            #expect(try await app.refresh("rcr_nothing").error == "invalid_grant")
            let reasons = try await refusals(.tokenIssued, in: app.oauth).map { $0["reason"]?.string }
            #expect(reasons == ["wrong_audience", "not_found", "invalid"])
            _ = try await app.oauth.fixture.owner.query("UPDATE apps SET status = 'disabled'")
            #expect(try await app.exchange(code).error == "unauthorized_client")
            let entry = try #require(try await refusals(.tokenIssued, in: app.oauth).last)
            #expect(entry["reason"] == "app_disabled" && entry["target"]?["id"]?.string == app.id.description)
            #expect(entry["client_ip"] == "192.0.2.10" && entry["actor"]?["kind"] == "system")
            // Whoever does not know the secret writes none.
            #expect(try await app.exchange(code, ["client_secret": "rcs_wrong"]).error == "invalid_client")
            #expect(try await refusals(.tokenIssued, in: app.oauth).count == 4)
        }
    }

    @Test func `an app without a secret fills no log`() async throws {
        try await TestApp.with(isConfidential: false) { app in
            _ = try await app.oauth.fixture.owner.query("UPDATE apps SET status = 'disabled'")
            #expect(try await app.exchange("rco_nothing").error == "unauthorized_client")
            #expect(try await refusals(.tokenIssued, in: app.oauth).isEmpty)
        }
    }

    @Test func `a code and a refresh token of a user whose epoch went on`() async throws {
        try await TestApp.with { app in
            let tokens = try await app.tokens()
            let code = try await app.code()
            _ = try await app.oauth.fixture.owner.query("UPDATE users SET epoch = epoch + 1")
            #expect(try await app.exchange(code).error == "invalid_grant")
            #expect(try await app.refresh(tokens.refresh).error == "invalid_grant")
            let told = try await refusals(.tokenIssued, in: app.oauth)
            #expect(told.map { $0["reason"] } == ["superseded", "superseded"])
            #expect(told.map { $0["target"]?["kind"] } == ["authorization", "token"])
            #expect(told.allSatisfy { $0["actor"]?["id"]?.string == app.oauth.admin.user.description })
        }
    }

    // MARK: Sessions

    @Test func `a session that is superseded, and those that another took the place of`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let first = try #require(try await oauth.entries(.sessionStarted).last?["target"]?["id"])
            #expect(try await browser.signIn(as: oauth.admin.username).status == 303)
            let ended = try await oauth.entries(.sessionEnded)
            #expect(ended.count == 1 && ended[0]["reason"] == "replaced" && ended[0]["target"]?["id"] == first)
            #expect(ended[0]["after"]?["user"]?.string == oauth.admin.user.description)

            let store = oauth.fixture.store
            let account = try #require(
                try await store.read(as: oauth.organization.id) { try await $0.account(of: oauth.admin.user) }
            )
            _ = try await oauth.fixture.owner.query("UPDATE users SET epoch = epoch + 1")
            let start = SessionStart(
                of: account,
                replacing: nil,
                from: .init(address: IPAddress("192.0.2.10")),
                receivedAt: oauth.fixture.clock.now(),
                in: store
            )
            await #expect(throws: AccessRefusal.superseded) {
                try await store.perform(start, in: oauth.organization.id)
            }
            let entry = try #require(try await refusals(.sessionStarted, in: oauth).last)
            #expect(entry["reason"] == "superseded" && entry["credential"] == .null)
        }
    }

    @Test func `the oldest of too many sessions ends with an entry`() async throws {
        try await TestOAuth.with { oauth in
            try await oauth.setPassword(for: oauth.admin.user)
            for place in 0...SessionTerms.mostOpen {
                var browser = Browser(oauth, from: "192.0.2.\(place + 1)")
                #expect(try await browser.signIn(as: oauth.admin.username).status == 303)
            }
            let started = try await oauth.entries(.sessionStarted)
            let ended = try await oauth.entries(.sessionEnded)
            #expect(ended.map { $0["target"]?["id"] } == [started.first?["target"]?["id"]])
        }
    }

    @Test func `a code for a sign-in that waits no longer`() async throws {
        try await TestOAuth.with { oauth in
            let (store, organization) = (oauth.fixture.store, oauth.organization.id)
            try await oauth.setPassword(for: oauth.admin.user)
            let secret = try await oauth.secondFactor(of: oauth.admin.user)
            let account = try #require(
                try await store.read(as: organization) { try await $0.account(of: oauth.admin.user) }
            )
            let origin = Attribution.Origin(address: IPAddress("192.0.2.10"))
            func begin() async throws -> SessionCaller {
                let start = SessionStart(
                    of: account,
                    replacing: nil,
                    from: origin,
                    receivedAt: oauth.fixture.clock.now(),
                    in: store
                )
                let started = try await store.perform(start, in: organization)
                return try #require(try await store.sessionWaiting(of: started.secret))
            }
            func complete(_ waiting: SessionCaller) async throws {
                oauth.fixture.clock.advance(by: .seconds(30))
                let completion = SessionCompletion(
                    of: waiting,
                    code: secret.code(at: TimeCode.step(at: oauth.fixture.clock.now())),
                    from: origin,
                    receivedAt: oauth.fixture.clock.now(),
                    in: store
                )
                _ = try await store.perform(completion, in: organization)
            }
            let gone = try await begin()
            _ = try await oauth.fixture.owner.query("UPDATE sessions SET ended_at = now()")
            await #expect(throws: AccessRefusal.superseded) { try await complete(gone) }
            #expect(try await refusals(.sessionStarted, in: oauth).map { $0["reason"] } == ["superseded"])
            #expect(try await oauth.entries(.sessionEnded).isEmpty)
            // One that does wait ends with the sign-in that it became.
            let waiting = try await begin()
            try await complete(waiting)
            let ended = try await oauth.entries(.sessionEnded)
            #expect(ended.map { $0["target"]?["id"]?.string } == [waiting.session.description])
        }
    }
}

extension TestOAuth {
    /// Gives that member an authenticator app.
    func secondFactor(of user: UserID) async throws -> TimeCode {
        let secret = fixture.randomness.bytes(TimeCode.secretBytes)
        let place = SealedPlace(
            organization: organization.id,
            row: user.description,
            field: "accounts.totp"
        )
        let sealed = try fixture.keyring.seal(secret, for: place, using: fixture.randomness)
        _ = try await fixture.owner.query(
            "UPDATE accounts SET totp_secret = \(sealed), totp_confirmed_at = now() WHERE user_id = \(user)"
        )
        return TimeCode(secret: secret)
    }
}
