import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// What a human decides with their own hand, and what nobody gets by going round a second admin.
@Suite struct OwnHandTests {
    private static let everything = [
        "tokens:write", "tokens:read", "users:write", "users:read", "grants:write", "grants:read", "integrations:write",
        "integrations:read", "organization:write",
    ]

    @Test func `an app that an admin let act for them decides nothing for them`() async throws {
        try await TestAPI.with { api in
            let new: JSON = [
                "name": "Helper", "contact_email": "a@example.com", "redirect_uris": ["https://a.example.com/cb"],
                "scopes": .array(Self.everything.map(JSON.string)),
            ]
            let app = try #require(try await api.post("/v1/apps", new, as: api.admin).body["id"]?.string)
            let approved = try await api.approval(of: try #require(AppID(app)), by: api.admin, scopes: Self.everything)
            let expiry = try await api.fixture.databaseNow() + .seconds(3000)
            let token: JSON = [
                "name": "Mine", "scopes": ["users:read"], "expires_at": .string(expiry.description),
            ]
            let member = try await api.fixture.member(.member, in: api.organization)
            let grant = api.fixture.store.newID(GrantID.self)
            let asked: [(HTTPRequest.Method, String, JSON?)] = [
                (.post, "/v1/tokens", token), (.post, "/v1/apps", new), (.post, "/v1/apps/\(app)/rotate-secret", nil),
                (.post, "/v1/users/\(member.user)/password-links", nil),
                (.post, "/v1/users/\(member.user)/role", ["role": "auditor"]),
                (.post, "/v1/grants/\(grant)/keys", ["jwks_url": "https://keys.example/"]),
                (.post, "/v1/approvals/\(api.fixture.store.newID(ApprovalID.self))/approve", nil),
                (.get, "/v1/authorizations", nil), (.delete, "/v1/authorizations/\(approved.id)", nil),
            ]
            for (method, path, body) in asked {
                let answer = try await api.send(method, path, body, bearer: approved.bearer)
                #expect(answer.status == 403, "\(method) \(path)")
            }
            #expect(try await api.send(.get, "/v1/users", bearer: approved.bearer).status == 200)
            #expect(
                try await api.fixture.number("SELECT count(*) FROM tokens WHERE kind = 'personal' AND name = 'Mine'")
                    == 0
            )
        }
    }

    @Test func `the command line is its user's own hand`() async throws {
        try await TestAPI.with { api in
            let id = try await api.commandLine()
            let approved = try await api.approval(of: id, by: api.admin, scopes: Self.everything)
            #expect(try await api.send(.get, "/v1/authorizations", bearer: approved.bearer).status == 200)
            let member = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(member.user)/role"
            #expect(try await api.send(.post, path, ["role": "auditor"], bearer: approved.bearer).status == 200)
        }
    }

    @Test func `nobody walks into an admin's account by a link made alone`() async throws {
        try await TestAPI.with { api in
            let other = try await api.fixture.member(.securityAdmin, in: api.organization, username: "o@acme.example")
            let path = "/v1/users/\(other.user)/password-links"
            let waits = try await api.post(path, as: api.admin)
            #expect(waits.status == 202 && waits.body["url"] == nil)
            // Their own, and a plain member's first one, need nobody.
            #expect(try await api.post("/v1/users/\(api.admin.user)/password-links", as: api.admin).status == 201)
            let member = try await api.fixture.member(.member, in: api.organization)
            #expect(try await api.post("/v1/users/\(member.user)/password-links", as: api.admin).status == 201)
        }
    }

