import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct IdempotencyTests {
    @Test func `the same key with the same request makes one thing and answers alike`() async throws {
        try await TestAPI.with { api in
            let body: JSON = ["slug": "finance", "name": "Finance"]
            let first = try await api.post("/v1/workspaces", body, as: api.admin, key: "one")
            let second = try await api.post("/v1/workspaces", body, as: api.admin, key: "one")
            #expect(first.status == 201)
            #expect(second.status == 201)
            #expect(first.body == second.body)
            #expect(first.fields[.location] == second.fields[.location])
            #expect(try await api.fixture.number("SELECT count(*) FROM workspaces WHERE slug = 'finance'") == 1)
            let entries = try await api.fixture.leaves(in: api.organization.id, action: .workspaceCreated)
            #expect(entries.map { $0["reason"]?.string } == [nil, "replayed"])
        }
    }

    @Test func `the same key with another request is refused`() async throws {
        try await TestAPI.with { api in
            _ = try await api.post("/v1/workspaces", ["slug": "a", "name": "A"], as: api.admin, key: "one")
            let other = try await api.post("/v1/workspaces", ["slug": "b", "name": "B"], as: api.admin, key: "one")
            #expect(other.status == 422)
            #expect(other.problem == "/problems/idempotency-key-reused")
            let elsewhere = try await api.post("/v1/sources", SourceTests.newSource(), as: api.admin, key: "one")
            #expect(elsewhere.status == 422)
        }
    }

    @Test func `a refusal is not kept, so that the retry may succeed`() async throws {
        try await TestAPI.with { api in
            let body: JSON = ["slug": "default", "name": "D"]
            #expect(try await api.post("/v1/workspaces", body, as: api.admin, key: "k").status == 409)
            _ = try await api.fixture.owner.query("UPDATE workspaces SET slug = 'former' WHERE slug = 'default'")
            #expect(try await api.post("/v1/workspaces", body, as: api.admin, key: "k").status == 201)
        }
    }

    @Test func `ten of the same at once make one thing`() async throws {
        try await TestAPI.with { api in
            let answers = try await withThrowingTaskGroup(of: TestAPI.Answer.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await api.post("/v1/sources", SourceTests.newSource(), as: api.admin, key: "at once")
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            // A space is no visible character.
            #expect(Set(answers.map(\.status)) == [400])
            let kept = try await withThrowingTaskGroup(of: TestAPI.Answer.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await api.post("/v1/sources", SourceTests.newSource(), as: api.admin, key: "at-once")
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(kept.map(\.status)) == [201])
            #expect(Set(kept.compactMap { $0.body["id"]?.string }).count == 1)
            #expect(try await api.fixture.number("SELECT count(*) FROM sources") == 1)
        }
    }

    @Test func `keys are of one user and for one day`() async throws {
        try await TestAPI.with { api in
            let other = try await api.fixture.member(
                .securityAdmin,
                in: api.organization,
                username: "second@acme.example"
            )
            _ = try await api.post("/v1/workspaces", ["slug": "a", "name": "A"], as: api.admin, key: "one")
            #expect(
                try await api.post("/v1/workspaces", ["slug": "b", "name": "B"], as: other, key: "one").status == 201
            )
            _ = try await api.fixture.owner.query(
                "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'"
            )
            let later = try await api.post("/v1/workspaces", ["slug": "c", "name": "C"], as: api.admin, key: "one")
            #expect(later.status == 201)
        }
    }
}
