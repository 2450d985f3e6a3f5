import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Clients that belong to no organization, by the example of the program's own command line (RFC 8252).
@Suite struct `Clients that no admin registered` {
    private static let redirect = "http://127.0.0.1:40123/callback"
    private static let asked: [String: String?] = ["client_id": "rollcall-cli", "redirect_uri": redirect]

    private func exchange(
        _ app: TestApp,
        _ code: String,
        _ changes: [String: String?] = [:]
    ) async throws
        -> TestOAuth.Answer
    {
        var all: [String: String?] = [
            "client_id": "rollcall-cli", "client_secret": nil, "redirect_uri": Self.redirect,
        ]
        for (name, value) in changes { all[name] = value }
        return try await app.exchange(code, all)
    }

    private func refresh(
        _ app: TestApp,
        _ token: String,
        _ client: String = "rollcall-cli"
    ) async throws
        -> TestOAuth.Answer
    {
        try await app.oauth.form(
            "/oauth/token",
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)]
        )
    }

    @Test func `the command line is let in, refreshes, ends, and is an app of the organization`() async throws {
        try await TestApp.with { app in
            let page = try await app.ask(Self.asked)
            #expect(page.status == 200 && page.text.contains("The rollcall command line"))
            #expect(page.text.contains("Allow this only if you started it yourself"))
            #expect(!page.text.contains("client.invalid"))
            let issued = try await exchange(app, try await app.code(Self.asked))
            let access = try #require(issued.body["access_token"]?.string)
            #expect(try await app.oauth.userInfo(access) == 200)
            let introspected = try await app.oauth.introspect(access, by: app.oauth.admin)
            #expect(introspected["client_id"] == "rollcall-cli")
            let next = try await refresh(app, issued.body["refresh_token"]?.string ?? "")
            let newest = try #require(next.body["refresh_token"]?.string)
            let made = try await app.oauth.entries(.appCreated).filter { $0["after"]?["origin"] == "built_in" }
            #expect(made.count == 1 && made.first?["after"]?["client_id"] == "rollcall-cli")
            _ = try await app.code(Self.asked)
            #expect(try await app.oauth.entries(.appCreated).count == 2, "and is one app, however often it is let in")
            let revocation = [("token", newest), ("client_id", "rollcall-cli")]
            #expect(try await app.oauth.form("/oauth/revoke", revocation).status == 200)
            #expect(try await app.oauth.userInfo(access) == 401)
            #expect(try await refresh(app, newest).error == "invalid_grant")
            #expect(try await app.oauth.form("/oauth/revoke", revocation).status == 200)
        }
    }

    @Test func `the port of loopback is free, and nothing else is`() async throws {
        try await TestApp.with { app in
            for good in ["http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback"]
            {
                #expect(
                    try await app.ask(["client_id": "rollcall-cli", "redirect_uri": good]).status == 200,
                    "\(good)"
                )
            }
            for bad in [
                "http://localhost:40123/callback", "http://127.0.0.2:40123/callback", "http://[::1]:40123/callback",
                "https://127.0.0.1:40123/callback", "http://127.0.0.1:40123/callback/",
                "http://127.0.0.1:40123/Callback",
                "http://127.0.0.1:40123/callback?x=1", "http://127.0.0.1:40123/other", "http://127.0.0.1:0/callback",
                "http://u@127.0.0.1:40123/callback", "http://127.0.0.1:40123@evil.example/callback",
                "http://127.0.0.1.evil.example/callback", "https://app.example/callback",
            ] {
                let answer = try await app.ask(["client_id": "rollcall-cli", "redirect_uri": bad])
                #expect(answer.status == 400 && answer.location.isEmpty, "\(bad)")
            }
            // The port that the code was sent to is the one that it is exchanged with.
            let code = try await app.code(Self.asked)
            let other = try await exchange(app, code, ["redirect_uri": "http://127.0.0.1:40124/callback"])
            #expect(other.error == "invalid_grant")
            #expect(try await exchange(app, code).status == 200)
        }
    }

    @Test func `nobody else uses its codes and tokens, and it nobody else's`() async throws {
        try await TestApp.with { app in
            let code = try await app.code(Self.asked)
            #expect(try await app.exchange(code, ["redirect_uri": Self.redirect]).error == "invalid_grant")
            #expect(try await exchange(app, code, ["code_verifier": nil]).error == "invalid_grant")
            let own = try await app.oauth.fixture.owner.query(
                "SELECT id FROM apps WHERE client_name IS NOT NULL"
            )[0].decode("id", as: AppID.self)
            #expect(try await exchange(app, code, ["client_id": own.description]).error == "invalid_client")
            #expect(try await app.ask(["client_id": own.description, "redirect_uri": Self.redirect]).status == 400)
            let issued = try await exchange(app, code)
            #expect(issued.status == 200)
            let theirs = try await app.tokens()
            #expect(try await refresh(app, theirs.refresh).error == "invalid_grant")
            #expect(try await refresh(app, issued.body["refresh_token"]?.string ?? "", "rollcall-CLI").status >= 400)
            #expect(try await refresh(app, "rcr_nothing").error == "invalid_grant")
            #expect(
                try await app.ask(["client_id": "rollcall-cli", "redirect_uri": Self.redirect, "code_challenge": nil])
                    .status == 303
            )
        }
    }

    @Test func `an admin stops it, and deletes it for good`() async throws {
        try await TestApp.with { app in
            let issued = try await exchange(app, try await app.code(Self.asked))
            let access = try #require(issued.body["access_token"]?.string)
            let code = try await app.code(Self.asked)
            let own = try await app.oauth.fixture.owner.query(
                "SELECT id FROM apps WHERE client_name IS NOT NULL"
            )[0].decode("id", as: AppID.self)
            let attribution = app.oauth.fixture.attribution(of: app.oauth.admin)
            for status in [AppStatus.disabled, .ended] {
                let change = AppStateChange(of: own, to: status, by: attribution)
                _ = try await app.oauth.fixture.store.perform(change, in: app.oauth.organization.id)
                #expect(try await app.oauth.userInfo(access) == 401)
                #expect(try await app.ask(Self.asked).status == 400)
                #expect(try await exchange(app, code).status == 400)
                #expect(try await refresh(app, issued.body["refresh_token"]?.string ?? "").status == 400)
            }
        }
    }
}