    @Test func `whoever is no admin makes no password link, whatever the scope`() async throws {
        try await TestAPI.with { api in
            let integration = try await api.fixture.integration(
                in: api.organization,
                rule: nil,
                scopes: ScopeSet([.usersWrite])
            )
            let user = try await api.fixture.integrationUser(
                of: integration,
                in: api.organization,
                custodian: api.admin.user
            )
            let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: ScopeSet([.usersWrite]))
            let robot = try await api.fixture.accessToken(of: grant)
            let member = try await api.fixture.member(.member, in: api.organization)
            #expect(try await api.post("/v1/users/\(member.user)/password-links", as: robot).status == 403)
            #expect(try await api.fixture.number("SELECT count(*) FROM password_links") == 0)
        }
    }

    @Test func `an integration user gives nobody more than it has, and itself nothing`() async throws {
        try await TestAPI.with { api in
            let all = ScopeSet([.peopleRead, .usersWrite, .grantsWrite, .grantsRead])
            let integration = try await api.fixture.integration(in: api.organization, rule: nil, scopes: all)
            let user = try await api.fixture.integrationUser(
                of: integration,
                in: api.organization,
                custodian: api.admin.user
            )
            let held = ScopeSet([.grantsWrite, .grantsRead, .peopleRead])
            let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: held)
            let robot = try await api.fixture.accessToken(of: grant)
            let path = "/v1/grants/\(grant)"
            let tag = try await api.get(path, as: robot).fields[.eTag]
            for change: JSON in [
                ["client_name": "Mine"], ["ip_allow_list": .null], ["scopes": ["grants:write", "users:write"]],
            ] {
                #expect(try await api.patch(path, change, tag: tag, as: robot).status == 403)
            }
            let expiry = try await api.fixture.databaseNow() + .seconds(86_400)
            func new(_ scope: String) -> JSON {
                [
                    "client_name": "Batch", "workspace": "default", "username": "crm.robot",
                    "expires_at": .string(expiry.description), "scopes": [.string(scope)], "ip_allow_list": .null,
                ]
            }
            #expect(try await api.post("/v1/grants", new("users:write"), as: robot).status == 403)
            #expect(try await api.post("/v1/grants", new("people:read"), as: robot).status == 201)
            // A wider grant moved to its own user is one that it did not have.
            let other = try await api.fixture.integrationUser(
                of: integration,
                in: api.organization,
                username: "crm.other",
                custodian: api.admin.user
            )
            let wide = try await api.fixture.grant(to: other, in: api.organization, scopes: all)
            let later = try await api.fixture.databaseNow() + .seconds(200 * 86_400)
            for change: JSON in [
                ["username": "crm.robot"], ["ip_allow_list": ["198.51.100.0/24"]],
                ["expires_at": .string(later.description)],
            ] {
                let moved = try await api.patch("/v1/grants/\(wide)", change, tag: "\"v1\"", as: robot)
                #expect(moved.status == 403, "\(change)")
            }
        }
    }

    @Test func `an integration user leads nobody to what it has not itself`() async throws {
        try await TestAPI.with { api in
            let own = try await api.fixture.integration(
                in: api.organization,
                rule: nil,
                scopes: ScopeSet([.integrationsWrite, .integrationsRead])
            )
            let user = try await api.fixture.integrationUser(of: own, in: api.organization, custodian: api.admin.user)
            let held = ScopeSet([.integrationsWrite, .integrationsRead])
            let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: held)
            let robot = try await api.fixture.accessToken(of: grant)
            let wide = try await api.fixture.integration(
                in: api.organization,
                slug: "payroll",
                scopes: ScopeSet([.usersWrite])
            )
            let path = "/v1/integrations/\(wide)"
            let tag = try await api.get(path, as: robot).fields[.eTag]
            for change: JSON in [
                ["rule": "userName eq \"me@acme.example\""], ["ip_allow_list": ["198.51.100.0/24"]],
                ["status": "disabled"], ["grant_lifetime": "P9Y"], ["workspace": "elsewhere"],
                ["custodian": .string(api.admin.user.description)],
            ] { #expect(try await api.patch(path, change, tag: tag, as: robot).status == 403, "\(change)") }
            #expect(try await api.patch(path, ["name": "Wages"], tag: tag, as: robot).status == 200)
        }
    }

    @Test func `nobody registers keys for a grant by a token that may less, or by a personal one`() async throws {
        try await TestAPI.with { api in
            let robot = try await api.integrationAccount()
            let grant = try #require(robot.caller.grant)
            _ = try await api.fixture.owner.query(
                "UPDATE users SET custodian_id = \(api.admin.user) WHERE id = \(robot.user)"
            )
            let path = "/v1/grants/\(grant)/keys"
            let keys: JSON = ["jwks_url": "https://keys.example/jwks.json"]
            #expect(try await api.post(path, keys, as: api.admin).status == 403)
            let line = try await api.commandLine()
            let narrow = try await api.approval(of: line, by: api.admin, scopes: ["tokens:write"])
            #expect(try await api.send(.post, path, keys, bearer: narrow.bearer).status == 403)
            #expect(try await api.get("/v1/whoami", as: robot).status == 200)
            _ = try await api.fixture.owner.query("UPDATE authorizations SET status = 'ended', ended_at = now()")
            let wide = try await api.approval(of: line, by: api.admin, scopes: ScopeSet.all.names)
            #expect(try await api.send(.post, path, keys, bearer: wide.bearer).status == 200)
            #expect(try await api.get("/v1/whoami", as: robot).status == 401)
        }
    }

    @Test func `another custodian gets no secret that the former one knows`() async throws {
        try await TestAPI.with { api in
            let robot = try await api.integrationAccount()
            let keeper = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(robot.user)/custodian"
            let wanted: JSON = ["custodian": .string(keeper.user.description)]
            for (account, status) in [(api.auditor, 403), (keeper, 403)] {
                #expect(try await api.post(path, wanted, as: account).status == status)
            }
            let nobody: JSON = ["custodian": .string(robot.user.description)]
            #expect(try await api.post(path, nobody, as: api.admin).places == ["/custodian"])
            let named = try await api.post(path, wanted, as: api.admin)
            #expect(named.status == 200 && named.body["custodian"]?.string == keeper.user.description)
            #expect(try await api.get("/v1/whoami", as: robot).status == 401)
            #expect(try await api.fixture.number("SELECT count(*) FROM grant_secrets WHERE ended_at IS NULL") == 0)
            #expect(try await api.entry(.userCustodianChanged)[pointer: "/after/custodian"] == wanted["custodian"])
            // Members and persons' users have none.
            #expect(try await api.post("/v1/users/\(keeper.user)/custodian", wanted, as: api.admin).status == 409)
            // What a second admin agreed to is not for one to take.
            _ = try await api.fixture.owner.query(
                "UPDATE organizations SET approvals = ARRAY['grant_without_ip_restriction']"
            )
            let second = try await api.fixture.member(.securityAdmin, in: api.organization, username: "s@acme.example")
            let own: JSON = ["custodian": .string(api.admin.user.description)]
            let waits = try await api.post(path, own, as: api.admin)
            #expect(waits.status == 202 && waits.body["kind"] == "custodian.assign")
            let approval = "/v1/approvals/" + (waits.body["id"]?.string ?? "") + "/approve"
            #expect(try await api.post(approval, as: second).body["status"] == "approved")
            let read = try await api.get("/v1/users/\(robot.user)", as: api.admin)
            #expect(read.body["custodian"] == own["custodian"])
        }
    }

    @Test(arguments: [
        ["0.0.0.0/0", "::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["198.51.100.0/24", "2000::/3"],
        (1...100).map { "\($0).0.0.0/8" },
    ])
    func `a list that lets in everybody is no restriction`(list: [String]) async throws {
        try await TestAPI.with { api in
            let integration = try await api.fixture.integration(in: api.organization, rule: nil)
            _ = try await api.fixture.integrationUser(of: integration, in: api.organization, custodian: api.admin.user)
            _ = try await api.fixture.owner.query(
                "UPDATE organizations SET approvals = ARRAY['grant_without_ip_restriction']"
            )
            let expiry = try await api.fixture.databaseNow() + .seconds(86_400)
            func new(_ list: [String]) -> JSON {
                [
                    "client_name": "Batch", "workspace": "default", "username": "crm.robot",
                    "expires_at": .string(expiry.description), "scopes": ["people:read.self"],
                    "ip_allow_list": .array(list.map(JSON.string)),
                ]
            }
            #expect(try await api.post("/v1/grants", new(list), as: api.admin).status == 202)
            let narrow = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "2001:db8::/32"]
            #expect(try await api.post("/v1/grants", new(narrow), as: api.admin).status == 201)
        }
    }

    @Test func `nobody makes their own second admin`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(member.user)/role"
            // Whatever the organization settled: there is a second admin, or there are two who may replace passwords.
            let second = try await api.fixture.member(.securityAdmin, in: api.organization, username: "s@acme.example")
            // What is less than an admin waits for nobody.
            #expect(try await api.post(path, ["role": "auditor"], as: api.admin).status == 200)
            let waits = try await api.post(path, ["role": "security_admin"], as: api.admin)
            #expect(waits.status == 202 && waits.body["kind"] == "role.assign")
            #expect(waits.body["request"]?["role"] == "security_admin")
            let user = "/v1/users/\(member.user)"
            #expect(try await api.get(user, as: api.auditor).body["role"] == "auditor")
            let approval = "/v1/approvals/" + (waits.body["id"]?.string ?? "")
            #expect(try await api.post(approval + "/approve", as: api.admin).status == 403)
            #expect(try await api.post(approval + "/approve", as: second).body["status"] == "approved")
            #expect(try await api.get(user, as: api.auditor).body["role"] == "security_admin")
            #expect(try await api.entry(.userRoleChanged)["authority"]?["kind"] == "approval")
        }
    }

    @Test func `the only admin makes a second one, and from then on nobody alone`() async throws {
        try await TestAPI.with { api in
            let first = try await api.fixture.member(.member, in: api.organization)
            let next = try await api.fixture.member(.member, in: api.organization, username: "next@acme.example")
            let role: JSON = ["role": "security_admin"]
            #expect(try await api.post("/v1/users/\(first.user)/role", role, as: api.admin).status == 200)
            #expect(try await api.post("/v1/users/\(next.user)/role", role, as: api.admin).status == 202)
        }
    }

    @Test func `nobody takes another admin's role alone to be without a second one`() async throws {
        try await TestAPI.with { api in
            let second = try await api.fixture.member(.securityAdmin, in: api.organization, username: "s@acme.example")
            let path = "/v1/users/\(second.user)/role"
            let waits = try await api.post(path, ["role": "member"], as: api.admin)
            #expect(waits.status == 202 && waits.body["kind"] == "role.assign")
            let approval = "/v1/approvals/" + (waits.body["id"]?.string ?? "") + "/approve"
            #expect(try await api.post(approval, as: second).body["status"] == "approved")
            #expect(try await api.get("/v1/users/\(second.user)", as: api.admin).body["role"] == "member")
        }
    }

    @Test func `a workspace token that was made with a personal one ends with it, and its user`() async throws {
        try await TestAPI.with { api in
            let workspaces = try await api.get("/v1/workspaces", as: api.admin)
            let workspace = try #require(workspaces.items.first?["id"]?.string)
            let expiry = try await api.fixture.databaseNow() + .seconds(3600)
            let own: JSON = [
                "name": "Mine", "scopes": ["tokens:write", "people:read"], "expires_at": .string(expiry.description),
            ]
            let personal = try await api.post("/v1/tokens", own, as: api.admin)
            let new: JSON = ["name": "Reports", "scopes": ["people:read"]]
            let bearer = "Bearer " + (personal.body["token"]?.string ?? "")
            let made = try await api.send(.post, "/v1/workspaces/\(workspace)/tokens", new, bearer: bearer)
            #expect(made.status == 201)
            let there = "Bearer " + (made.body["token"]?.string ?? "")
            #expect(try await api.send(.get, "/v1/people", bearer: there).status == 200)
            let path = "/v1/tokens/\(personal.body["id"]?.string ?? "")"
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            #expect(try await api.send(.get, "/v1/people", bearer: there).status == 401)
            let user = try await api.get("/v1/users/\(made.body["user"]?.string ?? "")", as: api.admin)
            #expect(user.body["status"] == "deactivated")
        }
    }

    @Test func `a workspace token that two agreed to is not prolonged by one`() async throws {
        try await TestAPI.with { api in
            let workspaces = try await api.get("/v1/workspaces", as: api.admin)
            let workspace = try #require(workspaces.items.first?["id"]?.string)
            let new: JSON = ["name": "Writes", "scopes": ["users:write"]]
            let made = try await api.post("/v1/workspaces/\(workspace)/tokens", new, as: api.admin)
            let path = "/v1/tokens/\(made.body["id"]?.string ?? "")/refresh"
            _ = try await api.fixture.owner.query(
                "UPDATE organizations SET approvals = ARRAY['grant_with_write_scope']"
            )
            let far = try await api.fixture.databaseNow() + .seconds(30 * 86_400)
            let longer: JSON = ["expires_at": .string(far.description)]
            #expect(try await api.post(path, longer, as: api.admin).places == ["/expires_at"])
            let kept = try await api.post(path, as: api.admin)
            #expect(kept.status == 201 && kept.body["expires_at"] == made.body["expires_at"])
        }
    }

    @Test func `whoever refreshes a workspace token answers for it`() async throws {
        try await TestAPI.with { api in
            let workspaces = try await api.get("/v1/workspaces", as: api.admin)
            let workspace = try #require(workspaces.items.first?["id"]?.string)
            let new: JSON = ["name": "Reports", "scopes": ["people:read"]]
            let made = try await api.post("/v1/workspaces/\(workspace)/tokens", new, as: api.admin)
            let id = try #require(made.body["id"]?.string)
            let user = try #require(made.body["user"]?.string)
            let second = try await api.fixture.member(.securityAdmin, in: api.organization, username: "s@acme.example")
            #expect(try await api.post("/v1/tokens/\(id)/refresh", as: second).status == 201)
            let read = try await api.get("/v1/users/\(user)", as: api.admin)
            #expect(read.body["custodian"]?.string == second.user.description)
        }
    }
}

extension TestAPI {
    /// The organization's app for the command line.
    func commandLine() async throws -> AppID {
        let id = fixture.store.newID(AppID.self)
        _ = try await fixture.owner.query(
            """
            INSERT INTO apps (organization_id, id, name, contact_email, redirect_uris, scopes, is_confidential,
                access_lifetime_seconds, status, created_at, updated_at, origin, client_name)
            VALUES (\(organization.id), \(id), 'CLI', 'a@example.com', ARRAY['http://127.0.0.1/callback'],
                \(ScopeSet.all.names), false, 3600, 'active', now(), now(), 'built_in', \(CommandLineClient.name))
            """
        )
        return id
    }
}
