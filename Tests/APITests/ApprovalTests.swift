import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `A second admin` {
    /// An organization that wants a second admin for both, with a second admin and a user of an integration that may write.
    private struct Scene {
        let api: TestAPI
        let second: TestAccount
        let expiry: Timestamp

        func new(_ more: JSON.Object = [:]) -> JSON {
            var grant: JSON.Object = [
                "client_name": "Batch", "workspace": "default", "username": "crm.robot",
                "expires_at": .string(expiry.description), "scopes": ["users:write"],
                "ip_allow_list": ["198.51.100.0/24"],
            ]
            for (name, value) in more.members { grant[name] = value }
            return .object(grant)
        }

        /// A request that waits.
        func asked(as account: TestAccount? = nil) async throws -> String {
            let answer = try await api.post("/v1/grants", new(), as: account ?? api.admin)
            #expect(answer.status == 202)
            return "/v1/approvals/" + (try #require(answer.body["id"]?.string))
        }

        func grants() async throws -> Int { try await api.fixture.number("SELECT count(*) FROM grants") }
    }

    private func scene(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await TestAPI.with { api in
            let fixture = api.fixture
            let integration = try await fixture.integration(
                in: api.organization,
                rule: nil,
                scopes: ScopeSet([.peopleRead, .usersWrite, .grantsWrite])
            )
            _ = try await fixture.integrationUser(of: integration, in: api.organization, custodian: api.admin.user)
            let second = try await fixture.member(.securityAdmin, in: api.organization, username: "second@acme.example")
            _ = try await fixture.owner.query(
                """
                UPDATE organizations
                SET approvals = ARRAY['grant_with_write_scope', 'grant_without_ip_restriction']
                """
            )
            let expiry = try await fixture.databaseNow() + .seconds(86_400)
            try await body(Scene(api: api, second: second, expiry: expiry))
        }
    }

    @Test func `a grant that may write waits, and is made as it was asked for`() async throws {
        try await scene { scene in
            let api = scene.api
            let asked = try await api.post("/v1/grants", scene.new(), as: api.admin, key: "one")
            #expect(asked.status == 202 && asked.body["status"] == "pending")
            #expect(asked.body["request"]?["scopes"] == ["users:write"])
            #expect(asked.body["request"]?["username"] == nil)
            let id = try #require(asked.body["id"]?.string)
            #expect(asked.fields[.location] == "/v1/approvals/\(id)")
            #expect(try await api.post("/v1/grants", scene.new(), as: api.admin, key: "one").status == 202)
            #expect(try await scene.grants() == 0)
            let agreed = try await api.post("/v1/approvals/\(id)/approve", as: scene.second)
            #expect(agreed.status == 200 && agreed.body["status"] == "approved")
            let grant = try #require(agreed.body["target"]?.string)
            let made = try await api.get("/v1/grants/\(grant)", as: api.auditor)
            #expect(made.body["scopes"] == ["users:write"] && made.body["ip_allow_list"] == ["198.51.100.0/24"])
            #expect(try await api.entry(.grantCreated)["authority"]?["id"]?.string == id)
            #expect(try await api.entry(.approvalRequested)["actor"]?["id"]?.string == api.admin.user.description)
            #expect(try await api.entry(.approvalApproved)["actor"]?["id"]?.string == scene.second.user.description)
            #expect(try await api.post("/v1/approvals/\(id)/approve", as: scene.second).status == 409)
            #expect(try await scene.grants() == 1)
        }
    }

    @Test func `a grant that only reads from known addresses waits for nobody`() async throws {
        try await scene { scene in
            let made = try await scene.api.post(
                "/v1/grants",
                scene.new(["scopes": ["people:read"]]),
                as: scene.api.admin
            )
            #expect(made.status == 201)
            let path = "/v1/grants/" + (made.body["id"]?.string ?? "")
            let renamed = try await scene.api.patch(path, ["client_name": "x"], tag: "\"v1\"", as: scene.api.admin)
            #expect(renamed.status == 200)
            for change in [["ip_allow_list": .null], ["scopes": ["people:read", "users:write"]]] as [JSON] {
                let waits = try await scene.api.patch(path, change, tag: "\"v2\"", as: scene.api.admin)
                #expect(waits.status == 202 && waits.body["kind"] == "grant.change")
            }
            #expect(try await scene.api.get(path, as: scene.api.admin).body["ip_allow_list"] != .null)
        }
    }

    @Test func `what was agreed to for a day is not had for longer without a second admin`() async throws {
        try await scene { scene in
            let id = try await scene.asked()
            let agreed = try await scene.api.post(id + "/approve", as: scene.second)
            let path = "/v1/grants/" + (agreed.body["target"]?.string ?? "")
            let later: JSON = ["expires_at": .string((scene.expiry + .seconds(1)).description)]
            let waits = try await scene.api.patch(path, later, tag: "\"v1\"", as: scene.api.admin)
            #expect(waits.status == 202 && waits.body["kind"] == "grant.change")
            let sooner: JSON = ["expires_at": .string((scene.expiry - .seconds(60)).description)]
            #expect(try await scene.api.patch(path, sooner, tag: "\"v1\"", as: scene.api.admin).status == 200)
        }
    }

    @Test func `who asked never agrees, by another token neither`() async throws {
        try await scene { scene in
            let path = try await scene.asked()
            let other = try await scene.api.fixture.token(of: scene.api.admin, in: scene.api.organization)
            for account in [scene.api.admin, other] {
                let answer = try await scene.api.post(path + "/approve", as: account)
                #expect(answer.status == 403 && answer.body["reason"] == "second_admin_needed")
            }
            #expect(try await scene.grants() == 0)
            // The table says so itself, whatever the program does.
            await #expect(throws: PostgresError.self) {
                try await scene.api.fixture.owner.query(
                    "UPDATE approvals SET status = 'approved', decided_by = requested_by, decided_at = now()"
                )
            }
            await #expect(throws: PostgresError.self) {
                try await scene.api.fixture.owner.query("UPDATE approvals SET status = 'approved', decided_at = now()")
            }
        }
    }

    @Test func `the human behind an integration user does not agree to what it asked for`() async throws {
        try await scene { scene in
            let api = scene.api
            let user = try #require(
                UserID(
                    try await api.get("/v1/users?filter=username%20eq%20%22crm.robot%22", as: api.admin)
                        .items.first?["id"]?.string ?? ""
                )
            )
            let grant = try await api.fixture.grant(
                to: user,
                in: api.organization,
                scopes: ScopeSet([.grantsWrite, .usersWrite])
            )
            let robot = try await api.fixture.accessToken(of: grant)
            let path = try await scene.asked(as: robot)
            // Its custodian is the first admin.
            #expect(try await api.post(path + "/approve", as: api.admin).status == 403)
            #expect(try await api.post(path + "/approve", as: robot).status == 403)
            #expect(try await api.post(path + "/approve", as: scene.second).status == 200)
        }
    }

    @Test func `an auditor, a member and an expired request decide nothing`() async throws {
        try await scene { scene in
            let api = scene.api
            let path = try await scene.asked()
            #expect(try await api.post(path + "/approve", as: api.auditor).status == 403)
            let member = try await api.fixture.member(.member, in: api.organization)
            #expect(try await api.post(path + "/approve", as: member).status == 403)
            _ = try await api.fixture.owner.query("UPDATE approvals SET expires_at = now()")
            #expect(try await api.post(path + "/approve", as: scene.second).status == 409)
            #expect(try await api.get(path, as: api.auditor).body["status"] == "expired")
            #expect(try await scene.grants() == 0)
        }
    }

    @Test func `refused and withdrawn requests do nothing, and withdrawing is for who asked`() async throws {
        try await scene { scene in
            let api = scene.api
            let first = try await scene.asked()
            #expect(try await api.post(first + "/withdraw", as: scene.second).status == 404)
            #expect(try await api.post(first + "/withdraw", as: api.admin).body["status"] == "withdrawn")
            #expect(try await api.post(first + "/approve", as: scene.second).status == 409)
            let other = try await scene.asked()
            #expect(try await api.post(other + "/refuse", as: scene.second).body["status"] == "refused")
            #expect(try await api.post(other + "/approve", as: scene.second).status == 409)
            #expect(try await scene.grants() == 0)
        }
    }

    @Test func `what is no longer possible has moved, and nothing is done`() async throws {
        try await scene { scene in
            let api = scene.api
            let path = try await scene.asked()
            _ = try await api.fixture.owner.query("UPDATE integrations SET scopes = ARRAY['people:read']")
            let answer = try await api.post(path + "/approve", as: scene.second)
            #expect(answer.status == 200 && answer.body["status"] == "moved")
            #expect(answer.body["reason"] == "no_longer_acceptable")
            #expect(try await scene.grants() == 0)
            #expect(try await api.entry(.approvalMoved)["reason"] == "no_longer_acceptable")
        }
    }

    @Test func `of many who agree at once it is done once`() async throws {
        try await scene { scene in
            let path = try await scene.asked()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask { try await scene.api.post(path + "/approve", as: scene.second).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + [Int](repeating: 409, count: 5))
            #expect(try await scene.grants() == 1)
        }
    }

    @Test func `needing a second admin less often needs a second admin`() async throws {
        try await scene { scene in
            let api = scene.api
            let tag = try await api.get("/v1/organization", as: api.admin).fields[.eTag]
            let asked = try await api.patch("/v1/organization", ["approvals": []], tag: tag, as: api.admin)
            #expect(asked.status == 202 && asked.body["kind"] == "organization.change")
            let named = try await api.patch("/v1/organization", ["name": "Acme Ltd"], tag: tag, as: api.admin)
            #expect(named.status == 200 && named.body["approvals"]?.array?.count == 2)
            let path = "/v1/approvals/" + (asked.body["id"]?.string ?? "")
            let moved = try await api.post(path + "/approve", as: scene.second)
            #expect(moved.body["status"] == "moved" && moved.body["reason"] == "changed_meanwhile")
            let again = try await api.patch(
                "/v1/organization",
                ["approvals": []],
                tag: named.fields[.eTag],
                as: api.admin
            )
            let agreed = try await api.post(
                "/v1/approvals/\(again.body["id"]?.string ?? "")/approve",
                as: scene.second
            )
            #expect(agreed.body["status"] == "approved")
            #expect(try await api.get("/v1/organization", as: api.auditor).body["approvals"] == [])
            #expect(try await api.post("/v1/grants", scene.new(), as: api.admin).status == 201)
        }
    }

    @Test func `a link that replaces a password is made once, by who asked, after another agreed`() async throws {
        try await scene { scene in
            let api = scene.api
            let member = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(member.user)/password-links"
            // Nobody is needed for the first password.
            let first = try await api.post(path, as: api.admin)
            #expect(first.status == 201)
            let secret = try #require(
                OpaqueSecret(String((first.body["url"]?.string ?? "").suffix(OpaqueSecret.length)))
            )
            let hash = try PasswordHash(
                of: try #require(Password(typed: "a sentence of some length")),
                cost: .cheap,
                using: api.fixture.randomness
            )
            #expect(try await api.fixture.store.setPassword(hash, by: secret, from: .init()))
            let asked = try await api.post(path, as: api.admin)
            #expect(asked.status == 202 && asked.body["kind"] == "password_link.create")
            let id = try #require(asked.body["id"]?.string)
            let use: JSON = ["approval": .string(id)]
            #expect(try await api.post(path, use, as: api.admin).status == 409)
            #expect(try await api.post("/v1/approvals/\(id)/approve", as: api.admin).status == 403)
            #expect(try await api.post("/v1/approvals/\(id)/approve", as: scene.second).body["status"] == "approved")
            #expect(try await api.post(path, use, as: scene.second).status == 409)
            let other = "/v1/users/\(scene.second.user)/password-links"
            #expect(try await api.post(other, use, as: api.admin).status == 409)
            let made = try await api.post(path, use, as: api.admin)
            #expect(made.status == 201 && made.body["url"] != nil)
            #expect(try await api.post(path, use, as: api.admin).status == 409)
            #expect(try await api.get("/v1/approvals/\(id)", as: api.auditor).body["used_at"] != .null)
        }
    }

    @Test func `another organization's request is not there`() async throws {
        try await scene { scene in
            let path = try await scene.asked()
            let other = try await scene.api.fixture.organization("other")
            let stranger = try await scene.api.fixture.securityAdmin(in: other)
            #expect(try await scene.api.get(path, as: stranger).status == 404)
            for verdict in ["approve", "refuse", "withdraw"] {
                #expect(try await scene.api.post("\(path)/\(verdict)", as: stranger).status == 404)
            }
        }
    }
}
