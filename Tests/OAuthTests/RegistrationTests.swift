import Domain
import HTTPTypes
import OAuth
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// RFC 7591, behind its switch.
@Suite struct `Clients that register themselves` {
    private static let on = OutsideClients(registration: true)

    private func register(
        _ oauth: TestOAuth,
        _ changes: JSON.Object = [:],
        from address: String = "192.0.2.10"
    ) async throws -> TestOAuth.Answer {
        var metadata: JSON.Object = [
            "client_name": "Agent", "redirect_uris": [.string(TestApp.redirect)],
            "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
            "software_version": "7", "logo_uri": "https://agent.example/logo.png",
        ]
        for (name, value) in changes.members { metadata[name] = value }
        let fields: HTTPFields = [.contentType: "application/json"]
        return try await oauth.send(.post, "/oauth/register", JSON.object(metadata).text, from: address, fields: fields)
    }

    @Test func `off, there is no such endpoint, and metadata names none`() async throws {
        try await TestOAuth.with { oauth in
            #expect(try await register(oauth).status == 404)
            let metadata = try await oauth.send(.get, "/.well-known/oauth-authorization-server").body
            #expect(metadata["registration_endpoint"] == nil)
            #expect(metadata["client_id_metadata_document_supported"] == false)
        }
    }

