import Domain
import Postgres
import TestSupport
import Testing
import Transparency

@testable import Storage

@Suite struct LogSearchTests {
    /// A log of 30,000 rows of the index, which all name entries of a few partitions, with what the planner knows of it.
    private static func large(_ body: @Sendable (StoreFixture, OrganizationID) async throws -> Void) async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            try await fixture.index(organization.id)
            _ = try await fixture.owner.query(
                """
                INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, action, outcome)
                SELECT \(organization.id), gen_random_uuid(), now(), convert_to('{}', 'UTF8'), 'person.read', 'done'
                FROM generate_series(1, 30000)
                """
            )
            _ = try await fixture.owner.query(
                """
                INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, actor_id, action, target_id,
                    person_id, outcome)
                SELECT organization_id, 100000 + row_number() OVER (), id, recorded_at, gen_random_uuid(),
                    'person.read', gen_random_uuid(), gen_random_uuid(), 'done'
                FROM audit_entries WHERE organization_id = \(organization.id) AND leaf = convert_to('{}', 'UTF8')
                """
            )
            _ = try await fixture.owner.query("ANALYZE audit_index")
            _ = try await fixture.owner.query("ANALYZE audit_entries")
            try await body(fixture, organization.id)
        }
    }

    private static func plan(
        _ statement: SQL,
        _ fixture: StoreFixture,
        _ organization: OrganizationID
    ) async throws
        -> String
    {
        try await fixture.store.read(as: organization) { transaction in
            try await transaction.query("EXPLAIN \(statement)")
                .map { try $0.decode("QUERY PLAN", as: String.self) }.joined(separator: "\n")
        }
    }

    private static var narrowings: [(String, SearchNarrowing)] {
        let all: [(String, (inout SearchNarrowing) -> Void)] = [
            ("nothing", { _ in }), ("target", { $0.target = IDBits(high: 1, low: 2) }),
            ("actor", { $0.actor = UserID(high: 1, low: 2) }), ("person", { $0.person = PersonID(high: 1, low: 2) }),
            ("action", { $0.action = .own(.grantCreated) }),
            ("actor and action", { ($0.actor, $0.action) = (UserID(high: 1, low: 2), .own(.grantCreated)) }),
            ("time", { $0.since = Timestamp(seconds: 1_700_000_000) }),
        ]
        return all.map { name, change in
            var narrowing = SearchNarrowing()
            change(&narrowing)
            return (name, narrowing)
        }
    }

    @Test func `no statement of a search reads the whole index`() async throws {
        try await Self.large { fixture, organization in
            // Other months have no entries, and nothing is read faster than nothing.
            let month = try #require(
                try await fixture.text("SELECT 'audit_entries_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
            )
            for (name, narrowing) in Self.narrowings {
                let statements = [
                    OrganizationTransaction.tailStatement(organization, from: 100_000, to: 102_000, narrowing),
                    OrganizationTransaction.rangeStatement(organization, before: nil, narrowing, size: 200_000),
                    OrganizationTransaction.rangeStatement(
                        organization,
                        before: AuditPosition(recordedAt: Timestamp(seconds: 1_900_000_000), id: .lowest),
                        narrowing,
                        size: 200_000
                    ),
                ]
                for (place, statement) in statements.enumerated() {
                    let plan = try await Self.plan(statement, fixture, organization)
                    #expect(!plan.contains("Seq Scan on audit_index"), "\(name) \(place)\n\(plan)")
                    #expect(!plan.contains("Seq Scan on \(month)"), "\(name) \(place)\n\(plan)")
                }
            }
        }
    }

    @Test func `the plan of a full scan would be seen`() async throws {
        try await Self.large { fixture, organization in
            let scan: SQL = "SELECT count(*) FROM audit_index WHERE outcome = 'x'"
            let plan = try await Self.plan(scan, fixture, organization)
            #expect(plan.contains("Seq Scan on audit_index"))
        }
    }

    @Test func `entries that were overtaken are within a stretch of time`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            try await fixture.index(organization.id)
            // Index 1 was recorded before index 0: its transaction took longer.
            for (index, second) in [(1_000, 50), (1_001, 20), (1_002, 60), (1_003, 55)] {
                _ = try await fixture.owner.query(
                    """
                    INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, action, outcome)
                    VALUES (\(organization.id), \(Int64(index)), gen_random_uuid(),
                        \(Timestamp(seconds: 4_000_000_000 + Int64(second))), 'person.read', 'done')
                    """
                )
            }
            _ = try await fixture.owner.query(
                "UPDATE audit_logs SET size = 1004 WHERE organization_id = \(organization.id)"
            )
            func stretch(_ from: Int64?, _ to: Int64?) async throws -> [Int] {
                let place = { (second: Int64) in LogPlace.time(Timestamp(seconds: 4_000_000_000 + second)) }
                let found = try await fixture.store.read(as: organization.id) {
                    try await $0.stretch(from: from.map(place), to: to.map(place))
                }
                let stretch = try #require(found)
                return [stretch.from, stretch.to]
            }
            #expect(try await stretch(20, nil) == [1_000, 1_004])
            #expect(try await stretch(21, nil) == [1_000, 1_004])
            #expect(try await stretch(55, nil) == [1_002, 1_004])
            #expect(try await stretch(60, nil) == [1_002, 1_004])
            #expect(try await stretch(61, nil) == [1_004, 1_004])
            #expect(try await stretch(10, 21) == [1_000, 1_002])
            #expect(try await stretch(10, 56) == [1_000, 1_004])
        }
    }

    @Test func `a log with a hole is not handed out as if it were whole`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let size = try await fixture.index(organization.id)
            _ = try await fixture.owner.query(
                "UPDATE audit_logs SET size = size + 2 WHERE organization_id = \(organization.id)"
            )
            await #expect(throws: ImpossibleRows.self) {
                try await fixture.store.read(as: organization.id) {
                    try await $0.entries(of: LogStretch(from: 0, to: size + 2, origin: "o"))
                }
            }
        }
    }
}
