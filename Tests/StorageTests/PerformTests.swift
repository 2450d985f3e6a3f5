import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Renames a workspace, or fails or refuses as it is told.
private struct Renaming: Change {
    enum Way { case good, refused, broken }

    let slug: String
    let way: Way
    let organization: OrganizationID

    struct Refused: Error {}

    static func make(
        _ changes: [Renaming],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<String>] {
        var made: [Made<String>] = []
        for change in changes {
            let draft = AuditDraft(.workspaceCreated, .organization(change.organization), reason: change.slug)
            let by = Attribution(actor: .system("test"), receivedAt: transaction.startedAt)
            switch change.way {
            case .refused:
                var refusal = draft
                refusal.outcome = .refused
                made.append(.refused(Refused(), [Recorded(refusal, by: by)]))
            case .good, .broken:
                let slug = change.way == .broken ? "NOT A SLUG" : change.slug
                _ = try await transaction.query(
                    """
                    INSERT INTO workspaces (organization_id, id, slug, name, created_at)
                    VALUES (\(transaction.organization), \(transaction.store.newID(WorkspaceID.self)), \(slug), 'W',
                        \(transaction.startedAt))
                    """
                )
                made.append(.done(change.slug, [Recorded(draft, by: by)]))
            }
        }
        return made
    }
}

@Suite struct PerformTests {
    private func reasons(_ fixture: StoreFixture, _ organization: OrganizationID) async throws -> [String] {
        try await fixture.leaves(in: organization).map {
            ($0["outcome"]?.string ?? "") + " " + ($0["reason"]?.string ?? "")
        }.sorted()
    }

    private func workspaces(_ fixture: StoreFixture) async throws -> [String] {
        try await fixture.owner.query("SELECT slug FROM workspaces ORDER BY slug").map { try $0.decode("slug") }
    }

    @Test func `what fails among many is taken out and the rest commit with their entries`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let changes = [("a", Renaming.Way.good), ("b", .broken), ("c", .refused), ("d", .good)].map {
                Renaming(slug: $0.0, way: $0.1, organization: organization.id)
            }
            let results = try await fixture.store.perform(changes, in: organization.id)
            #expect(results.count == 4)
            #expect(try results[0].get() == "a")
            #expect(throws: PostgresError.self) { try results[1].get() }
            #expect(throws: Renaming.Refused.self) { try results[2].get() }
            #expect(try results[3].get() == "d")
            #expect(try await workspaces(fixture) == ["a", "d", "default"])
            #expect(try await reasons(fixture, organization.id) == ["done a", "done d", "refused c"])
        }
    }

    @Test func `a rollback leaves neither row nor entry`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            await #expect(throws: PostgresError.self) {
                try await fixture.store.perform(
                    Renaming(slug: "x", way: .broken, organization: organization.id),
                    in: organization.id
                )
            }
            #expect(try await workspaces(fixture) == ["default"])
            #expect(try await fixture.number("SELECT count(*) FROM audit_entries") == 0)
            #expect(try await fixture.number("SELECT count(*) FROM audit_pending") == 0)
        }
    }

    @Test func `every entry waits for the sequencer with the hash of its leaf`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let changes = (0..<5).map { Renaming(slug: "w\($0)", way: .good, organization: organization.id) }
            _ = try await fixture.store.perform(changes, in: organization.id)
            let rows = try await fixture.owner.query(
                """
                SELECT e.leaf, p.leaf_hash FROM audit_entries e
                JOIN audit_pending p ON p.entry_id = e.id AND p.organization_id = e.organization_id
                """
            )
            #expect(rows.count == 5)
            for row in rows {
                let leaf = try row.decode("leaf", as: [UInt8].self)
                #expect(MerkleHash.leaf(leaf).bytes == (try row.decode("leaf_hash", as: [UInt8].self)))
                #expect(try JSON.parse(leaf).canonical() == leaf)
            }
        }
    }

    @Test func `a change of another organization's rows is refused by the database`() async throws {
        try await StoreFixture.with { fixture in
            let mine = try await fixture.organization("mine")
            let other = try await fixture.organization("other")
            let seen = try await fixture.store.read(as: mine.id) { transaction in
                try await transaction.query("SELECT id FROM organizations").map {
                    try $0.decode("id", as: OrganizationID.self)
                }
            }
            #expect(seen == [mine.id])
            let changed = try await fixture.store.read(as: mine.id) { transaction in
                try await transaction.query("UPDATE workspaces SET name = 'x' WHERE id = \(other.workspace)").affected
            }
            #expect(changed == 0)
            await #expect(throws: PostgresError.self) {
                try await fixture.store.read(as: mine.id) { transaction in
                    _ = try await transaction.query(
                        """
                        INSERT INTO workspaces (organization_id, id, slug, name, created_at)
                        VALUES (\(other.id), \(fixture.store.newID(WorkspaceID.self)), 'w', 'W', now())
                        """
                    )
                }
            }
        }
    }
}
