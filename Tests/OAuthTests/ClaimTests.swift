import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Claim links` {
    private func link(_ oauth: TestOAuth) async throws -> String {
        let creation = ClaimLinkCreation(
            for: oauth.grant,
            by: oauth.admin.caller,
            oauth.fixture.attribution(of: oauth.admin),
            in: oauth.fixture.store
        )
        return "/claim/" + (try await oauth.fixture.store.perform(creation, in: oauth.organization.id)).secret.reveal()
    }

    private static let page: HTTPFields = [.accept: "text/html,application/xhtml+xml"]

    @Test func `looking changes nothing, claiming works once`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            for _ in 0..<3 {
                let shown = try await oauth.send(.get, path)
                #expect(shown.status == 200)
                #expect(shown.body["client_name"] == "Client" && shown.body["username"] == "crm.robot")
                #expect(shown.body["custodian"]?.string == oauth.admin.username)
            }
            let before = try await oauth.entries(.secretClaimed).count
            let claimed = try await oauth.send(.post, path)
            #expect(claimed.status == 200 && claimed.fields[.cacheControl] == "no-store")
            #expect(claimed.body["client_id"]?.string == oauth.grant.description)
            let text = try #require(claimed.body["client_secret"]?.string)
            #expect(OpaqueSecret(text)?.kind == .client)
            #expect(try await oauth.entries(.secretClaimed).count == before + 1)

            #expect(try await oauth.send(.post, path).status == 404)
            #expect(try await oauth.send(.get, path).status == 404)
            let members = [("grant_type", "client_credentials"), ("client_id", oauth.grant.description)]
            let token = try await oauth.form("/oauth/token", members + [("client_secret", text)])
            #expect(token.status == 200)
            #expect(try await oauth.token().error == "invalid_client")
        }
    }

    @Test func `of many who claim at once one gets the secret`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await oauth.send(.post, path).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + [Int](repeating: 404, count: 7))
        }
    }

    @Test func `a browser gets pages that nothing can run in or frame`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            let shown = try await oauth.send(.get, path, fields: Self.page)
            #expect(shown.status == 200)
            #expect(shown.fields[.contentType] == "text/html; charset=utf-8")
            let policy = shown.fields[.contentSecurityPolicy] ?? ""
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("script-src"))
            #expect(shown.text.contains("crm.robot") && shown.text.contains("<form method=\"post\">"))
            #expect(!shown.text.contains("{{") && !shown.text.contains("<script"))

            let claimed = try await oauth.send(.post, path, fields: Self.page)
            #expect(claimed.text.contains("<code>\(oauth.grant)</code>") && claimed.text.contains("<code>rcs_"))
            #expect(!claimed.text.contains("<form"))
            let gone = try await oauth.send(.get, path, fields: Self.page)
            #expect(gone.status == 404)
            #expect(gone.text.contains("no longer good") && !gone.text.contains("<dl>"))
        }
    }

    @Test func `names are text in a page, whatever they hold`() async throws {
        try await TestOAuth.with { oauth in
            _ = try await oauth.fixture.owner.query("UPDATE grants SET client_name = '<img src=x onerror=alert(1)>'")
            let shown = try await oauth.send(.get, try await link(oauth), fields: Self.page)
            #expect(!shown.text.contains("<img") && shown.text.contains("&lt;img"))
        }
    }

    @Test func `a page of another site cannot claim`() async throws {
        try await TestOAuth.with { oauth in
            let path = try await link(oauth)
            for site in ["cross-site", "same-site"] {
                #expect(try await oauth.send(.post, path, fields: [.fetchSite: site]).status == 403)
            }
            #expect(try await oauth.send(.post, path, fields: [.fetchSite: "same-origin"]).status == 200)
        }
    }

    @Test func `unknown, replaced and over look alike`() async throws {
        try await TestOAuth.with { oauth in
            let replaced = try await link(oauth)
            let over = try await link(oauth)
            _ = try await oauth.fixture.owner.query(
                "UPDATE claim_links SET expires_at = clock_timestamp() - interval '1 second' WHERE ended_at IS NULL"
            )
            let unknown = "/claim/" + OpaqueSecret.make(.claim, using: oauth.fixture.randomness).reveal()
            let wrongKind = "/claim/" + oauth.secret.reveal()
            for path in [replaced, over, unknown, wrongKind, "/claim/nonsense"] {
                for method in [HTTPRequest.Method.get, .post] {
                    let answer = try await oauth.send(method, path)
                    #expect(answer.status == 404 && answer.body["type"] == "/problems/not-found")
                }
            }
        }
    }
}
