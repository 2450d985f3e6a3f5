import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Scopes of an organization's own` {
    private func integration(_ api: TestAPI, scopes: JSON) async throws -> TestAPI.Answer {
        try await api.post(
            "/v1/integrations",
            [
                "slug": "billing", "name": "Billing", "contact_email": "b@example.com", "workspace": "default",
                "scopes": scopes, "rule": .null, "grant_lifetime": "P90D", "ip_allow_list": .null,
            ],
            as: api.admin
        )
    }

    @Test func `one is added, listed, given and taken away, and other organizations have none of it`() async throws {
        try await TestAPI.with { api in
            #expect(try await integration(api, scopes: ["invoices:read"]).places == ["/scopes/0"])
            let new: JSON = ["scope": "invoices:read", "opens": "Read invoices"]
            #expect(try await api.post("/v1/scopes", new, as: api.auditor).status == 403)
            let made = try await api.post("/v1/scopes", new, as: api.admin)
            #expect(made.status == 201 && made.body["read_only"] == true && made.body["built_in"] == false)
            #expect(try await api.post("/v1/scopes", new, as: api.admin).status == 409)
            #expect(try await api.get("/v1/scopes", as: api.auditor).items.last?["scope"] == "invoices:read")
            #expect(try await integration(api, scopes: ["invoices:read", "people:read"]).status == 201)
            let other = try await api.fixture.organization("other")
            let stranger = try await api.fixture.securityAdmin(in: other)
            #expect(try await !api.get("/v1/scopes", as: stranger).items.contains { $0["scope"] == "invoices:read" })
            #expect(try await api.send(.delete, "/v1/scopes/invoices:read", as: stranger).status == 404)
        }
    }

    @Test func `a token of a grant carries it, and removing it asks, names and takes it everywhere`() async throws {
        try await TestAPI.with { api in
            _ = try await api.post("/v1/scopes", ["scope": "invoices:read", "opens": "Read"], as: api.admin)
            let scope = try #require(Scope("invoices:read"))
            let scopes = ScopeSet([scope, .peopleRead])
            let integration = try await api.fixture.integration(in: api.organization, rule: nil, scopes: scopes)
            let user = try await api.fixture.integrationUser(of: integration, in: api.organization)
            let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: scopes)
            let robot = try await api.fixture.accessToken(of: grant)
            #expect(robot.caller.scopes == scopes)
            let asked = try await api.send(.delete, "/v1/scopes/invoices:read", as: api.admin)
            #expect(asked.status == 409 && asked.problem == "/problems/confirmation-required")
            let detail = try #require(asked.body["detail"]?.string)
            #expect(detail.contains("1 grants") && detail.contains("1 integrations"))
            let value = try #require(asked.body["confirmation"]?.string)
            let path = "/v1/scopes/invoices:read?confirmation=\(value)"
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            #expect(try await api.fixture.store.facts(of: robot.token)?.caller.scopes == ScopeSet([.peopleRead]))
            #expect(try await api.send(.delete, path, as: api.admin).status == 404)
            #expect(try await api.entry(.scopeRemoved)["outcome"] == "refused")
        }
    }

    @Test func `removing it reaches apps, consents, and every token, each with its entry`() async throws {
        try await TestAPI.with { api in
            let fixture = api.fixture
            _ = try await api.post("/v1/scopes", ["scope": "invoices:read", "opens": "Read"], as: api.admin)
            let organization = api.organization.id
            let user = api.admin.user
            _ = try await fixture.owner.query(
                """
                INSERT INTO apps (organization_id, id, name, contact_email, redirect_uris, scopes, is_confidential,
                    access_lifetime_seconds, status, created_at, updated_at)
                VALUES (\(organization), gen_random_uuid(), 'Wide', 'a@acme.example', '{https://a.example/}',
                    '{invoices:read,people:read}', false, 3600, 'active', now(), now())
                """
            )
            _ = try await fixture.owner.query(
                """
                INSERT INTO authorizations (organization_id, id, app_id, user_id, scopes, status, approved_at, created_at)
                SELECT organization_id, gen_random_uuid(), id, \(user), '{invoices:read}', 'active', now(), now() FROM apps
                """
            )
            for (kind, scopes) in [
                ("personal", "{invoices:read}"), ("personal", "{invoices:read,people:read}"),
                ("refresh", "{invoices:read}"),
            ] {
                _ = try await fixture.owner.query(
                    """
                    INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, user_epoch, issued_at, expires_at)
                    VALUES (\(organization), gen_random_uuid(), \(kind), uuid_send(gen_random_uuid()), \(user),
                        \(scopes)::text::text[], 1, now(), now() + interval '1 hour')
                    """
                )
            }
            let asked = try await api.send(.delete, "/v1/scopes/invoices:read", as: api.admin)
            let detail = try #require(asked.body["detail"]?.string)
            #expect(
                detail.contains("1 apps") && detail.contains("1 authorizations, 1 of which")
                    && detail.contains("2 tokens")
            )
            let value = try #require(asked.body["confirmation"]?.string)
            let path = "/v1/scopes/invoices:read?confirmation=\(value)"
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            let left: SQL = """
                SELECT (SELECT count(*) FROM apps WHERE 'invoices:read' = ANY(scopes))
                    + (SELECT count(*) FROM authorizations WHERE 'invoices:read' = ANY(scopes))
                    + (SELECT count(*) FROM tokens WHERE 'invoices:read' = ANY(scopes))
                """
            #expect(try await fixture.number(left) == 0)
            #expect(try await fixture.text("SELECT status || epoch FROM authorizations") == "ended2")
            let ended: SQL = "SELECT count(*) FROM tokens WHERE cardinality(scopes) = 0 AND revoked_at IS NOT NULL"
            #expect(try await fixture.number(ended) == 2)
            #expect(try await api.entry(.appUpdated)["reason"] == "scope_removed")
            #expect(try await api.entry(.authorizationEnded)["reason"] == "scope_removed")
            #expect(try await api.entry(.tokenRevoked)["reason"] == "scope_removed")
            #expect(try await api.entry(.tokenUpdated)["reason"] == "scope_removed")
            #expect(try await fixture.number("SELECT count(*) FROM access_endings WHERE subject = 'organization'") == 1)
        }
    }

    @Test func `what has no other scope keeps it`() async throws {
        try await TestAPI.with { api in
            _ = try await api.post("/v1/scopes", ["scope": "invoices:write", "opens": "Write"], as: api.admin)
            let scope = try #require(Scope("invoices:write"))
            _ = try await api.fixture.integration(in: api.organization, rule: nil, scopes: ScopeSet([scope]))
            let refused = try await api.send(.delete, "/v1/scopes/invoices:write", as: api.admin)
            #expect(refused.status == 409 && refused.problem == "/problems/conflict")
            #expect(refused.body["detail"]?.string?.contains("crm") == true, "it is named")
            #expect(try await api.fixture.number("SELECT count(*) FROM scopes") == 1)
        }
    }

    @Test(arguments: [
        "people:delete", "users:read", "mcp", "scopes:read", "offline_access", "a:b:c", ":read", "invoices:",
        "Invoices:read",
    ])
    func `a name that Rollcall keeps for itself, or that is none, is refused`(name: String) async throws {
        try await TestAPI.with { api in
            let answer = try await api.post("/v1/scopes", ["scope": .string(name), "opens": "x"], as: api.admin)
            #expect(answer.status == 422 && answer.places == ["/scope"])
        }
    }
}

