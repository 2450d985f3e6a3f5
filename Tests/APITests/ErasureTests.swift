import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct ErasureTests {
    /// Ada, who came and left.
    private static func ada(in api: TestAPI) async throws -> String {
        let source = try await api.fixture.source(in: api.organization)
        try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
        try await api.fixture.settle()
        try await api.fixture.deliver(api.fixture.event(.leaver, userName: nil, department: nil), from: source)
        try await api.fixture.settle()
        return try #require(try await api.get("/v1/people", as: api.auditor).items.first?["id"]?.string)
    }

    @Test func `a security admin erases a person, and means it`() async throws {
        try await TestAPI.with { api in
            let id = try await Self.ada(in: api)
            let path = "/v1/people/\(id)/erasure"
            #expect(try await api.post(path, [:], as: api.auditor).status == 403)
            let asked = try await api.post(path, [:], as: api.admin)
            #expect(asked.status == 409)
            let confirmation = try #require(asked.body["confirmation"]?.string)
            #expect(confirmation == id)
            let erased = try await api.post(path, ["confirmation": .string(confirmation)], as: api.admin)
            #expect(erased.status == 200)
            #expect(erased.body["status"]?.string == "executed")
            let person = try await api.get("/v1/people/\(id)", as: api.auditor)
            #expect(person.body["erased_at"]?.string != nil)
            #expect(person.body["externalId"]?.string == "erased.\(id)")
            #expect(!person.body.text.contains("ada@acme.example"))
            let listed = try await api.get("/v1/erasures", as: api.auditor)
            #expect(listed.items.map { $0["person"]?.string } == [id])
            let made = try await api.get("/v1/audit/entries?action=person.created", as: api.auditor).items.first
            #expect(made?["erased"]?.bool == true)
            #expect(made?["disclosed"]?["after"] == [:])
            #expect(made?["display"]?["person"]?.string == "erased.\(id)")
        }
    }

    @Test func `where the organization wants a second admin, one agrees`() async throws {
        try await TestAPI.with { api in
            let id = try await Self.ada(in: api)
            let second = try await api.fixture.member(
                .securityAdmin,
                in: api.organization,
                username: "second@acme.example"
            )
            _ = try await api.fixture.owner.query("UPDATE organizations SET approvals = ARRAY['person_erasure']")
            let wish: JSON = ["confirmation": .string(id)]
            let waiting = try await api.post("/v1/people/\(id)/erasure", wish, as: api.admin)
            #expect(waiting.status == 202)
            let approval = try #require(waiting.body["id"]?.string)
            #expect(waiting.body["target"]?.string == id)
            #expect(try await api.get("/v1/erasures", as: api.auditor).items.isEmpty)
            #expect(try await api.post("/v1/approvals/\(approval)/approve", [:], as: api.admin).status == 403)
            let agreed = try await api.post("/v1/approvals/\(approval)/approve", [:], as: second)
            #expect(agreed.body["status"]?.string == "approved")
            let entry = try await api.entry(.personErased)
            #expect(entry["authority"]?["id"]?.string == approval)
            #expect(entry["after"]?["requested_by"]?.string == api.admin.user.description)
            #expect(try await api.get("/v1/erasures", as: api.auditor).items.first?["status"]?.string == "executed")
        }
    }

    @Test func `a hold is placed and lifted by a security admin, and its words stay out of the log`() async throws {
        try await TestAPI.with { api in
            let id = try await Self.ada(in: api)
            let new: JSON = ["kind": "person", "person": .string(id), "matter": "Case of Ada"]
            #expect(try await api.post("/v1/holds", new, as: api.auditor).status == 403)
            let hold = try await api.post("/v1/holds", new, as: api.admin)
            #expect(hold.status == 201)
            let entry = try await api.entry(.holdCreated)
            #expect(entry["person"]?.string == id)
            #expect(!entry.text.contains("Case of Ada"))
            let queued = try await api.post("/v1/people/\(id)/erasure", ["confirmation": .string(id)], as: api.admin)
            #expect(queued.body["status"]?.string == "queued")
            #expect(queued.body["reason"]?.string == "held")
            let path = "/v1/holds/" + (try #require(hold.body["id"]?.string))
            #expect(try await api.get(path, as: api.auditor).body["matter"]?.string == "Case of Ada")
            #expect(try await api.post(path + "/lift", [:], as: api.admin).body["lifted_at"]?.string != nil)
            #expect(try await api.post(path + "/lift", [:], as: api.admin).status == 409)
            _ = try await api.fixture.store.performNext(QueuedErasures(), most: 1)
            #expect(try await api.get("/v1/erasures", as: api.auditor).items.first?["status"]?.string == "executed")
        }
    }

    @Test func `a hold names exactly what its kind wants`() async throws {
        try await TestAPI.with { api in
            let wrong: [JSON] = [
                ["kind": "person", "matter": "x"], ["kind": "organization", "matter": "x", "filter": "id pr"],
                ["kind": "time", "matter": "x", "since": "2026-01-01T00:00:00Z"],
                ["kind": "time", "matter": "x", "since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"],
                ["kind": "query", "matter": "x", "filter": "id equals 1"], ["kind": "day", "matter": "x"],
                ["kind": "person", "matter": "x", "person": "per_01k9qyc5qje1qsv9svhrqgc8d3"],
            ]
            for hold in wrong {
                let answer = try await api.post("/v1/holds", hold, as: api.admin)
                #expect(answer.status == 422, "\(hold.text)")
            }
        }
    }

    @Test func `the log is searched by a value of a person, until they are erased`() async throws {
        try await TestAPI.with { api in
            let id = try await Self.ada(in: api)
            let search = "/v1/audit/search?mode=range&filter="
            let about = search + "about%20eq%20%22ADA@acme.example%22"
            try await api.fixture.index(api.organization.id)
            let found = try await api.get(about, as: api.auditor)
            #expect(!found.items.isEmpty)
            #expect(found.items.allSatisfy { $0["person"]?.string == id })
            #expect(found.body["erased_people"]?.int64 == 0)
            let name = try await api.get(
                search + "about%20eq%20%22ada%20lovelace%22%20and%20action%20eq%20%22person.created%22",
                as: api.auditor
            )
            #expect(name.items.count == 1)
            let other = try await api.get(search + "not%20(about%20eq%20%22ada@acme.example%22)", as: api.auditor)
            #expect(other.items.allSatisfy { $0["person"]?.string != id })
            #expect(!other.items.isEmpty)
            #expect(try await api.get(search + "about%20co%20%22ada%22", as: api.auditor).status == 422)
            // The entry of the search holds none of its words.
            #expect(!(try await api.entry(.auditRead)).text.lowercased().contains("ada@acme"))
            let robot = try await api.integrationAccount(scopes: ScopeSet([.auditRead]))
            #expect(try await api.get(about, as: robot).status == 403)

            _ = try await api.post("/v1/people/\(id)/erasure", ["confirmation": .string(id)], as: api.admin)
            let gone = try await api.get(about, as: api.auditor)
            #expect(gone.items.isEmpty)
            #expect(gone.body["erased_people"]?.int64 == 1)
            let plain = try await api.get(search + "action%20eq%20%22person.erased%22", as: api.auditor)
            #expect(plain.body["erased_people"] == .null)
            #expect(try await api.fixture.number("SELECT count(*) FROM person_values") == 0)
        }
    }
}
