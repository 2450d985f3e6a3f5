import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Letting an app act` {
    @Test func `a consent leads back with code, state and issuer, and the code buys tokens`() async throws {
        try await TestApp.with { app in
            let page = try await app.ask()
            #expect(page.status == 200 && page.text.contains("Org chart") && page.text.contains("app.example"))
            #expect(page.text.contains("people:read") && !page.text.contains("users:read"))
            #expect(page.fields[.contentSecurityPolicy]?.contains("form-action 'self' https://app.example") == true)
            let answer = try await app.approve()
            #expect(answer.status == 303 && answer.location.hasPrefix(TestApp.redirect + "?code=rco_"))
            #expect(answer.member("state") == "xyz &=" && answer.member("iss") == TestOAuth.issuer)
            let tokens = try await app.exchange(try #require(answer.member("code")))
            #expect(tokens.status == 200 && tokens.fields[.cacheControl] == "no-store")
            #expect(tokens.body["scope"] == "people:read" && tokens.body["expires_in"] == 3600)
            #expect(tokens.body["token_type"] == "Bearer")
            let info = try await app.userInfo(try #require(tokens.body["access_token"]?.string))
            #expect(info.status == 200 && info.body["sub"]?.string == app.oauth.admin.user.description)
            #expect(try await app.oauth.entries(.authorizationApproved).count == 1)
            let introspected = try await app.oauth.form(
                "/oauth/introspect",
                [("token", tokens.body["access_token"]?.string ?? "")],
                basic: app.oauth.basic
            )
            #expect(introspected.body["active"] == true && introspected.body["client_id"]?.string == app.id.description)
        }
    }

    @Test func `a scope of the organization's own is shown in its own words, and given by who may`() async throws {
        try await TestApp.with { app in
            let oauth = app.oauth
            let scope = try #require(Scope("invoices:read"))
            let creation = ScopeCreation(
                scope,
                opens: "Read every invoice <ever>",
                by: oauth.admin.caller,
                oauth.fixture.attribution(of: oauth.admin)
            )
            _ = try await oauth.fixture.store.perform(creation, in: oauth.organization.id)
            _ = try await oauth.fixture.owner.query("UPDATE apps SET scopes = '{invoices:read,people:read}'")
            let changes = ["scope": "invoices:read people:read"]
            #expect(try await app.ask(changes).text.contains("Read every invoice &lt;ever&gt;"))
            let tokens = try await app.exchange(try await app.code(changes))
            #expect(tokens.body["scope"] == "invoices:read people:read")
        }
    }

    @Test func `whoever is not signed in signs in first, and comes back to the request`() async throws {
        try await TestApp.with { app in
            var stranger = Browser(app.oauth)
            let path = "/oauth/authorize?" + app.query()
            let answer = try await stranger.get(path)
            #expect(answer.status == 303 && answer.location.hasPrefix("/signin?return_to=%2Foauth%2Fauthorize%3F"))
            #expect(answer.location.hasSuffix("&organization=acme"))
            let signedIn = try await stranger.signIn(as: app.oauth.admin.username, returnTo: path)
            #expect(signedIn.location == path)
            #expect(try await stranger.get(signedIn.location).status == 200)
        }
    }

    @Test(arguments: [
        "https://app.example/callback/", "https://app.example/Callback", "https://app.example/callback?next=evil",
        "https://app.example.evil.example/callback", "https://app.example@evil.example/callback",
        "https://app.example/callback#x", "https://app.example/%63allback", "https://evil.example/callback",
        "https://app.example/callback/../evil", "http://app.example/callback", "//app.example/callback",
        "https://app.example:443/callback", "javascript:alert(1)", "http://127.0.0.1/callback",
    ])
    func `nothing is sent to an address that is not registered`(redirect: String) async throws {
        try await TestApp.with { app in
            for answer in [
                try await app.ask(["redirect_uri": redirect]), try await app.approve(["redirect_uri": redirect]),
                // Nor when something else is wrong too.
                try await app.ask(["redirect_uri": redirect, "response_type": "token"]),
            ] { #expect(answer.status == 400 && answer.fields[.location] == nil) }
            var stranger = Browser(app.oauth)
            let asked = try await stranger.get("/oauth/authorize?" + app.query(["redirect_uri": redirect]))
            #expect(asked.status == 400 && asked.fields[.location] == nil)
        }
    }

    @Test func `an unknown, disabled or deleted app is told to nobody but the browser`() async throws {
        try await TestApp.with { app in
            let unknown = AppID.make(at: app.oauth.fixture.clock.now(), using: app.oauth.fixture.randomness)
            for id in [unknown.description, "app_nonsense", app.oauth.grant.description, ""] {
                let answer = try await app.ask(["client_id": id])
                #expect(answer.status == 400 && answer.fields[.location] == nil)
                #expect(answer.text.contains("invalid_client_id"))
            }
            for status in [AppStatus.disabled, .ended] {
                let change = AppStateChange(
                    of: app.id,
                    to: status,
                    by: app.oauth.fixture.attribution(of: app.oauth.admin)
                )
                _ = try await app.oauth.fixture.store.perform(change, in: app.oauth.organization.id)
                #expect(try await app.ask().status == 400)
            }
        }
    }

    @Test func `a parameter that stands twice is believed in neither way`() async throws {
        try await TestApp.with { app in
            for extra in ["redirect_uri=https%3A%2F%2Fevil.example", "client_id=x", "state=2", "scope=mcp"] {
                let answer = try await app.browser.get("/oauth/authorize?" + app.query() + "&" + extra)
                #expect(answer.status == 400 && answer.fields[.location] == nil)
            }
            #expect(try await app.browser.get("/oauth/authorize?client_id=%zz").status == 400)
        }
    }

    @Test(
        arguments: [
            (["response_type": "token"], "unsupported_response_type"),
            (["response_type": "json_code"], "unsupported_response_type"),
            (["response_type": nil], "invalid_request"), (["code_challenge": nil], "invalid_request"),
            (["code_challenge_method": "plain"], "invalid_request"),
            (["code_challenge_method": nil], "invalid_request"),
            (["code_challenge": "short"], "invalid_request"), (["scope": "nonsense scope"], "invalid_scope"),
            (["scope": "grants:write"], "invalid_scope"), (["scope": "people:read,users:read"], "invalid_scope"),
            (["scope": "all"], "invalid_scope"), (["resource": "https://other.example"], "invalid_target"),
            (["resource": "https://rollcall.example/v1#x"], "invalid_target"),
            (["response_mode": "fragment"], "invalid_request"),
        ] as [([String: String?], String)]
    )
    func `what is wrong with a request is told to its app, with state and issuer`(
        changes: [String: String?],
        error: String
    ) async throws {
        try await TestApp.with { app in
            for answer in [try await app.ask(changes), try await app.approve(changes)] {
                #expect(answer.status == 303 && answer.location.hasPrefix(TestApp.redirect + "?error="))
                #expect(answer.member("error") == error && answer.member("state") == "xyz &=")
                #expect(answer.member("iss") == TestOAuth.issuer && answer.member("code") == nil)
            }
        }
    }

    @Test func `no consent is given by another site, another session, or nobody`() async throws {
        try await TestApp.with { app in
            _ = try await app.ask()
            let members = [("request", app.query()), ("decision", "approve")]
            for origin in ["https://evil.example", "null", nil] {
                let answer = try await app.browser.post("/oauth/authorize", members, origin: origin)
                #expect(answer.status == 403 && answer.fields[.location] == nil)
            }
            let forged = try await app.browser.post("/oauth/authorize", members + [("form_token", "AAAA")])
            #expect(forged.status == 403)
            var stranger = Browser(app.oauth)
            #expect(try await stranger.post("/oauth/authorize", members).location == "/signin")
            let denied = try await app.browser.post(
                "/oauth/authorize",
                [("request", app.query()), ("decision", "deny")]
            )
            #expect(denied.member("error") == "access_denied" && denied.member("iss") == TestOAuth.issuer)
            #expect(try await app.oauth.fixture.number("SELECT count(*) FROM authorization_codes") == 0)
            #expect(try await app.oauth.entries(.authorizationDenied).count == 1)
        }
    }

    @Test func `a native app has any port of its loopback address, and no secret`() async throws {
        try await TestApp.with(redirects: ["http://127.0.0.1/callback"], isConfidential: false) { app in
            let redirect = "http://127.0.0.1:51004/callback"
            let code = try await app.code(["redirect_uri": redirect])
            #expect(
                try await app.exchange(code, ["redirect_uri": "http://127.0.0.1:51005/callback"]).error
                    == "invalid_grant"
            )
            #expect(
                try await app.exchange(code, ["redirect_uri": redirect, "code_verifier": nil]).error == "invalid_grant"
            )
            #expect(try await app.exchange(code, ["redirect_uri": redirect]).status == 200)
        }
    }

    @Test func `a member of another organization is asked nothing`() async throws {
        try await TestApp.with { app in
            let other = try await app.oauth.fixture.organization("globex")
            let made = try await app.oauth.fixture.securityAdmin(in: other)
            let terms = AppTerms(
                name: "Other",
                description: "",
                contactEmail: try #require(ContactEmail("a@b")),
                redirects: [try #require(RedirectURI(TestApp.redirect))],
                scopes: .all,
                isLegacy: false,
                accessLifetime: AppTerms.standardLifetime
            )
            let foreign = try await app.oauth.fixture.store.perform(
                AppCreation(
                    terms,
                    isConfidential: true,
                    by: app.oauth.fixture.attribution(of: made),
                    in: app.oauth.fixture.store
                ),
                in: other.id
            )
            let answer = try await app.approve(["client_id": foreign.app.id.description])
            #expect(answer.status == 403 && answer.fields[.location] == nil)
        }
    }

    @Test func `the metadata names what is there, under one issuer`() async throws {
        try await TestOAuth.with { oauth in
            let server = try await oauth.send(.get, "/.well-known/oauth-authorization-server").body
            #expect(server["issuer"]?.string == TestOAuth.issuer)
            #expect(server["code_challenge_methods_supported"] == ["S256"])
            #expect(server["authorization_response_iss_parameter_supported"] == true)
            for (path, resource) in [("", TestOAuth.issuer), ("/v1", TestOAuth.issuer + "/v1")] {
                let metadata = try await oauth.send(.get, "/.well-known/oauth-protected-resource" + path).body
                #expect(metadata["resource"]?.string == resource)
                #expect(metadata["authorization_servers"] == [.string(TestOAuth.issuer)])
            }
        }
    }
}
