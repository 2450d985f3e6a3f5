import Domain
import Edge
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `The forward-auth check` {
    @Test func `a good token passes, is told to the API behind, and leaves one entry that names the action`()
        async throws
    {
        try await TestCheck.with { check in
            let answer = try await check.ask(
                .get,
                TestCheck.path,
                [("X-Forwarded-Method", "POST"), ("User-Agent", "payroll/2")]
            )
            #expect(answer.status == .ok && answer.body.readableBytes == 0)
            #expect(answer.field("X-Rollcall-User") == check.user.description)
            #expect(answer.field("X-Rollcall-Grant") == check.grant.description)
            #expect(answer.field("X-Rollcall-Integration")?.hasPrefix("int_") == true)
            #expect(answer.field("X-Rollcall-Person") == nil)
            #expect(answer.field("X-Rollcall-Scopes") == "people:read people:read.self")
            #expect(answer.field("X-Rollcall-Request-Id") == answer.field("X-Request-Id"))
            #expect(answer.field("X-Rollcall-Organization") == check.organization.id.description)
            let entry = try #require(try await check.entries().only)
            #expect(entry["outcome"] == "done" && entry[pointer: "/actor/id"]?.string == check.user.description)
            #expect(entry[pointer: "/after/action"] == "payroll.read" && entry[pointer: "/after/method"] == "POST")
            #expect(entry[pointer: "/after/proxy"] == "acme" && entry[pointer: "/after/scope"] == "people:read")
            #expect(entry["client_ip"] == "192.0.2.10" && entry["user_agent"] == "payroll/2")
            #expect(entry["request_id"]?.string == answer.field("X-Rollcall-Request-Id"))
        }
    }

    @Test func `without a token it asks for one, with a bad one it says so`() async throws {
        try await TestCheck.with { check in
            let missing = try await check.ask(.get, TestCheck.path, [("Authorization", nil)])
            #expect(missing.status == .unauthorized && missing.headers[.wwwAuthenticate] == "Bearer")
            let never = OpaqueSecret.make(.access, using: check.fixture.randomness).reveal()
            let refresh = OpaqueSecret.make(.refresh, using: check.fixture.randomness).reveal()
            for bad in ["Bearer nonsense", "Bearer \(never)", "Bearer \(refresh)", "Basic \(check.token)", "Bearer"] {
                let answer = try await check.ask(.get, TestCheck.path, [("Authorization", bad)])
                #expect(answer.status == .unauthorized, "\(bad)")
                #expect(answer.headers[.wwwAuthenticate] == #"Bearer error="invalid_token""#, "\(bad)")
            }
            let twice = [("Authorization", "Bearer \(check.token)"), ("Authorization", "Bearer \(check.token)")]
            let answer = try await check.ask(.get, TestCheck.path, twice)
            #expect(answer.status == .unauthorized)
            #expect(try await check.entries().isEmpty)
        }
    }

    @Test func `a token in a query string is no token`() async throws {
        try await TestCheck.with { check in
            let said = "/authz/check?\(TestCheck.question)&access_token=\(check.token)"
            #expect(try await check.status(.get, said, [("Authorization", nil)]) == 403)
            let answer = try await check.ask(
                .get,
                TestCheck.path,
                [("Authorization", nil), ("X-Forwarded-Uri", "/payroll?access_token=\(check.token)")]
            )
            #expect(answer.status == .unauthorized)
        }
    }

    @Test func `a scope that the token lacks is named, and every scope that is asked for is needed`() async throws {
        try await TestCheck.with { check in
            for scope in ["payroll:write", "people:read+payroll:write"] {
                let answer = try await check.ask(.get, "/authz/check?scope=\(scope)&action=payroll.write")
                #expect(answer.status == .forbidden)
                let challenge = try #require(answer.headers[.wwwAuthenticate])
                #expect(challenge.hasPrefix(#"Bearer error="insufficient_scope", scope=""#))
                #expect(challenge.contains("payroll:write"))
            }
            let entry = try #require(try await check.entries().last)
            #expect(entry["outcome"] == "refused" && entry["reason"] == "scope_missing")
        }
    }

    // MARK: Who may ask

    @Test func `who does not prove to be a proxy learns nothing, whatever it presents`() async throws {
        try await TestCheck.with { check in
            let secrets: [[(String, String?)]] = [
                [("X-Rollcall-Proxy", nil)], [("X-Rollcall-Proxy", "")],
                [("X-Rollcall-Proxy", TestCheck.secret + "x")],
                [("X-Rollcall-Proxy", String(TestCheck.secret.dropLast()))],
                [("X-Rollcall-Proxy", TestCheck.secret), ("X-Rollcall-Proxy", TestCheck.secret)],
            ]
            for fields in secrets {
                let answer = try await check.ask(.get, TestCheck.path, fields)
                #expect(answer.status == .forbidden && answer.headers[.wwwAuthenticate] == nil)
                #expect(answer.field("X-Rollcall-User") == nil)
            }
            #expect(try await check.entries().isEmpty)
        }
    }

    @Test func `a proxy of one organization cannot have another's tokens checked, one of all can`() async throws {
        try await TestCheck.with { check in
            let globex = try await check.fixture.organization("globex")
            let theirs = try await check.fixture.securityAdmin(in: globex)
            let fields: [(String, String?)] = [("Authorization", "Bearer \(theirs.token.reveal())")]
            let question = "/authz/check?scope=people:read&action=x"
            #expect(try await check.status(.get, question, fields) == 401)
            let all = try await check.ask(.get, question, fields + [("X-Rollcall-Proxy", TestCheck.everybodys)])
            #expect(all.status == .ok && all.field("X-Rollcall-Organization") == globex.id.description)
        }
    }

    // MARK: What it asks

    @Test(arguments: [
        "", "?", "?scope=people:read", "?action=payroll.read", "?scope=&action=payroll.read",
        "?scope=people:read&action=Payroll", "?scope=people:read&action=payroll..read", "?scope=people:read&action=",
        "?scope=people:read&scope=people:read&action=payroll.read",
        "?scope=people:read&action=payroll.read&action=payroll.read", "?scope=people:read&action=payroll.read&more=1",
        "?scope=people:read&action=%zz", "/?scope=people:read&action=payroll.read",
        "/orders/1?scope=people:read&action=payroll.read",
    ])
    func `a question that is not whole, or is the client's, is denied`(_ query: String) async throws {
        try await TestCheck.with { check in
            let path = "/authz/check\(query)"
            let status = try await check.status(.get, path)
            #expect(status == 403)
        }
    }

    @Test func `where the query is the client's, the question stands in a field, and there alone`() async throws {
        try await TestCheck.with { check in
            // As Envoy asks: the client's method, path and query below the prefix.
            for method in [HTTPRequest.Method.get, .post, .put, .patch, .delete, .options] {
                let answer = try await check.ask(
                    method,
                    "/authz/check/payroll/runs/7?scope=sources:write&a=1&a=2",
                    [("X-Rollcall-Check", TestCheck.question)]
                )
                #expect(answer.status == .ok, "\(method)")
            }
            let methods = try await check.entries().compactMap { $0[pointer: "/after/method"]?.string }
            #expect(methods.sorted() == ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"])
            let twice = [("X-Rollcall-Check", TestCheck.question), ("X-Rollcall-Check", TestCheck.question)]
            #expect(try await check.status(.get, "/authz/check/payroll", twice) == 403)
            // A client's own field beside the proxy's query.
            let forged = try await check.ask(
                .get,
                "/authz/check?scope=payroll:write&action=x",
                [("X-Rollcall-Check", TestCheck.question)]
            )
            #expect(forged.status == .forbidden && forged.headers[.wwwAuthenticate] == nil)
        }
    }

    @Test func `only what lies at the path or below it is a check`() async throws {
        try await TestCheck.with { check in
            for path in ["/authz/checks?" + TestCheck.question, "/authz?" + TestCheck.question] {
                #expect(try await check.status(.get, path) == 404)
            }
            let strange = try #require(HTTPRequest.Method(rawValue: "PROPFIND"))
            #expect(try await check.status(strange) == 200)
        }
    }

    @Test func `a client's content coding does not make it an answer that proxies cannot read`() async throws {
        try await TestCheck.with { check in
            let answer = try await check.ask(
                .post,
                TestCheck.path,
                [("Content-Encoding", "gzip")]
            )
            #expect(answer.status == .ok)
        }
    }

    // MARK: From where

    @Test(arguments: [
        ("192.0.2.10", true), ("198.51.100.1", false), ("::ffff:192.0.2.10", true), ("[2001:db8::1]:443", true),
        ("2001:db8::1%eth0", false), ("fe80::1%25eth0", false), ("192.0.2.10, 198.51.100.1", false),
        ("198.51.100.1, 192.0.2.10", true), ("unknown", false), ("", false), ("192.0.2.010", false),
        ("192.0.2.10,", false),
    ])
    func `the address is what the proxy saw last, exactly`(_ value: String, _ passes: Bool) async throws {
        try await TestCheck.with { check in
            let answer = try await check.ask(.get, TestCheck.path, [("X-Forwarded-For", value)])
            #expect(answer.status == (passes ? .ok : .forbidden))
        }
    }

    @Test func `a missing or repeated word of a proxy is a denial`() async throws {
        try await TestCheck.with { check in
            #expect(
                try await check.ask(.get, TestCheck.path, [("X-Forwarded-For", nil)]).status
                    == .forbidden
            )
            for name in [
                "X-Forwarded-For", "Forwarded", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host",
                "X-Real-Ip",
                "X-Original-Url", "X-Original-Method",
            ] {
                let value = name == "X-Forwarded-For" ? "192.0.2.10" : "for=192.0.2.10"
                let answer = try await check.ask(
                    .get,
                    TestCheck.path,
                    [(name, value), (name, value)]
                )
                #expect(answer.status == .forbidden, "\(name)")
            }
            // Another field says nothing.
            let other = try await check.ask(
                .get,
                TestCheck.path,
                [("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=192.0.2.10"), ("X-Real-Ip", "192.0.2.10")]
            )
            #expect(other.status == .forbidden)
        }
    }

    @Test func `a chain of trusted proxies is walked from the right`() async throws {
        try await TestCheck.with(trust: ["203.0.113.0/24"]) { check in
            let good = [("X-Forwarded-For", "198.51.100.1, 192.0.2.10, 203.0.113.7")]
            let passed = try await check.status(.get, TestCheck.path, good)
            #expect(passed == 200)
            let forged = [("X-Forwarded-For", "192.0.2.10, 198.51.100.1, 203.0.113.7")]
            let denied = try await check.status(.get, TestCheck.path, forged)
            #expect(denied == 403)
        }
    }

    // MARK: Endings and limits

    @Test func `a suspended grant is refused with an entry, and a resource's token is good there alone`() async throws {
        try await TestCheck.with { check in
            _ = try await check.fixture.owner.query("UPDATE tokens SET audience = 'https://api.example'")
            let elsewhere = try await check.ask()
            #expect(elsewhere.status == .unauthorized)
            let there = "/authz/check?\(TestCheck.question)&audience=https://api.example"
            #expect(try await check.status(.get, there) == 200)
            _ = try await check.fixture.store.perform(
                GrantStateChange(of: check.grant, to: .suspended, by: check.fixture.attribution(of: check.admin)),
                in: check.organization.id
            )
            let refused = try await check.ask(.get, there)
            #expect(refused.status == .unauthorized)
            #expect(refused.headers[.wwwAuthenticate] == #"Bearer error="invalid_token""#)
            let reasons = try await check.entries().map { $0["reason"]?.string }
            #expect(reasons == ["wrong_audience", nil, "grant_suspended"])
        }
    }

    @Test func `a signed token that nobody was handed, or one for another API, passes nowhere`() async throws {
        try await TestCheck.with { check in
            let (api, issuer) = ("https://api.example", TestOAuth.issuer)
            let there = "/authz/check?\(TestCheck.question)&audience=\(api)"
            func status(_ token: String, _ path: String = there) async throws -> Int {
                try await check.status(.get, path, [("Authorization", "Bearer \(token)")])
            }
            let genuine = try await check.fixture.signedToken(of: check.grant, for: api, issuer: issuer)
            #expect(try await status(genuine) == 200)
            let forged = try await Forgeries.of(genuine, in: check.fixture)
            #expect(forged.count > 10)
            for (name, token) in forged { #expect(try await status(token) == 401, "\(name)") }
            let elsewhere = try await check.fixture.signedToken(of: check.grant, for: issuer + "/v1", issuer: issuer)
            #expect(try await status(elsewhere) == 401)
            #expect(try await status(genuine, TestCheck.path) == 401)
            #expect(try await status(genuine) == 200)
            #expect(try await check.entries().count { $0["outcome"] == "done" } == 2)
        }
    }

    @Test func `who asks too much is told to wait, in a word that proxies pass on`() async throws {
        let rates = CallerLimits.Rates(checks: Rate(perSecond: 0.01, burst: 3))
        try await TestCheck.with(rates: rates) { check in
            for _ in 0..<3 { #expect(try await check.status() == 200) }
            let limited = try await check.ask()
            #expect(limited.status == .serviceUnavailable)
            #expect(limited.headers[.retryAfter].flatMap { Int($0) }.map { (1...100).contains($0) } == true)
        }
    }

    @Test func `a check that cannot be made is 503`() async throws {
        try await TestCheck.with { check in
            await check.fixture.pool.close()
            let answer = try await check.ask()
            #expect(answer.status == .serviceUnavailable && answer.headers[.retryAfter] != nil)
        }
    }
}

extension Array {
    fileprivate var only: Element? { count == 1 ? first : nil }
}
