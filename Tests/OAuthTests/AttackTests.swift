import Domain
import Edge
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// What somebody tries who knows the protocols: each at the door, with what is good elsewhere.
@Suite struct `Attacks on the authorization server` {
    // MARK: One thing in place of another

    @Test func `a secret of one kind is good in no other's place`() async throws {
        try await TestApp.with { app in
            let oauth = app.oauth
            let code = try await app.code()
            let tokens = try await app.tokens()
            let link = try await oauth.fixture.store.perform(
                ClaimLinkCreation(
                    for: oauth.grant,
                    by: oauth.admin.caller,
                    oauth.fixture.attribution(of: oauth.admin),
                    in: oauth.fixture.store
                ),
                in: oauth.organization.id
            )
            let session = try #require(app.browser.cookie?.split(separator: "=").last).description
            let access = try await oauth.accessToken()
            let others = [
                ("code", code), ("refresh", tokens.refresh), ("client secret", oauth.secret.reveal()),
                ("app secret", app.secret?.reveal() ?? ""), ("claim link", link.secret.reveal()), ("session", session),
            ]
            for (name, text) in others {
                #expect(try await app.userInfo(text).status == 401, "\(name) as a bearer token")
                let inactive = try await oauth.form("/oauth/introspect", [("token", text)], basic: oauth.basic)
                #expect(inactive.body == ["active": false], "\(name) introspected")
            }
            for (name, text) in others + [("access", tokens.access), ("grant's access", access)] {
                if name != "refresh" {
                    #expect(try await app.refresh(text).error == "invalid_grant", "\(name) as a refresh token")
                }
                if name != "code" {
                    #expect(try await app.exchange(text).error == "invalid_grant", "\(name) as a code")
                }
                if name != "client secret" {
                    let answer = try await oauth.form(
                        "/oauth/token",
                        [("grant_type", "client_credentials")],
                        basic: (oauth.grant.description, text)
                    )
                    #expect(answer.status == 401 && answer.error == "invalid_client", "\(name) as a client secret")
                }
                if name != "app secret" {
                    #expect(try await app.exchange(code, ["client_secret": text]).error == "invalid_client", "\(name)")
                }
            }
            // None of that used anything up.
            #expect(try await app.exchange(code).status == 200)
            #expect(try await app.refresh(tokens.refresh).status == 200)
        }
    }

