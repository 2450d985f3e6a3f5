import Foundation
import Logging
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// Through the real PgBouncer in transaction mode: two server connections for everybody.
@Suite struct PgBouncerTests {
    private func withPooler(_ body: (TestDatabase, PostgresPool) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        try await database.query("CREATE TABLE t (id int PRIMARY KEY)")
        let port = try SilentPeer.freePort()
        let directory = "/tmp/rc-bouncer-\(port)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let settings = """
            [databases]
            * = host=\(database.server.socketDirectory) port=\(database.server.port) user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 2
            """
        try settings.write(toFile: "\(directory)/pgbouncer.ini", atomically: true, encoding: .utf8)
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .interrupt, allowedDurationToNextStep: .seconds(2))]
        let asRoot = getuid() == 0 ? ["-u", "postgres"] : []
        try await withThrowingTaskGroup { group in
            group.addTask { [options] in
                _ = try await Subprocess.run(
                    .path("/usr/sbin/pgbouncer"),
                    arguments: Arguments(asRoot + ["-q", "\(directory)/pgbouncer.ini"]),
                    platformOptions: options,
                    output: .discarded
                )
            }
            let connection = PostgresConnectionConfiguration(
                connectionString: "postgresql://postgres@127.0.0.1:\(port)/\(database.name)",
                statementMode: .unnamed,
                limits: SessionLimits(statementTimeout: .seconds(7))
            )
            let pool = PostgresPool(
                configuration: PostgresPoolConfiguration(
                    connection: connection,
                    size: 8,
                    waitTimeout: .seconds(90),
                    longestBackoff: .milliseconds(200)
                ),
                logger: .silent
            )
            try await body(database, pool)
            await pool.close()
            group.cancelAll()
        }
    }

    @Test func `statements, pipelines and transactions of many callers keep apart`() async throws {
        try await withPooler { database, pool in
            try await withThrowingTaskGroup { group in
                for number in 0..<200 {
                    group.addTask {
                        let mine = "org-\(number)"
                        let set: SQL = "SELECT set_config('app.org', \(mine), true)"
                        let get: SQL = "SELECT current_setting('app.org') AS org, \(number) AS n"
                        switch number % 3 {
                        case 0:
                            let row = try await pool.query(
                                "SELECT \(number) AS n, coalesce(current_setting('app.org', true), '') AS org"
                            )[0]
                            #expect(try row.decode("n", as: Int.self) == number)
                            #expect(try row.decode("org", as: String.self) == "")
                        case 1:
                            let row = try await pool.pipeline([set, get])[1][0]
                            #expect(try row.decode("org", as: String.self) == mine)
                        default:
                            try await pool.transaction(prelude: [set]) { transaction in
                                _ = try await transaction.query("INSERT INTO t VALUES (\(number))")
                                let row = try await transaction.query(get)[0]
                                #expect(try row.decode("org", as: String.self) == mine)
                                let timeout = try await transaction.query("SHOW statement_timeout")[0]
                                #expect(try timeout.decode("statement_timeout", as: String.self) == "7s")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await database.query("SELECT id FROM t").count == 66)
        }
    }

    @Test func `a cancelled task ends its statement on the server`() async throws {
        try await withPooler { database, pool in
            let task = Task { try await pool.query("SELECT pg_sleep(30)") }
            try await database.untilExecuting("SELECT pg_sleep(30)")
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            guard case .cancelled = error else { return #expect(Bool(false), "\(String(describing: error))") }
            let running = try await database.query(
                "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active' AND datname = current_database()"
            )
            #expect(running.isEmpty)
            #expect(try await pool.query("SELECT 1").count == 1)
        }
    }

    @Test func `an error leaves the connection good`() async throws {
        try await withPooler { _, pool in
            for _ in 0..<5 {
                await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1/0") }
                await #expect(throws: PostgresError.self) {
                    try await pool.transaction { transaction in
                        _ = try await transaction.query("INSERT INTO t VALUES (1)")
                        _ = try await transaction.query("INSERT INTO t VALUES (1)")
                    }
                }
            }
            let left = try await pool.query("SELECT id FROM t")
            #expect(left.isEmpty)
            #expect(pool.statistics.size == 1)
        }
    }
}