    @Test func `a public one registers, is told of to the user, and gets tokens`() async throws {
        try await TestApp.with(outsiders: Self.on) { app in
            let metadata = try await app.oauth.send(.get, "/.well-known/oauth-authorization-server").body
            #expect(metadata["registration_endpoint"]?.string == TestOAuth.issuer + "/oauth/register")
            let made = try await register(app.oauth, ["scope": "people:read users:read"])
            #expect(made.status == 201 && made.fields[.cacheControl] == "no-store")
            #expect(made.body["client_secret"] == nil && made.body["token_endpoint_auth_method"] == "none")
            #expect(made.body["scope"] == "people:read users:read" && made.body["client_id_issued_at"]?.int64 != nil)
            let client = try #require(made.body["client_id"]?.string)
            let page = try await app.ask(["client_id": client])
            #expect(page.text.contains("This app registered itself") && page.text.contains("Agent"))
            let code = try await app.code(["client_id": client])
            let issued = try await app.exchange(code, ["client_id": client, "client_secret": nil])
            #expect(issued.status == 200)
            let access = try #require(issued.body["access_token"]?.string)
            #expect(try await app.oauth.introspect(access, by: app.oauth.admin)["client_id"]?.string == client)
            let entry = try await app.oauth.entries(.appCreated).last
            #expect(entry?["after"]?["origin"] == "registered" && entry?["after"]?["client_id"]?.string == client)
            #expect(
                try await app.oauth.fixture.number("SELECT count(*) FROM client_registrations WHERE expires_at IS NULL")
                    == 1
            )
            // Its scopes bound what it asks for, and its redirects are exact.
            // Whoever registered it chose where its answers go: nobody is led there by a link.
            for wrong in [["scope": "audit:read"], ["response_type": "token"], ["code_challenge": nil]] {
                var all: [String: String?] = ["client_id": client]
                for (name, value) in wrong as [String: String?] { all[name] = value }
                let answer = try await app.ask(all)
                #expect(answer.status == 400 && answer.location.isEmpty)
                let stranger = try await app.oauth.send(.get, "/oauth/authorize?" + app.query(all))
                #expect(stranger.status == 400 && stranger.location.isEmpty)
            }
            let elsewhere = try await app.ask(["client_id": client, "redirect_uri": TestApp.redirect + "/"])
            #expect(elsewhere.status == 400 && elsewhere.location.isEmpty)
        }
    }

    @Test func `an organization that lets in none is asked for none, and keeps what it had`() async throws {
        try await TestApp.with(outsiders: Self.on) { app in
            func client() async throws -> String {
                try #require(try await register(app.oauth).body["client_id"]?.string)
            }
            let former = try await client()
            let code = try await app.code(["client_id": former])
            let issued = try await app.exchange(code, ["client_id": former, "client_secret": nil])
            let shown = try await app.ask(["client_id": former]).hidden("shown")
            _ = try await app.oauth.fixture.owner.query("UPDATE organizations SET outside_apps = false")
            let later = try await client()
            for name in [former, later] {
                let refused = try await app.ask(["client_id": name])
                #expect(refused.status == 403 && refused.text.contains("This app is not let in"))
                #expect(refused.location.isEmpty)
            }
            // A page from before the change approves nothing any more.
            let late = try await app.approve(["client_id": former], shown: shown)
            #expect(late.status == 403)
            let entry = try #require(try await app.oauth.entries(.authorizationApproved).last)
            #expect(entry["outcome"] == "refused" && entry["reason"] == "conflict")
            #expect(try await app.oauth.userInfo(issued.body["access_token"]?.string ?? "") == 200)
            let commandLine: [String: String?] = [
                "client_id": "rollcall-cli", "redirect_uri": "http://127.0.0.1:40123/callback",
            ]
            #expect(try await app.ask(commandLine).status == 200)
        }
    }

    @Test func `a confidential one needs its secret, shown once`() async throws {
        try await TestApp.with(outsiders: Self.on) { app in
            let made = try await register(app.oauth, ["token_endpoint_auth_method": .null])
            let secret = try #require(made.body["client_secret"]?.string)
            #expect(made.body["token_endpoint_auth_method"] == "client_secret_basic")
            #expect(made.body["client_secret_expires_at"] == 0 && secret.hasPrefix("rcs_"))
            // Who does not say what for may be let read.
            #expect(made.body["scope"]?.string?.contains(":write") == false)
            let client = try #require(made.body["client_id"]?.string)
            let code = try await app.code(["client_id": client])
            for wrong: String? in [nil, app.secret?.reveal()] {
                let answer = try await app.exchange(code, ["client_id": client, "client_secret": wrong])
                #expect(answer.error == "invalid_client")
            }
            #expect(try await app.exchange(code, ["client_id": client, "client_secret": secret]).status == 200)
        }
    }

    @Test func `what is wrong is refused in the form of RFC 7591`() async throws {
        try await TestOAuth.with(outsiders: Self.on) { oauth in
            for redirect: JSON in [
                "http://app.example/callback", "https://app.example/#x", "https://u@app.example/",
                "javascript:alert(1)",
                "https://APP.example/", "https://app.example/a/../b", 7,
            ] {
                let answer = try await register(
                    oauth,
                    ["redirect_uris": [redirect]],
                    from: "198.51.100.\(oauth.next())"
                )
                #expect(answer.status == 400 && answer.error == "invalid_redirect_uri", "\(redirect)")
                #expect(answer.body["error_description"]?.string?.isEmpty == false)
            }
            let wrong: [(String, JSON)] = [
                ("redirect_uris", .null), ("redirect_uris", []),
                ("token_endpoint_auth_method", "private_key_jwt"), ("grant_types", ["client_credentials"]),
                ("grant_types", ["implicit", "authorization_code"]), ("response_types", ["token"]),
                ("scope", "root"), ("client_name", " "), ("client_name", "a\u{202E}b"), ("client_name", 1),
                ("contacts", "me"),
            ]
            for (name, value) in wrong {
                let answer = try await register(oauth, [name: value], from: "198.51.100.\(oauth.next())")
                let code = name == "redirect_uris" ? "invalid_redirect_uri" : "invalid_client_metadata"
                #expect(answer.status == 400 && answer.error == code, "\(name) \(value)")
            }
            for body in ["", "[]", "{", "{\"a\":1,\"a\":2}"] {
                let fields: HTTPFields = [.contentType: "application/json"]
                let answer = try await oauth.send(.post, "/oauth/register", body, from: "203.0.113.9", fields: fields)
                #expect(answer.error == "invalid_client_metadata", "\(body)")
            }
            #expect(try await oauth.fixture.number("SELECT count(*) FROM client_registrations") == 0)
        }
    }

    @Test func `one address registers ten at once, and what nobody lets in is forgotten`() async throws {
        try await TestApp.with(outsiders: Self.on) { app in
            var statuses: [Int] = []
            for _ in 0..<11 { statuses.append(try await register(app.oauth).status) }
            #expect(statuses.count { $0 == 201 } == 10 && statuses.last == 429)
            #expect(try await register(app.oauth, from: "198.51.100.1").status == 201)
            let store = app.oauth.fixture.store
            #expect(try await store.forgetRegisteredClients() == 0)
            let client = try #require(try await register(app.oauth, from: "198.51.100.2").body["client_id"]?.string)
            _ = try await app.oauth.fixture.owner.query("UPDATE client_registrations SET expires_at = now()")
            #expect(try await app.ask(["client_id": client]).status == 400)
            #expect(try await store.forgetRegisteredClients() == 12)
        }
    }
}

extension TestOAuth {
    /// Another number, for addresses that have asked nothing yet.
    fileprivate func next() -> Int { Int(fixture.randomness.bytes(1)[0]) % 250 + 1 }
}
