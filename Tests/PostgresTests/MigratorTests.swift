import Logging
import Postgres
import TestSupport
import Testing

@Suite struct MigratorTests {
    private let first = MigrationFile(
        name: "0001_people",
        sql: "CREATE TABLE person (id int);\nINSERT INTO person VALUES (1);\n"
    )
    private let second = MigrationFile(name: "0002_names", sql: "ALTER TABLE person ADD name text;\n")
    private let index = MigrationFile(
        name: "0003_index",
        sql: "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS person_name ON person (name);\n"
    )

    private func migrator(_ files: [MigrationFile], _ database: TestDatabase) -> Migrator {
        Migrator(files: files, connectionString: database.connectionString, logger: .silent)
    }

    @Test func `pending migrations are planned, named and applied once, in order`() async throws {
        let database = try await TestDatabase.create()
        let migrator = migrator([second, first, index], database)
        #expect(try await migrator.plan().map(\.sql) == [first.sql, second.sql, index.sql])
        let pending = await #expect(throws: MigrationError.self) { try await migrator.verify() }
        #expect(pending?.description == "pending migrations: 0001_people, 0002_names, 0003_index")
        #expect(try await migrator.up() == ["0001_people", "0002_names", "0003_index"])
        #expect(try await migrator.up() == [])
        try await migrator.verify()
        let present = try await database.query("SELECT to_regclass('person_name') IS NOT NULL AS there")
        #expect(try present[0].decode("there", as: Bool.self))
        for status in try await migrator.status() {
            guard case .applied = status.state else { return #expect(Bool(false), "\(status)") }
        }
    }

    @Test func `ten at once: one migrates, nine wait`() async throws {
        let database = try await TestDatabase.create()
        let slow = MigrationFile(name: "0002_slow", sql: "SELECT pg_sleep(0.3);\nCREATE TABLE slow (id int);\n")
        let files = [first, slow, index].map { file in
            file.name == "0003_index"
                ? MigrationFile(
                    name: file.name,
                    sql: "-- no-transaction\nCREATE INDEX CONCURRENTLY person_id ON person (id)"
                )
                : file
        }
        let migrator = migrator(files, database)
        let applied = try await withThrowingTaskGroup { group in
            for _ in 0..<10 { group.addTask { try await migrator.up() } }
            return try await group.reduce(into: [[String]]()) { $0.append($1) }
        }
        #expect(applied.filter { !$0.isEmpty } == [["0001_people", "0002_slow", "0003_index"]])
        #expect(try await database.query("SELECT id FROM person").count == 1)
    }

    @Test func `edited, unknown and late migrations are refused by name`() async throws {
        let database = try await TestDatabase.create()
        _ = try await migrator([first, second], database).up()
        let edited = MigrationFile(name: first.name, sql: first.sql + "-- more\n")
        let change = await #expect(throws: MigrationError.self) {
            try await migrator([edited, second], database).verify()
        }
        #expect(change?.description == "migration 0001_people was edited after it had been applied")
        let unknown = await #expect(throws: MigrationError.self) { try await migrator([first], database).up() }
        guard case .unknown("0002_names") = unknown else {
            return #expect(Bool(false), "\(String(describing: unknown))")
        }
        let late = MigrationFile(name: "0001_z", sql: "SELECT 1")
        let order = await #expect(throws: MigrationError.self) {
            try await migrator([first, late, second], database).plan()
        }
        guard case .outOfOrder("0001_z") = order else { return #expect(Bool(false), "\(String(describing: order))") }
        let twice = await #expect(throws: MigrationError.self) { try await migrator([first, first], database).plan() }
        guard case .duplicate("0001_people") = twice else { return #expect(Bool(false)) }
    }

    @Test func `a migration that fails changes nothing and is named`() async throws {
        let database = try await TestDatabase.create()
        let broken = MigrationFile(name: "0002_broken", sql: "CREATE TABLE half (id int);\nSELECT 1/0;\n")
        let failure = await #expect(throws: MigrationError.self) { try await migrator([first, broken], database).up() }
        guard case .failed("0002_broken", let error) = failure else {
            return #expect(Bool(false), "\(String(describing: failure))")
        }
        #expect(error.sqlState == SQLState(rawValue: "22012"))
        let half = try await database.query("SELECT to_regclass('half') IS NULL AS gone")
        #expect(try half[0].decode("gone", as: Bool.self))
        #expect(try await migrator([first, second], database).up() == ["0002_names"])
        let ending = MigrationFile(name: "0003_ends", sql: "SELECT 1; COMMIT;")
        let ended = await #expect(throws: MigrationError.self) {
            try await migrator([first, second, ending], database).up()
        }
        guard case .endsItsTransaction = ended else { return #expect(Bool(false), "\(String(describing: ended))") }
    }

    @Test func `any role may verify`() async throws {
        let database = try await TestDatabase.create()
        let migrator = migrator([first], database)
        _ = try await migrator.up()
        try await database.query(
            "DO 'BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END'"
        )
        let reader = Migrator(
            files: [first],
            connectionString: database.connectionString(as: "reader"),
            logger: .silent
        )
        try await reader.verify()
    }
}
