import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct IdentityTests {
    @Test func `whoami says who calls, by which grant and what it may do`() async throws {
        try await TestAPI.with { api in
            let member = try await api.get("/v1/whoami", as: api.auditor)
            #expect(member.status == 200)
            #expect(member.body["organization"]?["slug"]?.string == "acme")
            #expect(member.body["user"]?["role"]?.string == "auditor")
            #expect(member.body["kind"]?.string == "member")
            #expect(member.body["grant"]?.isNull == true)
            #expect(member.body["scopes"]?.array?.contains("audit:read") == true)
            #expect(member.body["scopes"]?.array?.contains("sources:write") == false)

            let robot = try await api.integrationAccount(scopes: ScopeSet([.peopleRead]))
            let answer = try await api.get("/v1/whoami", as: robot)
            #expect(answer.body["scopes"] == ["people:read"])
            #expect(answer.body["grant"]?["client_name"]?.string == "Client")
            #expect(answer.body["workspace"]?.string == api.organization.workspace.description)
            #expect(answer.body["on_behalf_of"]?.isNull == true)

            let entry = try await api.entry(.userRead)
            #expect(entry["actor"] == ["kind": "integration_user", "id": .string(robot.user.description)])
            #expect(entry["after"]?["operation"]?.string == "whoami")
            #expect(entry["user_agent"]?.string == "test/1")
            #expect(entry["client_ip"]?.string == "192.0.2.10")
            #expect(entry["credential"]?["id"]?.string == robot.caller.credential.token.description)
        }
    }

    @Test func `scopes are the whole catalogue`() async throws {
        try await TestAPI.with { api in
            let answer = try await api.get("/v1/scopes", as: api.auditor)
            #expect(answer.items.compactMap { $0["scope"]?.string } == Scope.catalogue.map(\.scope.description))
            #expect(try await api.entry(.scopeRead)["outcome"]?.string == "done")
        }
    }
}

@Suite struct WorkspaceTests {
    @Test func `a workspace is made, listed and read, each with its entry`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/workspaces", ["slug": "finance", "name": "Finance"], as: api.admin)
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            #expect(made.fields[.location] == "/v1/workspaces/\(id)")
            #expect(try await api.fixture.text("SELECT name FROM workspaces WHERE slug = 'finance'") == "Finance")
            let entry = try await api.entry(.workspaceCreated)
            #expect(entry["target"]?["id"]?.string == id)
            #expect(entry["authority"] == ["kind": "scope", "id": "integrations:write"])

            let list = try await api.get("/v1/workspaces", as: api.auditor)
            #expect(list.items.count == 2)
            let one = try await api.get("/v1/workspaces/\(id)", as: api.auditor)
            #expect(one.body == made.body)
            #expect(try await api.entry(.workspaceRead)["target"]?["id"]?.string == id)
        }
    }

    @Test func `a slug is taken once, and the second try is an entry`() async throws {
        try await TestAPI.with { api in
            let answer = try await api.post("/v1/workspaces", ["slug": "default", "name": "Again"], as: api.admin)
            #expect(answer.status == 409)
            #expect(answer.problem == "/problems/conflict")
            let entry = try await api.entry(.workspaceCreated)
            #expect(entry["outcome"]?.string == "refused")
            #expect(entry["reason"]?.string == "conflict")
        }
    }

    @Test(arguments: [
        (#"{"slug": "Fin", "name": "F"}"#, ["/slug"]),
        (#"{"slug": "fin", "name": " "}"#, ["/name"]),
        (#"{"slug": "fin"}"#, ["/name"]),
        (#"{"slug": "fin", "name": "F", "color": 1, "~/": 2}"#, ["/color", "/~0~1"]),
        (#"{"slug": "fin", "name": null}"#, ["/name"]),
    ])
    func `what does not fit is refused with its pointer`(body: String, places: [String]) async throws {
        try await TestAPI.with { api in
            let answer = try await api.post("/v1/workspaces", try JSON.parse(Array(body.utf8)), as: api.admin)
            #expect(answer.status == 422)
            #expect(answer.places == places)
            #expect(try await api.entry(.workspaceCreated)["reason"]?.string == "invalid")
        }
    }
}
