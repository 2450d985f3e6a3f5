import Domain
import Edge
import HTTPTypes
import OAuth
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Invariant: a form endpoint says no in its protocol's form, whatever refuses, and wherever.
@Suite struct `Errors of the form endpoints` {
    private static let paths = ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/register"]

    /// Everybody may register themselves here.
    private func with(
        rates: CallerLimits.Rates = .init(),
        _ body: @Sendable (TestOAuth) async throws -> Void
    ) async throws {
        try await TestOAuth.with(rates: rates, outsiders: OutsideClients(registration: true), body)
    }

    private func expectForm(
        _ answer: TestOAuth.Answer,
        _ status: Int,
        _ error: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(answer.status == status && answer.error == error, "\(answer.text)", sourceLocation: sourceLocation)
        #expect(answer.fields[.contentType]?.hasPrefix("application/json") == true, sourceLocation: sourceLocation)
        #expect(answer.fields[.cacheControl] == "no-store", sourceLocation: sourceLocation)
        #expect(answer.body["error_description"]?.string?.isEmpty == false, sourceLocation: sourceLocation)
        #expect(answer.body["type"] == nil && answer.body["status"] == nil, sourceLocation: sourceLocation)
    }

    @Test func `a limit of the address says how long, in the form`() async throws {
        let rates = CallerLimits.Rates(
            perAddress: Rate(perSecond: 0.01, burst: 1),
            failures: Rate(perSecond: 0.01, burst: 1)
        )
        try await with(rates: rates) { oauth in
            #expect(try await oauth.token([("scope", "nothing:here")]).error == "invalid_scope")
            for path in Self.paths where path != "/oauth/introspect" {
                let answer = try await oauth.form(path, [])
                expectForm(answer, 429, "temporarily_unavailable")
                #expect(answer.fields[.retryAfter].flatMap { Int($0) }.map { (1...100).contains($0) } == true)
            }
            // Wrong secrets stop introspection too.
            let wrong = [("client_id", oauth.grant.description), ("client_secret", "rcs_x"), ("token", "x")]
            _ = try await oauth.form("/oauth/introspect", wrong, from: "192.0.2.20")
            expectForm(
                try await oauth.form("/oauth/introspect", wrong, from: "192.0.2.20"),
                429,
                "temporarily_unavailable"
            )
        }
    }

    @Test func `a limit of the client, too`() async throws {
        try await with(rates: .init(perClient: Rate(perSecond: 0.01, burst: 1))) { oauth in
            #expect(try await oauth.token().status == 200)
            let answer = try await oauth.token()
            expectForm(answer, 429, "temporarily_unavailable")
            #expect(answer.fields[.retryAfter] != nil)
        }
    }

    @Test func `a body that is too long, packed, or none of this kind`() async throws {
        try await with { oauth in
            let form: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
            let long = "a=" + String(repeating: "a", count: 20_000)
            for path in Self.paths.dropLast() {
                expectForm(try await oauth.send(.post, path, long, fields: form), 413, "invalid_request")
                var packed = form
                packed[.contentEncoding] = "gzip"
                expectForm(try await oauth.send(.post, path, "a=b", fields: packed), 415, "invalid_request")
                var broken = form
                broken[.contentLength] = "-1"
                #expect(try await oauth.send(.post, path, "a=b", fields: broken).body["type"] == nil)
                for type in ["application/json", "text/plain", "multipart/form-data"] {
                    expectForm(
                        try await oauth.send(.post, path, "{}", fields: [.contentType: type]),
                        400,
                        "invalid_request"
                    )
                }
                expectForm(try await oauth.send(.post, path, "a=b"), 400, "invalid_request")
            }
            let json: HTTPFields = [.contentType: "application/json"]
            for (body, fields) in [("{}", form), ("{", json), (long, json), ("[]", json)] {
                let answer = try await oauth.send(.post, "/oauth/register", body, fields: fields)
                expectForm(answer, 400, "invalid_client_metadata")
            }
        }
    }

    @Test func `a method that is not taken`() async throws {
        try await with { oauth in
            for path in Self.paths {
                for method: HTTPRequest.Method in [.get, .put, .patch, .delete, .trace, try #require(.init("BREW"))] {
                    let answer = try await oauth.send(method, path)
                    expectForm(answer, 405, "invalid_request")
                    #expect(answer.fields[.allow]?.contains("POST") == true)
                }
                #expect(try await oauth.send(.options, path).status == 204)
            }
        }
    }

    @Test func `what passes is told to come again`() async throws {
        try await with { oauth in
            let members = oauth.posted + [("grant_type", "client_credentials"), ("token", "rca_x")]
            await oauth.fixture.store.pool.close()
            for path in Self.paths.dropLast() {
                let answer = try await oauth.form(path, members)
                expectForm(answer, 503, "temporarily_unavailable")
                #expect(answer.fields[.retryAfter] == "2")
            }
        }
    }

    @Test func `a fault of ours is told without a word of it`() async throws {
        try await with { oauth in
            _ = try await oauth.fixture.owner.query("DROP FUNCTION organization_of_app(uuid)")
            for path in ["/oauth/token", "/oauth/revoke"] {
                let answer = try await oauth.form(path, [("client_id", "app_01k9qyc5qje1qsv9svhrqgc8d6")])
                expectForm(answer, 500, "server_error")
                #expect(!answer.text.contains("organization_of_app"))
            }
        }
    }

    @Test func `elsewhere a problem stays a problem`() async throws {
        try await with { oauth in
            let answer = try await oauth.send(.get, "/oauth/userinfo")
            #expect(answer.status == 401 && answer.body["type"] == "/problems/unauthorized")
            #expect(try await oauth.send(.delete, "/oauth/userinfo").body["type"] == "/problems/method-not-allowed")
            #expect(try await oauth.send(.get, "/nowhere").body["type"] == "/problems/not-found")
        }
    }
}
