import Domain
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct PartitionTests {
    private static let partitions: SQL = """
        SELECT c.relname::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS walled,
            has_any_column_privilege('rollcall_service', c.oid, 'SELECT, INSERT, UPDATE')
                OR has_table_privilege('rollcall_service', c.oid, 'DELETE, TRUNCATE') AS open
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'audit_entries'::regclass ORDER BY 1
        """

    @Test func `months ahead that are missing are made, once, by whoever comes first`() async throws {
        try await StoreFixture.with { fixture in
            #expect(try await fixture.store.partitionsAhead() == Store.partitionsAheadWanted)
            let names = try await fixture.owner.query(Self.partitions).map { try $0.decode("name", as: String.self) }
            for name in names.suffix(2) {
                let partition = try #require(PostgresIdentifier(name))
                _ = try await fixture.owner.query("DROP TABLE \(identifier: partition)")
            }
            #expect(try await fixture.store.partitionsAhead() == 1)
            let made = try await withThrowingTaskGroup { group in
                for _ in 0..<4 { group.addTask { try await fixture.store.extendPartitions() } }
                return try await group.reduce(0, +)
            }
            #expect(made == 2)
            #expect(try await fixture.store.partitionsAhead() == Store.partitionsAheadWanted)
            let again = try await fixture.owner.query(Self.partitions)
            #expect(try again.map { try $0.decode("name", as: String.self) } == names)
            for row in again {
                #expect(try row.decode("walled", as: Bool.self))
                #expect(try !row.decode("open", as: Bool.self), "only the parent lets the service in")
            }
        }
    }

    @Test func `an entry of next month has a place, and none without a partition`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            func insert(_ months: Int) -> SQL {
                """
                INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, action, outcome)
                VALUES (\(organization.id), gen_random_uuid(), now() + \(Int32(months)) * interval '1 month', '\\x7b7d',
                    'audit.read', 'done')
                """
            }
            for months in 0...Store.partitionsAheadWanted { _ = try await fixture.owner.query(insert(months)) }
            await #expect(throws: PostgresError.self) {
                try await fixture.owner.query(insert(Store.partitionsAheadWanted + 2))
            }
            let seen = try await fixture.store.read(as: organization.id) { transaction in
                try await transaction.query("SELECT count(*) AS n FROM audit_entries")[0].decode("n", as: Int64.self)
            }
            #expect(seen == Int64(Store.partitionsAheadWanted) + 1)
        }
    }

    @Test func `not even the owner rewrites one`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            _ = try await fixture.owner.query(
                """
                INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, action, outcome)
                VALUES (\(organization.id), gen_random_uuid(), now(), '\\x7b7d', 'audit.read', 'done')
                """
            )
            let names = try await fixture.owner.query(Self.partitions).map { try $0.decode("name", as: String.self) }
            let current = try #require(names.first.flatMap { PostgresIdentifier($0) })
            let attempts: [SQL] = [
                "TRUNCATE \(identifier: current)", "DELETE FROM \(identifier: current)",
                "UPDATE \(identifier: current) SET outcome = 'refused'",
            ]
            for attempt in attempts {
                let error = await #expect(throws: PostgresError.self) { _ = try await fixture.owner.query(attempt) }
                #expect(error?.sqlState == .insufficientPrivilege, "\(attempt)")
            }
            #expect(try await fixture.number("SELECT count(*) FROM audit_entries") == 1)
        }
    }
}
