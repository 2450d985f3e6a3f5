import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct TransactionTests {
    struct Refused: Error {}

    private func pool(
        _ database: TestDatabase,
        _ mode: StatementMode = .prepared,
        limits: SessionLimits = SessionLimits()
    ) -> PostgresPool {
        let connection = PostgresConnectionConfiguration(
            connectionString: database.connectionString,
            statementMode: mode,
            limits: limits
        )
        return PostgresPool(
            configuration: PostgresPoolConfiguration(connection: connection, size: 2, waitTimeout: .seconds(90)),
            logger: .silent
        )
    }

    private func table() async throws -> TestDatabase {
        let database = try await TestDatabase.create()
        try await database.query("CREATE TABLE t (id int PRIMARY KEY)")
        return database
    }

    private func ids(_ database: TestDatabase) async throws -> [Int] {
        try await database.query("SELECT id FROM t ORDER BY id").map { try $0.decode("id", as: Int.self) }
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `it commits when the closure returns and rolls back when it throws`(mode: StatementMode) async throws {
        let database = try await table()
        let pool = pool(database, mode)
        let answer = try await pool.transaction { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (\(1))")
            return 42
        }
        #expect(answer == 42)
        await #expect(throws: Refused.self) {
            try await pool.transaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (\(2))")
                throw Refused()
            }
        }
        await #expect(throws: PostgresError.self) {
            try await pool.transaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (\(3))")
                _ = try await transaction.query("INSERT INTO t VALUES (\(1))")
            }
        }
        #expect(try await ids(database) == [1])
        #expect(pool.statistics.inUse == 0)
        await pool.close()
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `the prelude is in force and limits too`(mode: StatementMode) async throws {
        let pool = pool(try await table(), mode, limits: SessionLimits(statementTimeout: .seconds(7)))
        try await pool.transaction(prelude: ["SELECT set_config('app.org', \("acme"), true)"]) { transaction in
            let rows = try await transaction.pipeline([
                "SELECT current_setting('app.org') AS org", "SELECT current_setting('statement_timeout') AS timeout",
            ])
            #expect(rows.count == 2)
            #expect(try rows[0][0].decode("org", as: String.self) == "acme")
            #expect(try rows[1][0].decode("timeout", as: String.self) == "7s")
        }
        let after = try await pool.query("SELECT coalesce(current_setting('app.org', true), '') AS org")
        #expect(try after[0].decode("org", as: String.self) == "")
        await pool.close()
    }

    @Test func `without a statement nothing is sent`() async throws {
        let pool = pool(try await table())
        try await pool.transaction(prelude: ["SELECT 1/0"]) { _ in }
        #expect(pool.statistics.idle == 1)
        await pool.close()
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `what is left for the commit travels with it, nothing before or not`(mode: StatementMode) async throws {
        let database = try await table()
        let pool = pool(database, mode)
        try await pool.transaction { transaction in
            transaction.atCommit(["INSERT INTO t VALUES (\(1))", "INSERT INTO t VALUES (\(2))"])
            let before = try await transaction.query("SELECT 1 FROM t")
            #expect(before.isEmpty)
        }
        try await pool.transaction { $0.atCommit(["INSERT INTO t VALUES (\(3))"]) }
        await #expect(throws: Refused.self) {
            try await pool.transaction { transaction in
                transaction.atCommit(["INSERT INTO t VALUES (\(4))"])
                throw Refused()
            }
        }
        #expect(try await ids(database) == [1, 2, 3])
        await pool.close()
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `what fails at the commit undoes all, and the connection serves on`(mode: StatementMode) async throws {
        let database = try await table()
        let pool = pool(database, mode)
        for other in [2, 3] {
            let error = await #expect(throws: PostgresError.self) {
                try await pool.transaction { transaction in
                    _ = try await transaction.query("INSERT INTO t VALUES (\(1))")
                    transaction.atCommit(["INSERT INTO t VALUES (\(1))", "INSERT INTO t VALUES (\(other))"])
                }
            }
            #expect(error?.sqlState == .uniqueViolation)
        }
        #expect(try await ids(database).isEmpty)
        try await pool.transaction { $0.atCommit(["INSERT INTO t VALUES (\(5))"]) }
        #expect(try await ids(database) == [5])
        #expect(pool.statistics.inUse == 0)
        await pool.close()
    }

    @Test func `a transaction is refused after its closure, and so is a lent connection`() async throws {
        let database = try await table()
        let pool = pool(database)
        let kept = try await pool.transaction { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (\(1))")
            return transaction
        }
        let lent = try await pool.withConnection { $0 }
        let late = await #expect(throws: PostgresError.self) { try await kept.query("INSERT INTO t VALUES (2)") }
        guard case .transactionEnded = late else { return #expect(Bool(false)) }
        let later = await #expect(throws: PostgresError.self) { try await lent.query("INSERT INTO t VALUES (3)") }
        guard case .transactionEnded = later else { return #expect(Bool(false)) }
        #expect(try await ids(database) == [1])
        await pool.close()
    }

    @Test func `a swallowed error does not become a commit`() async throws {
        let database = try await table()
        let pool = pool(database)
        let error = await #expect(throws: PostgresError.self) {
            try await pool.transaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
                do { _ = try await transaction.query("SELECT 1/0") } catch {}
            }
        }
        guard case .transactionAborted = error else { return #expect(Bool(false)) }
        #expect(try await ids(database).isEmpty)
        await pool.close()
    }

    @Test func `a savepoint undoes its own statements alone`() async throws {
        let database = try await table()
        let pool = pool(database)
        try await pool.transaction { transaction in
            _ = try await transaction.query("INSERT INTO t VALUES (1)")
            await #expect(throws: PostgresError.self) {
                try await transaction.savepoint {
                    _ = try await transaction.query("INSERT INTO t VALUES (2)")
                    _ = try await transaction.query("INSERT INTO t VALUES (1)")
                }
            }
            try await transaction.savepoint { _ = try await transaction.query("INSERT INTO t VALUES (3)") }
        }
        #expect(try await ids(database) == [1, 3])
        await pool.close()
    }

    @Test func `a transaction left open by hand costs the connection, not the next caller`() async throws {
        let database = try await table()
        let pool = pool(database)
        try await pool.withConnection { connection in
            _ = try await connection.query("BEGIN")
            _ = try await connection.query("INSERT INTO t VALUES (1)")
        }
        _ = try await pool.query("BEGIN")
        for id in 2...5 { _ = try await pool.query("INSERT INTO t VALUES (\(id))") }
        #expect(try await ids(database) == [2, 3, 4, 5])
        await pool.close()
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `a cancelled task ends its statement on the server and rolls back`(mode: StatementMode) async throws {
        let database = try await table()
        let pool = pool(database, mode)
        let task = Task {
            try await pool.transaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
                _ = try await transaction.query("SELECT pg_sleep(30)")
            }
        }
        try await database.untilExecuting("SELECT pg_sleep(30)")
        task.cancel()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        guard case .cancelled = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(try await ids(database).isEmpty)
        let running = try await database.query(
            """
            SELECT FROM pg_stat_activity
            WHERE query = 'SELECT pg_sleep(30)' AND state = 'active' AND datname = current_database()
            """
        )
        #expect(running.isEmpty)
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(pool.statistics.size == 1)
        await pool.close()
    }

    @Test func `cancellations at random moments leave every connection clean`() async throws {
        let database = try await table()
        let pool = pool(database)
        for round in 0..<60 {
            let task = Task { try await pool.query("SELECT pg_sleep(0.004), \(round) AS n") }
            try await Task.sleep(for: .microseconds(round * 150))
            task.cancel()
            // Either way is right: it ended in time, or it was cancelled.
            _ = try? await task.value
            let row = try await pool.query("SELECT \(round) AS n")[0]
            #expect(try row.decode("n", as: Int.self) == round)
        }
        #expect(pool.statistics.inUse == 0)
        await pool.close()
    }
}