    @Test func `a grant takes no code, and an app no credentials of its own`() async throws {
        try await TestApp.with { app in
            let code = try await app.code()
            let tokens = try await app.tokens()
            let foreign = [("client_id", app.oauth.grant.description), ("client_secret", app.oauth.secret.reveal())]
            for members in [
                [
                    ("grant_type", "authorization_code"), ("code", code),
                    ("redirect_uri", TestApp.redirect.formEncoded),
                    ("code_verifier", TestApp.verifier),
                ],
                [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh)],
            ] {
                let answer = try await app.oauth.form("/oauth/token", members + foreign)
                #expect((400...401).contains(answer.status) && answer.body["access_token"] == nil)
            }
            let own = try await app.oauth.form("/oauth/token", [("grant_type", "client_credentials")] + app.credentials)
            #expect((400...401).contains(own.status) && own.body["access_token"] == nil)
            #expect(try await app.exchange(code).status == 200)
        }
    }

    @Test func `a token for another resource is good for nothing here, and cannot be made one that is`() async throws {
        try await TestApp.with { app in
            let tokens = try await app.tokens()
            #expect(try await app.userInfo(tokens.access).status == 200)
            let other = "https://api.acme.example"
            _ = try await app.oauth.fixture.owner.pipeline([
                """
                INSERT INTO resources (organization_id, id, identifier, name, token_format, is_own, created_by, created_at)
                SELECT organization_id, gen_random_uuid(), \(other), 'API', 'opaque', false, id, now() FROM users
                WHERE id = \(app.oauth.admin.user)
                """,
                "UPDATE tokens SET audience = \(other) WHERE family_id IS NOT NULL",
            ])
            #expect(try await app.userInfo(tokens.access).status == 401)
            for resource in [TestOAuth.issuer, TestOAuth.issuer + "/v1", "https://elsewhere.example"] {
                #expect(try await app.refresh(tokens.refresh, [("resource", resource)]).error == "invalid_target")
            }
            let next = try #require(try await app.refresh(tokens.refresh).body["access_token"]?.string)
            #expect(try await app.userInfo(next).status == 401)
        }
    }

    // MARK: Where a token may stand

    @Test func `a token in an address or a form is no token`() async throws {
        try await TestOAuth.with { oauth in
            let token = try await oauth.accessToken()
            let asked = try await oauth.send(.get, "/oauth/userinfo?access_token=" + token)
            let metadata = TestOAuth.issuer + "/.well-known/oauth-protected-resource"
            #expect(asked.status == 401)
            #expect(asked.fields[.wwwAuthenticate] == "Bearer resource_metadata=\"\(metadata)\"")
            #expect(try await oauth.send(.get, "/.well-known/oauth-protected-resource").status == 200)
            #expect(try await oauth.form("/oauth/userinfo", [("access_token", token)]).status == 401)
            for path in ["/oauth/introspect", "/oauth/revoke"] {
                let answer = try await oauth.form("\(path)?token=\(token)", [("token", token)], basic: oauth.basic)
                #expect(answer.status == 400 && answer.error == "invalid_request")
            }
            for bearer in ["Bearer \(token), Bearer \(token)", "Bearer  \(token) x", "Token \(token)", "Bearer"] {
                #expect(try await oauth.form("/oauth/userinfo", [], bearer: bearer).status == 401, "\(bearer)")
            }
            var twice: HTTPFields = [.authorization: "Bearer \(token)"]
            twice.append(HTTPField(name: .authorization, value: "Bearer \(token)"))
            #expect((400...401).contains(try await oauth.send(.get, "/oauth/userinfo", fields: twice).status))
            #expect(try await oauth.form("/oauth/userinfo", [], bearer: "Bearer \(token)").status == 200)
        }
    }

    // MARK: Parameters

    @Test func `a parameter that stands twice is refused wherever a form is taken`() async throws {
        try await TestOAuth.with { oauth in
            let token = try await oauth.accessToken()
            let type = ("grant_type", "client_credentials")
            for (path, members) in [
                ("/oauth/token", [type] + oauth.posted + [("scope", "people:read"), ("scope", "people:read.self")]),
                ("/oauth/token", [type] + oauth.posted + [("client_secret", "x")]),
                ("/oauth/token", [type] + oauth.posted + [("client_id", "x")]),
                ("/oauth/introspect", oauth.posted + [("token", token), ("token", token)]),
                ("/oauth/revoke", oauth.posted + [("token", token), ("token", "rca_x")]),
            ] {
                let answer = try await oauth.form(path, members)
                #expect(answer.status == 400 && answer.error == "invalid_request", "\(path)")
            }
            #expect(try await oauth.form("/oauth/userinfo", [], bearer: "Bearer \(token)").status == 200)
        }
    }

    static let oddities = [
        String(repeating: "a", count: 2_000), String(repeating: "people:read ", count: 600), "\u{0}",
        "a\r\nSet-Cookie: a=b",
        "\u{202E}gnp", "{\"a\":1}", "'; DROP TABLE tokens; --", "../../../etc/passwd", "\u{FFFF}", "{{7*7}}",
    ]

    @Test(arguments: oddities)
    func `an odd parameter is refused in the protocol's form, never a fault, and leads nowhere else`(
        odd: String
    ) async throws {
        try await TestApp.with { app in
            for name in ["response_type", "client_id", "redirect_uri", "scope", "code_challenge", "resource", "nonce"] {
                for answer in [try await app.ask([name: odd]), try await app.approve([name: odd])] {
                    #expect(answer.status < 500, "\(name)")
                    #expect(answer.location.isEmpty || answer.location.hasPrefix(TestApp.redirect + "?"), "\(name)")
                    #expect(answer.fields[.setCookie] == nil && !answer.text.contains("<script"))
                }
            }
            // What comes back comes back as a value, whatever it holds.
            let stated = try await app.approve(["state": odd])
            #expect(stated.status < 500 && !stated.location.contains("\r") && !stated.location.contains("\n"))
            if stated.status == 303 { #expect(stated.member("state") == odd) }
            for name in ["code", "redirect_uri", "code_verifier", "client_id", "client_secret", "grant_type", "scope"] {
                let answer = try await app.exchange("rco_x", [name: odd])
                #expect((400...401).contains(answer.status) && answer.error != nil, "\(name)")
                #expect(answer.fields[.cacheControl] == "no-store")
            }
        }
    }

    @Test(arguments: ["%", "%zz", "%ff", "%c0%af", "%ed%a0%80", "a=%00&%"])
    func `what is no percent-encoded text is malformed`(raw: String) async throws {
        try await TestApp.with { app in
            let asked = try await app.browser.get("/oauth/authorize?" + app.query() + "&x=" + raw)
            #expect(asked.status == 400 && asked.fields[.location] == nil)
            let posted = try await app.oauth.send(
                .post,
                "/oauth/token",
                "grant_type=client_credentials&x=" + raw,
                fields: [.contentType: "application/x-www-form-urlencoded"]
            )
            #expect(posted.status == 400 && posted.error == "invalid_request")
        }
    }

    // MARK: From where

    @Test func `an allow-list is asked about the address that the proxy saw, however it is written`() async throws {
        try await TestOAuth.with { oauth in
            for good in ["192.0.2.10", "::ffff:192.0.2.10", "::FFFF:C000:20A", "198.51.100.1, 192.0.2.10"] {
                #expect(try await oauth.token(from: good).status == 200, "\(good)")
            }
            for bad in [
                "192.0.2.10, 198.51.100.1", "192.0.2.10%eth0", "::ffff:192.0.2.10%1", "fe80::1%eth0", "0xc0.0.2.10",
                "192.0.2.010", "3221225994", "192.0.2.10 198.51.100.1", "\"192.0.2.10\"", "for=192.0.2.10", "unknown",
                "",
            ] {
                let answer = try await oauth.token(from: bad)
                #expect(answer.status == 400 && answer.error == "unauthorized_client", "\(bad)")
            }
            var forged: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
            for (name, value) in [
                ("Forwarded", "for=192.0.2.10"), ("X-Real-IP", "192.0.2.10"), ("True-Client-IP", "192.0.2.10"),
                ("X-Client-IP", "192.0.2.10"), ("CF-Connecting-IP", "192.0.2.10"), ("X-Forwarded", "for=192.0.2.10"),
            ] { forged[try #require(HTTPField.Name(name))] = value }
            let body = ([("grant_type", "client_credentials")] + oauth.posted).map { "\($0)=\($1)" }
                .joined(separator: "&")
            let answer = try await oauth.send(.post, "/oauth/token", body, from: "198.51.100.1", fields: forged)
            #expect(answer.status == 400 && answer.error == "unauthorized_client")
        }
    }

    // MARK: Guessing

    @Test func `who guesses secrets is stopped with what is right too, and nobody elsewhere is`() async throws {
        let rates = CallerLimits.Rates(failures: Rate(perSecond: 0.001, burst: 5))
        try await TestOAuth.with(ipAllowList: nil, rates: rates) { oauth in
            let wrong = [
                ("client_id", oauth.grant.description),
                ("client_secret", OpaqueSecret.make(.client, using: oauth.fixture.randomness).reveal()),
            ]
            for _ in 0..<5 {
                let answer = try await oauth.form("/oauth/token", [("grant_type", "client_credentials")] + wrong)
                #expect(answer.status == 401)
            }
            for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
                let stopped = try await oauth.form(
                    path,
                    [("grant_type", "client_credentials"), ("token", "x")] + wrong
                )
                #expect(stopped.status == 429 && stopped.fields[.retryAfter] != nil, "\(path)")
            }
            #expect(try await oauth.token().status == 429)
            #expect(try await oauth.token(from: "::ffff:192.0.2.10").status == 429)
            #expect(try await oauth.token(from: "192.0.2.11").status == 200)
            // One summary entry will tell of them; nobody can fill the log.
            #expect(try await oauth.entries(.tokenIssued).count { $0["outcome"] == "refused" } == 0)
        }
    }

    @Test func `a wrong secret and an unknown client take the same path`() async throws {
        try await TestOAuth.with { oauth in
            let store = oauth.fixture.store
            let secret = OpaqueSecret.make(.client, using: oauth.fixture.randomness)
            let known = try #require(try await store.client(oauth.grant))
            let none = try await store.client(GrantID(high: 1, low: 1))
            // Both are compared, the unknown one with a digest of nothing.
            #expect(none == nil && store.secret(secret, of: none) == nil)
            #expect(store.secret(secret, of: known) == nil)
            #expect(store.secret(oauth.secret, of: known) != nil && store.secret(oauth.secret, of: none) == nil)
        }
    }

    // MARK: Pages

    @Test func `no page can be framed, whatever it answers`() async throws {
        try await TestApp.with { app in
            var browser = app.browser
            var stranger = Browser(app.oauth)
            for page in [
                try await app.ask(), try await app.ask(["client_id": "x"]), try await app.ask(["redirect_uri": "x"]),
                try await browser.get("/profile"), try await browser.get("/profile/grants"),
                try await stranger.get("/signin"), try await stranger.get("/claim/rcc_nonsense"),
                try await stranger.get("/password/nonsense"),
                try await stranger.post("/signin", [("organization", "acme"), ("username", "x"), ("password", "y")]),
                try await browser.post("/oauth/authorize", [("decision", "approve")], origin: "https://evil.example"),
            ] where page.fields[.contentType]?.hasPrefix("text/html") == true {
                let policy = page.fields[.contentSecurityPolicy] ?? ""
                #expect(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"))
                #expect(page.fields[.xContentTypeOptions] == "nosniff" && page.fields[.cacheControl] == "no-store")
            }
        }
    }
}
