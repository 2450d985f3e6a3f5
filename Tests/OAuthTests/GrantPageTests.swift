import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Grants in one's keeping` {
    private func secret(in page: TestOAuth.Answer) throws -> OpaqueSecret {
        let start = try #require(page.text.firstRange(of: "rcs_"))
        return try #require(OpaqueSecret(String(page.text[start.lowerBound...].prefix(OpaqueSecret.length))))
    }

    private func works(_ secret: OpaqueSecret, in oauth: TestOAuth) async throws -> Bool {
        let client = try #require(try await oauth.fixture.store.client(oauth.grant))
        return oauth.fixture.store.isSecret(secret, of: client)
    }

    @Test func `the custodian sees their grants without a secret, and regenerates one, shown once`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            let page = try await browser.get("/profile/grants")
            #expect(page.status == 200 && page.text.contains(oauth.grant.description))
            #expect(!page.text.contains("rcs_") && !page.text.contains("{{"))
            let path = "/profile/grants/\(oauth.grant)/regenerate"
            let made = try await browser.post(path, [("overlap", "P7D")])
            #expect(made.status == 200 && made.fields[.cacheControl] == "no-store")
            let fresh = try secret(in: made)
            #expect(try await works(fresh, in: oauth))
            #expect(try await works(oauth.secret, in: oauth))
            #expect(try await !browser.get("/profile/grants").text.contains("rcs_"))
            let entry = try #require(try await oauth.entries(.secretRegenerated).last)
            #expect(entry["credential"]?["id"]?.string?.hasPrefix("ses_") ?? false)
            #expect(entry["after"]?["overlap"] == "P7D")
            // Another one would end the one before, and says so first.
            let asked = try await browser.post(path, [("overlap", "PT1H")])
            #expect(asked.status == 409 && asked.text.contains("still works"))
            #expect(try await works(oauth.secret, in: oauth))
            let value = try #require(asked.hidden("confirmation"))
            let confirmed = try await browser.post(path, [("overlap", "PT1H"), ("confirmation", value)])
            #expect(confirmed.status == 200)
            #expect(try await !works(oauth.secret, in: oauth))
        }
    }

    @Test func `the custodian ends the former secret now, with what it bought, and nobody else does`() async throws {
        try await TestOAuth.with { oauth in
            let bought = try await oauth.accessToken()
            let asked = HTTPFields(dictionaryLiteral: (.authorization, "Bearer " + bought))
            var browser = try await oauth.signedInBrowser()
            let regenerate = "/profile/grants/\(oauth.grant)/regenerate"
            let fresh = try secret(in: try await browser.post(regenerate, [("overlap", "P7D")]))
            let page = try await browser.get("/profile/grants").text
            let button = try #require(page.firstRange(of: "End the former secret now"))
            let form = try #require(page[..<button.lowerBound].ranges(of: "/profile/grants/").last)
            let path = String(page[form.lowerBound...].prefix { $0 != "\"" })
            #expect(path.hasSuffix("/end") && path.contains("/secrets/sec_"))

            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            try await oauth.setPassword(for: other.user)
            var stranger = Browser(oauth)
            _ = try await stranger.signIn(as: other.username)
            _ = try await stranger.get("/profile")
            #expect(try await stranger.post(path, []).status == 404)
            #expect(try await browser.post(path, [], origin: "https://evil.example").status == 403)
            #expect(try await works(oauth.secret, in: oauth))
            #expect(try await oauth.send(.get, "/oauth/userinfo", fields: asked).status == 200)

            // Also while nothing may be claimed: who ends something takes nothing.
            _ = try await oauth.fixture.owner.query(
                "UPDATE accounts SET claiming_blocked_until = now() + interval '1 hour'"
            )
            let ended = try await browser.post(path, [])
            #expect(ended.status == 200 && ended.text.contains("The secret has ended"))
            #expect(try await !works(oauth.secret, in: oauth))
            #expect(try await works(fresh, in: oauth))
            #expect(try await oauth.send(.get, "/oauth/userinfo", fields: asked).status == 401)
            #expect(try await browser.post(path, []).status == 404)
            let told = try await oauth.entries(.secretEnded)
            #expect(told.map { $0["outcome"] } == ["refused", "done", "refused"])
            #expect(told[1]["authority"] == ["kind": "custodian"])
            #expect(told[1]["actor"]?["id"]?.string == oauth.admin.user.description)
        }
    }

    @Test func `nobody else does, not by another's form, not from another site, not without a session`() async throws {
        try await TestOAuth.with { oauth in
            let path = "/profile/grants/\(oauth.grant)/regenerate"
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            try await oauth.setPassword(for: other.user)
            var stranger = Browser(oauth)
            _ = try await stranger.signIn(as: other.username)
            #expect(try await !stranger.get("/profile/grants").text.contains(oauth.grant.description))
            _ = try await stranger.get("/profile")
            #expect(try await stranger.post(path, [("overlap", "none")]).status == 404)
            var browser = try await oauth.signedInBrowser()
            #expect(try await browser.post(path, [("overlap", "none")], origin: "https://evil.example").status == 403)
            #expect(try await browser.post(path, [("overlap", "none"), ("form_token", "x")]).status == 403)
            #expect(try await browser.post(path, [("overlap", "P1Y")]).status == 404)
            var nobody = Browser(oauth)
            #expect(try await nobody.post(path, [("overlap", "none")]).status == 303)
            #expect(try await works(oauth.secret, in: oauth))
            #expect(try await oauth.entries(.secretRegenerated).allSatisfy { $0["outcome"] == "refused" })
        }
    }

    @Test func `after a replaced password nothing is regenerated or claimed for a day`() async throws {
        try await TestOAuth.with { oauth in
            var browser = try await oauth.signedInBrowser()
            _ = try await oauth.fixture.owner.query(
                "UPDATE accounts SET claiming_blocked_until = now() + interval '1 hour'"
            )
            let path = "/profile/grants/\(oauth.grant)/regenerate"
            let refused = try await browser.post(path, [("overlap", "none")])
            #expect(refused.status == 403 && !refused.text.contains("rcs_"))
            // The change itself asks too.
            let regeneration = SecretRegeneration(
                of: oauth.grant,
                overlap: .none,
                custodian: oauth.admin.user,
                by: oauth.fixture.attribution(of: oauth.admin),
                in: oauth.fixture.store
            )
            await #expect(throws: AccessRefusal.claimingBlocked) {
                try await oauth.fixture.store.perform(regeneration, in: oauth.organization.id)
            }
            #expect(try await works(oauth.secret, in: oauth))
        }
    }

    @Test func `a link is claimed by the signed-in custodian alone`() async throws {
        try await TestOAuth.with { oauth in
            let creation = ClaimLinkCreation(
                for: oauth.grant,
                by: oauth.admin.caller,
                oauth.fixture.attribution(of: oauth.admin),
                in: oauth.fixture.store
            )
            let link = try await oauth.fixture.store.perform(creation, in: oauth.organization.id)
            let path = "/claim/" + link.secret.reveal()
            var browser = try await oauth.signedInBrowser()
            #expect(try await oauth.send(.post, path).status == 401)
            var nobody = Browser(oauth)
            let led = try await nobody.post(path, [])
            #expect(led.status == 303 && led.location.hasPrefix("/signin?return_to=%2Fclaim%2F"))
            let other = try await oauth.fixture.member(
                .securityAdmin,
                in: oauth.organization,
                username: "o@acme.example"
            )
            try await oauth.setPassword(for: other.user)
            var stranger = Browser(oauth)
            _ = try await stranger.signIn(as: other.username)
            _ = try await stranger.get("/profile")
            #expect(try await stranger.post(path, []).status == 403)
            let shown = try await browser.get(path)
            #expect(shown.status == 200 && shown.hidden("form_token") != nil)
            #expect(try await browser.post(path, [("form_token", "x")]).status == 403)
            let claimed = try await browser.post(path, [])
            #expect(claimed.status == 200)
            #expect(try await works(try secret(in: claimed), in: oauth))
            let entry = try #require(try await oauth.entries(.secretClaimed).last)
            #expect(entry["credential"]?["id"]?.string?.hasPrefix("ses_") ?? false)
        }
    }
}
