import Logging
import Postgres
import ServiceLifecycle
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite struct PoolTests {
    private func configuration(_ connectionString: String, size: Int = 2) -> PostgresPoolConfiguration {
        PostgresPoolConfiguration(
            connection: PostgresConnectionConfiguration(connectionString: connectionString),
            size: size,
            // For whoever has to be served, on a machine that is busy with other tests too.
            waitTimeout: .seconds(90),
            firstBackoff: .milliseconds(20),
            longestBackoff: .milliseconds(200)
        )
    }

    @Test func `waiting for a connection is bounded in time and in number`() async throws {
        var configuration = configuration(try await TestCluster.shared.server.connectionString(), size: 1)
        configuration.waiters = 2
        let patient = PostgresPool(configuration: configuration, logger: .silent)
        try await patient.withConnection { _ in
            let waiting = (0..<2).map { _ in Task { try await patient.query("SELECT 1") } }
            try await eventually { patient.statistics.waiting == 2 }
            let third = await #expect(throws: PostgresError.self) { try await patient.query("SELECT 1") }
            #expect(third?.description == "too many callers wait for a connection")
            for task in waiting { task.cancel() }
            for task in waiting { await #expect(throws: PostgresError.self) { try await task.value } }
        }
        await patient.close()

        configuration.waitTimeout = .milliseconds(300)
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        // The first who asks may well wait longer for a new connection on a busy machine.
        var lent: [String] = []
        while lent.isEmpty {
            do {
                lent = try await pool.withConnection { _ in
                    let late = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
                    return [late?.description ?? ""]
                }
            } catch PostgresError.poolTimedOut {
                continue
            }
        }
        #expect(lent == ["no connection became free in time"])
        try await eventually { pool.statistics.idle == 1 }
        #expect(try await pool.query("SELECT 1").count == 1)
        #expect(pool.statistics.idle == 1 && pool.statistics.size == 1 && pool.statistics.waiting == 0)
        await pool.close()
        let closed = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        guard case .poolClosed = closed else { return #expect(Bool(false)) }
    }

    @Test func `a server that stands still is told long before the pool gives up`() async throws {
        let direct = try await TestCluster.shared.server.connectionString()
        try await StallingProxy.with(to: direct) { proxy, through in
            let pool = PostgresPool(configuration: configuration(through, size: 1), logger: .silent)
            try await eventually {
                do { return try await pool.answers(within: .seconds(5)) } catch { return false }
            }
            proxy.stall()
            // With a connection that says nothing more, then with none to be had: the pool's own patience is 90 seconds.
            for _ in 0..<2 {
                let began = ContinuousClock.now
                await #expect(throws: PostgresError.self) { try await pool.answers(within: .milliseconds(300)) }
                #expect(ContinuousClock.now - began < .seconds(60))
            }
            proxy.resume()
            try await eventually {
                do { return try await pool.answers(within: .seconds(5)) } catch { return false }
            }
            await pool.close()
        }
    }

    @Test func `a caller that is cancelled while it waits leaves the queue`() async throws {
        let configuration = configuration(try await TestCluster.shared.server.connectionString(), size: 1)
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        try await pool.withConnection { _ in
            let single = Task { try await pool.query("SELECT 1") }
            let lease = Task { try await pool.withConnection { _ in } }
            try await eventually { pool.statistics.waiting == 2 }
            single.cancel()
            lease.cancel()
            await #expect(throws: PostgresError.self) { try await single.value }
            await #expect(throws: PostgresError.self) { try await lease.value }
            #expect(pool.statistics.waiting == 0)
        }
        await pool.close()
    }

    @Test func `hundreds of callers share two connections`() async throws {
        let database = try await TestDatabase.create()
        try await database.query("CREATE TABLE t (id int PRIMARY KEY)")
        let pool = PostgresPool(configuration: configuration(database.connectionString), logger: .silent)
        try await withThrowingTaskGroup { group in
            for number in 0..<400 {
                group.addTask {
                    if number.isMultiple(of: 2) {
                        _ = try await pool.query("INSERT INTO t VALUES (\(number))")
                    } else {
                        try await pool.transaction { transaction in
                            _ = try await transaction.query("INSERT INTO t VALUES (\(number))")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let count = try await database.query("SELECT count(*) AS n FROM t")
        #expect(try count[0].decode("n", as: Int.self) == 400)
        #expect(pool.statistics.size == 2)
        await pool.close()
    }

    @Test func `a killed backend costs its statement only`() async throws {
        let database = try await TestDatabase.create()
        let pool = PostgresPool(configuration: configuration(database.connectionString), logger: .silent)
        let victim = Task { try await pool.query("SELECT pg_sleep(30)") }
        try await eventually {
            try await !database.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE query = 'SELECT pg_sleep(30)' AND state = 'active' AND datname = current_database()
                """
            ).isEmpty
        }
        let error = await #expect(throws: PostgresError.self) { try await victim.value }
        guard case .connectionLost(let loss) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(loss.message.contains("administrator") && !loss.outcomeUnknown)
        #expect(error?.isTransient == true)
        #expect(try await pool.query("SELECT 1").count == 1)
        await pool.close()
    }

    @Test func `the whole server killed in mid-query and started again`() async throws {
        let cluster = try await TestCluster.own(named: "killed", settings: ["fsync": "on", "full_page_writes": "on"])
        let configuration = configuration(cluster.server.connectionString())
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        _ = try await pool.query("CREATE TABLE t (id int PRIMARY KEY)")
        _ = try await pool.query("SET synchronous_commit = on")
        _ = try await pool.pipeline(["SET LOCAL synchronous_commit = on", "INSERT INTO t VALUES (1)"])
        let victim = Task { try await pool.query("SELECT pg_sleep(30)") }
        let watch = try await PostgresConnection.connect(to: cluster.server.connectionString())
        try await eventually {
            try await !watch.query(
                "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'"
            ).isEmpty
        }
        try await kill(cluster)
        let error = await #expect(throws: PostgresError.self) { try await victim.value }
        guard case .connectionLost(let loss) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(loss.outcomeUnknown)
        let waiting = Task { try await pool.query("SELECT id FROM t") }
        try await cluster.server.start()
        #expect(try await waiting.value.count == 1)
        try await cluster.server.stop(.immediate)
        #expect(pool.statistics.inUse == 0)
        try await cluster.server.start()
        #expect(try await pool.query("SELECT id FROM t").count == 1)
        await pool.close()
        try await cluster.server.stop(.fast)
    }

    /// SIGKILL to the postmaster and everything that it started.
    private func kill(_ cluster: TestCluster) async throws {
        let postmaster = try #require(cluster.server.postmaster)
        _ = try await Subprocess.run(
            .path("/bin/sh"),
            arguments: ["-c", "kill -9 $0 $(cat /proc/$0/task/$0/children)", "\(postmaster)"],
            output: .discarded
        )
    }

    @Test func `a server that is away is an error in time, with the reason`() async throws {
        var configuration = configuration("postgresql://postgres@127.0.0.1:1/postgres")
        configuration.waitTimeout = .milliseconds(300)
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        // The reason is there once the first connect has failed, which may take longer than a caller waits.
        var reason: String?
        try await eventually {
            let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            guard case .poolTimedOut(let told) = error else { throw error ?? PostgresError.poolClosed }
            reason = told
            return told != nil
        }
        #expect(reason?.contains("refused") == true)
        await pool.close()
    }

    @Test func `run keeps the minimum open and closes the pool at shutdown`() async throws {
        var configuration = configuration(try await TestCluster.shared.server.connectionString())
        configuration.minimum = 2
        configuration.checkInterval = .milliseconds(50)
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        let group = ServiceGroup(services: [pool], logger: .silent)
        let running = Task { try await group.run() }
        try await eventually { pool.statistics.idle == 2 }
        try await Task.sleep(for: .milliseconds(300))
        #expect(pool.statistics.size == 2)
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(pool.statistics.size == 0)
    }

    @Test func `closing waits for who has a connection, but not for ever`() async throws {
        var configuration = configuration(try await TestCluster.shared.server.connectionString())
        configuration.drainTimeout = .milliseconds(200)
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        let slow = Task { try await pool.query("SELECT pg_sleep(30)") }
        try await eventually { pool.statistics.inUse == 1 }
        await pool.close()
        await #expect(throws: PostgresError.self) { try await slow.value }
    }
}
