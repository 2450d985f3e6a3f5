import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct AdmissionTests {
    /// RFC 9728 5.1: of the resource that was asked for, where RFC 9728 3.1 puts it.
    private static let metadata =
        #"resource_metadata="https://rollcall.example/.well-known/oauth-protected-resource/v1""#

    @Test(arguments: ["/v1/apps", "/v1/authorizations", "/v1/tokens", "/v1/audit/entries"])
    func `who is not let in is told where to get a token, whatever they asked for`(path: String) async throws {
        try await TestAPI.with { api in
            for bearer in [nil, "Bearer rca_nonsense", "bearer", "Basic YTpi"] {
                let answer = try await api.send(.get, path, bearer: bearer)
                #expect(answer.status == 401 && answer.fields[.wwwAuthenticate]?.hasPrefix("Bearer ") == true)
                #expect(answer.fields[.wwwAuthenticate]?.hasSuffix(Self.metadata) == true)
            }
            // Who is known and may not is not sent for another token.
            let member = try await api.fixture.member(.member, in: api.organization)
            let refused = try await api.get("/v1/apps", as: member)
            #expect(refused.status == 403 && refused.fields[.wwwAuthenticate]?.contains("resource_metadata") != true)
        }
    }

    @Test func `nobody without a good token gets an answer`() async throws {
        try await TestAPI.with { api in
            let missing = try await api.send(.get, "/v1/whoami")
            #expect(missing.status == 401)
            #expect(missing.fields[.wwwAuthenticate] == "Bearer " + Self.metadata)
            let unknown = OpaqueSecret.make(.access, using: api.fixture.randomness)
            for bearer in ["Bearer rca_nonsense", "Bearer \(unknown.reveal())", "Basic YTpi"] {
                let answer = try await api.send(.get, "/v1/whoami", bearer: bearer)
                #expect(answer.status == 401)
                #expect(answer.fields[.wwwAuthenticate] == #"Bearer error="invalid_token", "# + Self.metadata)
            }
            #expect(try await api.fixture.leaves(in: api.organization.id).isEmpty)
        }
    }

    @Test func `a known token that is not good any more is refused, and its owner's try is an entry`() async throws {
        try await TestAPI.with { api in
            let user = api.auditor.user
            let steps: [(reason: String, statement: SQL)] = [
                (
                    "user_deactivated",
                    "UPDATE users SET status = 'deactivated', deactivated_at = now() WHERE id = \(user)"
                ),
                (
                    "superseded",
                    "UPDATE users SET status = 'active', deactivated_at = NULL, epoch = epoch + 1 WHERE id = \(user)"
                ),
                (
                    "token_revoked",
                    """
                    WITH back AS (UPDATE users SET epoch = epoch - 1 WHERE id = \(user) RETURNING id)
                    UPDATE tokens SET revoked_at = now() FROM back WHERE user_id = back.id
                    """
                ),
            ]
            for step in steps {
                _ = try await api.fixture.owner.query(step.statement)
                let answer = try await api.get("/v1/sources", as: api.auditor)
                #expect(answer.status == 401)
                let entry = try await api.entry(.sourceRead)
                #expect(entry["reason"]?.string == step.reason)
                #expect(entry["outcome"]?.string == "refused")
                #expect(entry["actor"]?["id"]?.string == user.description)
            }
        }
    }

    @Test func `an integration calls from its addresses only`() async throws {
        try await TestAPI.with { api in
            let account = try await api.integrationAccount(ipAllowList: ["198.51.100.0/24"])
            let inside = try await api.get("/v1/whoami", as: account, from: "198.51.100.7")
            #expect(inside.status == 200)
            for address in ["192.0.2.10", "unknown"] {
                let outside = try await api.get("/v1/whoami", as: account, from: address)
                #expect(outside.status == 403)
                #expect(outside.body["reason"]?.string == "address_not_allowed")
            }
            let refused = try await api.fixture.leaves(in: api.organization.id, action: .userRead).dropFirst()
            #expect(refused.map { $0["reason"]?.string } == ["address_not_allowed", "address_not_allowed"])
            #expect(refused.first?["client_ip"]?.string == "192.0.2.10")
            #expect(refused.last?["client_ip"]?.isNull == true)
        }
    }

    @Test func `a scope that is missing is named, and the try is an entry with the operation's action`() async throws {
        try await TestAPI.with { api in
            let answer = try await api.post("/v1/workspaces", ["slug": "a", "name": "A"], as: api.auditor)
            #expect(answer.status == 403)
            #expect(answer.body["needed_scope"]?.string == "integrations:write")
            let entry = try await api.entry(.workspaceCreated)
            #expect(entry["outcome"]?.string == "refused")
            #expect(entry["reason"]?.string == "scope_missing")
            #expect(try await api.fixture.number("SELECT count(*) FROM workspaces WHERE slug = 'a'") == 0)
        }
    }

    @Test func `the document is open to anybody`() async throws {
        try await TestAPI.with { api in
            let answer = try await api.send(.get, "/v1/openapi.json")
            #expect(answer.status == 200)
            #expect(answer.body["servers"]?.array?.first?["url"]?.string == TestAPI.publicURL)
        }
    }
}

extension TestAPI {
    /// An integration's user, made for nobody, with a grant and an access token.
    func integrationAccount(
        scopes: ScopeSet = ScopeSet([.peopleRead, .peopleReadSelf]),
        ipAllowList: [String]? = nil
    ) async throws -> TestAccount {
        let integration = try await fixture.integration(in: organization, slug: "robot", rule: nil, scopes: .all)
        let user = try await fixture.integrationUser(of: integration, in: organization)
        let grant = try await fixture.grant(to: user, in: organization, scopes: scopes, ipAllowList: ipAllowList)
        return try await fixture.accessToken(of: grant)
    }
}