@Suite struct `Workspaces and roles` {
    @Test func `a workspace is changed, and removed only while nothing was attributed to it`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/workspaces", ["slug": "tax", "name": "Tax"], as: api.admin)
            let path = "/v1/workspaces/" + (made.body["id"]?.string ?? "")
            let changed = try await api.patch(path, ["name": "Taxes"], tag: "\"v1\"", as: api.admin)
            #expect(changed.status == 200 && changed.body["name"] == "Taxes" && changed.body["slug"] == "tax")
            #expect(try await api.patch(path, ["name": "x"], tag: "\"v1\"", as: api.admin).status == 412)
            #expect(try await api.patch(path, ["slug": "default"], tag: "\"v2\"", as: api.admin).status == 409)
            #expect(try await api.send(.delete, path, as: api.auditor).status == 403)
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            #expect(try await api.send(.delete, path, as: api.admin).status == 404)
            _ = try await api.fixture.integration(in: api.organization, rule: nil)
            let used = try await api.send(.delete, "/v1/workspaces/\(api.organization.workspace)", as: api.admin)
            #expect(used.status == 409)
        }
    }

    @Test func `a member gets a role and loses it, and every token ends with the change`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(member.user)/role"
            let raised = try await api.post(path, ["role": "auditor"], as: api.admin)
            #expect(raised.status == 200 && raised.body["role"] == "auditor")
            #expect(try await api.get("/v1/whoami", as: member).status == 401)
            let fresh = try await api.fixture.token(of: member, in: api.organization)
            #expect(try await api.get("/v1/users", as: fresh).status == 200)
            #expect(try await api.post(path, ["role": "member"], as: api.admin).status == 200)
            #expect(try await api.get("/v1/users", as: fresh).status == 401)
            let entry = try await api.entry(.userRoleChanged)
            #expect(entry["before"]?["role"] == "auditor" && entry["after"]?["role"] == "member")
        }
    }

    @Test func `the last security admin stays one, and one's own role asks`() async throws {
        try await TestAPI.with { api in
            let path = "/v1/users/\(api.admin.user)/role"
            let last = try await api.post(path, ["role": "member"], as: api.admin)
            #expect(last.status == 409 && last.problem == "/problems/conflict")
            let second = try await api.fixture.member(.securityAdmin, in: api.organization, username: "s@acme.example")
            let asked = try await api.post(path, ["role": "member"], as: api.admin)
            #expect(asked.status == 409 && asked.problem == "/problems/confirmation-required")
            let confirmed: JSON = ["role": "member", "confirmation": asked.body["confirmation"] ?? .null]
            #expect(try await api.post(path, confirmed, as: api.admin).status == 200)
            let other = "/v1/users/\(second.user)/role"
            #expect(try await api.post(other, ["role": "auditor"], as: second).status == 409)
        }
    }

    @Test func `of two admins who lay down their role at once one stays`() async throws {
        try await TestAPI.with { api in
            let second = try await api.fixture.member(.securityAdmin, in: api.organization, username: "s@acme.example")
            @Sendable func layDown(_ account: TestAccount) async throws -> Int {
                let path = "/v1/users/\(account.user)/role"
                let asked = try await api.post(path, ["role": "member"], as: account)
                let confirmed: JSON = ["role": "member", "confirmation": asked.body["confirmation"] ?? .null]
                return try await api.post(path, confirmed, as: account).status
            }
            async let one = layDown(api.admin)
            async let two = layDown(second)
            let statuses = try await [one, two]
            #expect(statuses.contains(200))
            let left = "SELECT count(*) FROM users WHERE role = 'security_admin' AND status = 'active'" as SQL
            #expect(try await api.fixture.number(left) == 1)
        }
    }

    @Test func `roles are for members, and given by security admins alone`() async throws {
        try await TestAPI.with { api in
            let scopes = ScopeSet([.usersWrite, .usersRead])
            let integration = try await api.fixture.integration(in: api.organization, rule: nil, scopes: scopes)
            let user = try await api.fixture.integrationUser(of: integration, in: api.organization)
            let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: scopes)
            let robot = try await api.fixture.accessToken(of: grant)
            let member = try await api.fixture.member(.member, in: api.organization)
            #expect(
                try await api.post("/v1/users/\(member.user)/role", ["role": "security_admin"], as: robot).status == 403
            )
            #expect(
                try await api.post("/v1/users/\(user)/role", ["role": "security_admin"], as: api.admin).status == 409
            )
            for role in ["integration", "source", "root"] {
                let answer = try await api.post("/v1/users/\(member.user)/role", ["role": .string(role)], as: api.admin)
                #expect(answer.status == 422 && answer.places == ["/role"])
            }
        }
    }
}
