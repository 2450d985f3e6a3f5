import AuditLog
import Domain
import Foundation
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct ErasureListTests {
    private static func withDirectory(_ body: (String) async throws -> Void) async throws {
        let name = "rollcall-erased-\(UInt64.random(in: 0 ... .max))"
        let path = FileManager.default.temporaryDirectory.appending(path: name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    @Test func `who was noted is listed, once, by whoever opens the directory next`() async throws {
        try await Self.withDirectory { path in
            let organizations = [OrganizationID(high: 1, low: 1), OrganizationID(high: 1, low: 2)]
            let people = [PersonID(high: 2, low: 1), PersonID(high: 2, low: 2)]
            let list = try #require(ErasureList(directory: path))
            for _ in 0..<2 { try await list.note(people[1], of: organizations[0]) }
            try await list.note(people[0], of: organizations[0])
            try await list.note(people[0], of: organizations[1])
            // A copy of a checkpoint, and what somebody left there.
            try FileManager.default.createDirectory(
                atPath: path + "/" + OrganizationID(high: 1, low: 3).description,
                withIntermediateDirectories: true
            )
            try Data().write(to: URL(filePath: path + "/\(organizations[0])/erased/notes.txt"))
            let again = try await #require(ErasureList(directory: path)).listed()
            #expect(again == [organizations[0]: people, organizations[1]: [people[0]]])
        }
    }

    @Test func `a directory that is not there is not made up`() async throws {
        try await Self.withDirectory { path in
            #expect(ErasureList(directory: path + "/unmounted") == nil)
            #expect(!FileManager.default.fileExists(atPath: path + "/unmounted"))
        }
    }

    @Test func `what only the database knows is noted when it starts`() async throws {
        try await Self.withDirectory { path in
            try await StoreFixture.with { fixture in
                let organization = try await fixture.organization()
                let source = try await fixture.source(in: organization)
                try await fixture.deliver(fixture.event(.joiner), from: source)
                try await fixture.settle()
                _ = try await fixture.owner.query(
                    """
                    INSERT INTO erasures (organization_id, person_id, status, requested_at, executed_at)
                    SELECT organization_id, id, 'executed', now(), now() FROM people
                    """
                )
                let list = try #require(ErasureList(directory: path))
                let store = Store(
                    pool: fixture.pool,
                    keyring: fixture.keyring,
                    clock: fixture.clock,
                    randomness: fixture.randomness,
                    logger: fixture.store.logger,
                    erasures: list.register
                )
                #expect(try await store.repeatErasures() == 0)
                #expect(try await list.listed()[organization.id]?.count == 1)
            }
        }
    }
}
