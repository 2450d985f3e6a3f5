import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct UserTests {
    private static func newUser(_ integration: IntegrationID, custodian: UserID) -> JSON {
        [
            "kind": "integration", "integration": .string(integration.description), "username": "payroll.batch",
            "custodian": .string(custodian.description),
        ]
    }

    @Test func `a user of an integration is made with its custodian`() async throws {
        try await TestAPI.with { api in
            let integration = try await api.fixture.integration(in: api.organization)
            let made = try await api.post(
                "/v1/users",
                Self.newUser(integration, custodian: api.auditor.user),
                as: api.admin
            )
            #expect(made.status == 201)
            #expect(made.body["role"]?.string == "integration")
            #expect(made.body["custodian"]?.string == api.auditor.user.description)
            let id = try #require(made.body["id"]?.string)
            #expect(try await api.get("/v1/users/\(id)", as: api.auditor).body == made.body)
            let entry = try await api.entry(.userCreated)
            #expect(entry["target"]?["id"]?.string == id)
            #expect(entry["after"]?["integration"]?.string == integration.description)
            let again = try await api.post(
                "/v1/users",
                Self.newUser(integration, custodian: api.auditor.user),
                as: api.admin
            )
            #expect(again.status == 409)
        }
    }

    @Test func `an unknown integration and a custodian who is no active member are refused together`() async throws {
        try await TestAPI.with { api in
            let integration = try await api.fixture.integration(in: api.organization)
            let robot = try await api.fixture.integrationUser(of: integration, in: api.organization)
            let unknown = api.fixture.store.newID(IntegrationID.self)
            let answer = try await api.post("/v1/users", Self.newUser(unknown, custodian: robot), as: api.admin)
            #expect(answer.status == 422)
            #expect(answer.places == ["/integration", "/custodian"])
        }
    }

    @Test func `members are not made here`() async throws {
        try await TestAPI.with { api in
            var body = try #require(Self.newUser(api.fixture.store.newID(), custodian: api.admin.user).object)
            body["kind"] = "member"
            #expect(try await api.post("/v1/users", .object(body), as: api.admin).places == ["/kind"])
        }
    }

    @Test func `deactivating ends tokens, grants and claim links at once, each with its entry`() async throws {
        try await TestAPI.with { api in
            let robot = try await api.integrationAccount()
            let grant = try #require(robot.caller.grant)
            let link = ClaimLinkCreation(
                for: grant,
                by: api.admin.caller,
                Attribution(caller: api.admin.caller, origin: .init(), receivedAt: api.fixture.clock.now()),
                in: api.fixture.store
            )
            let created = try await api.fixture.store.perform(link, in: api.organization.id)
            #expect(try await api.get("/v1/whoami", as: robot).status == 200)

            let path = "/v1/users/\(robot.user)/deactivate"
            let answer = try await api.post(path, as: api.admin)
            #expect(answer.status == 200)
            #expect(answer.body["status"]?.string == "deactivated")
            #expect(try await api.get("/v1/whoami", as: robot).status == 401)
            #expect(try await api.fixture.text("SELECT status FROM grants WHERE id = \(grant)") == "ended")
            #expect(try await api.fixture.store.claimLink(created.secret) == nil)
            #expect(try await api.entry(.userDeactivated)["after"] == ["status": "deactivated"])
            #expect(try await api.entry(.grantEnded)["target"]?["id"]?.string == grant.description)
            #expect(try await api.entry(.claimLinkEnded)["reason"]?.string == "user_deactivated")

            let again = try await api.post(path, as: api.admin)
            #expect(again.body == answer.body)
            #expect(try await api.entry(.userDeactivated)["reason"]?.string == "unchanged")
        }
    }

    @Test func `one's own account wants to be confirmed`() async throws {
        try await TestAPI.with { api in
            _ = try await api.fixture.member(.securityAdmin, in: api.organization, username: "second@acme.example")
            let path = "/v1/users/\(api.admin.user)/deactivate"
            let asked = try await api.post(path, as: api.admin)
            #expect(asked.status == 409)
            #expect(asked.problem == "/problems/confirmation-required")
            let value = try #require(asked.body["confirmation"])
            #expect(try await api.post(path, ["confirmation": "yes"], as: api.admin).status == 409)
            #expect(try await api.post(path, ["confirmation": value], as: api.admin).status == 200)
            #expect(try await api.get("/v1/whoami", as: api.admin).status == 401)
        }
    }

    @Test func `the last active security admin stays, also when two go at once`() async throws {
        try await TestAPI.with { api in
            let second = try await api.fixture.member(
                .securityAdmin,
                in: api.organization,
                username: "second@acme.example"
            )
            async let one = api.post("/v1/users/\(second.user)/deactivate", as: api.admin)
            async let other = api.post("/v1/users/\(api.admin.user)/deactivate", as: second)
            // Whoever is first; the other is the last by then, or has no good token any more.
            let statuses = try await [one.status, other.status].sorted()
            #expect(statuses.first == 200)
            #expect([401, 409].contains(statuses.last))
            let left = try await api.fixture.number(
                "SELECT count(*) FROM users WHERE role = 'security_admin' AND status = 'active'"
            )
            #expect(left == 1)
        }
    }

    @Test func `a source's user cannot be deactivated`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let answer = try await api.post("/v1/users/\(source.user)/deactivate", as: api.admin)
            #expect(answer.status == 409)
            #expect(try await api.entry(.userDeactivated)["outcome"]?.string == "refused")
        }
    }
}
