import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct PeopleTests {
    /// Ada of Finance, for whom the rule makes a user; Bob of Sales, for whom it does not.
    private static func twoPeople(in api: TestAPI) async throws {
        let source = try await api.fixture.source(in: api.organization)
        _ = try await api.fixture.integration(in: api.organization)
        try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
        try await api.fixture.settle()
        // Ids of one millisecond have no order.
        api.fixture.clock.advance(by: .milliseconds(1))
        try await api.fixture.deliver(
            api.fixture.event(.joiner, "e-2", userName: "bob@acme.example", department: "Sales"),
            from: source
        )
        try await api.fixture.settle()
    }

    private static func accountOfAda(in api: TestAPI, scopes: ScopeSet) async throws -> TestAccount {
        let rows = try await api.fixture.owner.query("SELECT id FROM users WHERE role = 'integration'")
        let user = try #require(try rows.first?.decode("id", as: UserID.self))
        let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: scopes)
        return try await api.fixture.accessToken(of: grant)
    }

    @Test func `an auditor sees everybody under SCIM's names`() async throws {
        try await TestAPI.with { api in
            try await Self.twoPeople(in: api)
            let list = try await api.get("/v1/people", as: api.auditor)
            #expect(list.items.compactMap { $0["userName"]?.string } == ["ada@acme.example", "bob@acme.example"])
            let ada = try #require(list.items.first)
            #expect(ada["externalId"]?.string == "e-1001")
            #expect(ada["name"]?["familyName"]?.string == "Lovelace")
            #expect(ada[CanonicalPerson.enterprise]?["department"]?.string == "Finance")
            #expect(ada["status"]?.string == "active")
            let finance = try await api.get("/v1/people?filter=department%20eq%20%22finance%22", as: api.auditor)
            #expect(finance.items == [ada])
            let id = try #require(ada["id"]?.string)
            let one = try await api.get("/v1/people/\(id)", as: api.auditor)
            #expect(one.body == ada)
            #expect(one.fields[.eTag] == "\"v1\"")
            #expect(try await api.entry(.personRead)["person"]?.string == id)
        }
    }

    @Test func `an integration sees the people of its workspace, and the entry says on whose behalf`() async throws {
        try await TestAPI.with { api in
            try await Self.twoPeople(in: api)
            let account = try await Self.accountOfAda(in: api, scopes: ScopeSet([.peopleRead]))
            let list = try await api.get("/v1/people", as: account)
            #expect(list.items.compactMap { $0["userName"]?.string } == ["ada@acme.example"])
            let entry = try await api.entry(.personRead)
            #expect(entry["actor"]?["kind"]?.string == "integration_user")
            let ada = try #require(list.items.first?["id"])
            #expect(entry["on_behalf_of"]?.array?.first?["id"] == ada)

            let bob = try #require(try await api.get("/v1/people", as: api.auditor).items.last?["id"]?.string)
            let hidden = try await api.get("/v1/people/\(bob)", as: account)
            let unknown = try await api.get("/v1/people/\(api.fixture.store.newID(PersonID.self))", as: account)
            #expect(hidden.status == 404)
            #expect(hidden.withoutRequest == unknown.withoutRequest)
            #expect(try await api.entry(.personRead)["reason"]?.string == "not_found")
        }
    }

    @Test func `a grant of another workspace sees nobody of this one`() async throws {
        try await TestAPI.with { api in
            try await Self.twoPeople(in: api)
            let made = try await api.post("/v1/workspaces", ["slug": "other", "name": "Other"], as: api.admin)
            let workspace = try #require(made.body["id"]?.string.flatMap { WorkspaceID($0) })
            let rows = try await api.fixture.owner.query("SELECT id FROM users WHERE role = 'integration'")
            let user = try #require(try rows.first?.decode("id", as: UserID.self))
            let grant = try await api.fixture.grant(
                to: user,
                in: api.organization,
                scopes: ScopeSet([.peopleRead]),
                workspace: workspace
            )
            let account = try await api.fixture.accessToken(of: grant)
            #expect(try await api.get("/v1/people", as: account).items.isEmpty)
        }
    }

    @Test func `with people read self a caller sees one person, and a user for nobody sees nobody`() async throws {
        try await TestAPI.with { api in
            try await Self.twoPeople(in: api)
            let account = try await Self.accountOfAda(in: api, scopes: ScopeSet([.peopleReadSelf]))
            #expect(try await api.get("/v1/people", as: account).items.count == 1)
            let robot = try await api.integrationAccount(scopes: ScopeSet([.peopleReadSelf]))
            #expect(try await api.get("/v1/people", as: robot).items.isEmpty)
        }
    }

    @Test func `an entry of a search holds none of its words`() async throws {
        try await TestAPI.with { api in
            _ = try await api.get("/v1/people?filter=userName%20eq%20%22ada@acme.example%22", as: api.auditor)
            let entry = try await api.entry(.personRead)
            #expect(entry["after"]?["filtered"]?.bool == true)
            #expect(!entry.text.contains("ada@acme.example"))
        }
    }
}

extension TestAPI.Answer {
    /// Status and body, but for the id of the request: what two refusals have in common.
    var withoutRequest: String {
        var object = body.object ?? [:]
        object["request_id"] = nil
        return "\(status) \(JSON.object(object).text)"
    }
}
