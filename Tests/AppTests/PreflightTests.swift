import App
import Domain
import Logging
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct PreflightTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `a schema that is exactly this program's is served`() async throws {
        try await StoreFixture.with { fixture in
            try await ServerPreflight.requireSchema(at: fixture.ownerConnectionString, logger: Self.silent)
        }
    }

    @Test func `a schema that lacks a migration, or has an edited one, is refused by its name`() async throws {
        try await StoreFixture.with { fixture in
            _ = try await fixture.owner.query(
                "UPDATE migration.applied SET checksum = repeat('0', 64) WHERE name LIKE '0002%'"
            )
            let edited = await #expect(throws: PreflightError.self) {
                try await ServerPreflight.requireSchema(at: fixture.ownerConnectionString, logger: Self.silent)
            }
            #expect(edited?.description.contains("0002_people_and_users") == true)
        }
    }

    @Test func `a server that may forget is refused, unless that is allowed`() async throws {
        try await StoreFixture.with { fixture in
            let error = await #expect(throws: PreflightError.self) {
                try await ServerPreflight.requireDatabase(fixture.store, allowsVolatile: false)
            }
            #expect(error?.description.contains("fsync off") == true)
            try await ServerPreflight.requireDatabase(fixture.store, allowsVolatile: true)
        }
    }

    @Test func `a role that owns the tables is refused`() async throws {
        try await StoreFixture.with { fixture in
            let store = Store(
                pool: fixture.owner,
                keyring: fixture.keyring,
                clock: fixture.clock,
                randomness: fixture.randomness,
                logger: Self.silent
            )
            let error = await #expect(throws: PreflightError.self) {
                try await ServerPreflight.requireDatabase(store, allowsVolatile: true)
            }
            #expect(error?.description.contains("rollcall_owner") == true)
        }
    }

    @Test func `a process that cannot read who was erased does not serve`() async throws {
        try await StoreFixture.with { fixture in
            let blind = Store(
                pool: fixture.pool,
                keyring: fixture.keyring,
                clock: fixture.clock,
                randomness: fixture.randomness,
                logger: Self.silent
            )
            // Nobody was erased: there is nothing to compare.
            try await ServerPreflight.requireErasures(blind)
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
            let refusal = await #expect(throws: PreflightError.self) {
                try await ServerPreflight.requireErasures(blind)
            }
            #expect(refusal?.description.contains("ROLLCALL_CHECKPOINT_COPIES") == true)
            try await ServerPreflight.requireErasures(fixture.store)
        }
    }
}
