import Domain
import Logging
import Metrics
import Postgres
import ServiceLifecycle

/// Keeps this node's cache of tokens fresh: on one direct connection it LISTENs, and every ``pause``, and at each wake-up,
/// reads the endings that it has not seen.
///
/// Invariants:
/// - What proves freshness is a read of the endings over the very connection that listens, and its begin: a connection over
///   which nothing comes any more stops proving by itself.
/// - Each read asks for what the snapshot of the one before did not see, so that an ending which began early and committed
///   late is told too. What is read twice does no harm.
/// - A notification carries nothing: it only makes the next read early. A node that was killed between its commit and its
///   notification has told everybody all the same.
/// - After the connection is lost, nothing that was cached before is answered again.
package struct AccessWatch: Service {
    private let store: Store
    private let configuration: PostgresConnectionConfiguration

    /// Between two reads when nobody wakes it.
    static let pause = Duration.milliseconds(100)
    /// A read that takes longer costs the connection.
    static let readLimit = Duration.seconds(2)
    /// Endings of one read; where there are more, everything is forgotten instead.
    static let mostPerRead = 4096
    private static let connectLimit = Duration.seconds(2)
    private static let firstPause = Duration.milliseconds(20)
    private static let longestPause = Duration.seconds(2)

    /// `connectionString` is the direct one: no pooler that shares connections carries LISTEN.
    package init(_ store: Store, connectionString: String) {
        self.store = store
        configuration = PostgresConnectionConfiguration(
            connectionString: connectionString,
            limits: .none,
            connectTimeout: Self.connectLimit,
            cancelTimeout: Self.readLimit
        )
    }

    /// Watches until graceful shutdown or cancellation. A database that cannot be reached is tried again; meanwhile the
    /// cache answers nothing.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    try await watch { failures = 0 }
                } catch {
                    failures += 1
                    if !Task.isCancelled { log(error) }
                }
                store.access.lose()
                let pause = min(Self.firstPause * (1 << min(failures, 10)), Self.longestPause)
                // Cancellation ends the sleep, and the loop with it.
                try? await Task.sleep(for: pause * Double.random(in: 0.5..<1))
            }
        }
    }

    private func log(_ error: any Error) {
        store.logger.warning(
            "Tokens are looked up in the database at each use until the watch of endings is back",
            metadata: ["error": "\(error)"]
        )
    }

    /// Returns by throwing, or cancelled.
    private func watch(_ reached: () -> Void) async throws {
        let connection = try await PostgresConnection.connect(configuration)
        do {
            try await look(over: connection, reached)
        } catch {
            await connection.close()
            throw error
        }
    }

    private func look(over connection: PostgresConnection, _ reached: () -> Void) async throws {
        let (wakeUps, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let (endings, ending) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        connection.onNotification { wake.yield() }
        // What is sent over this connection are wake-ups, which nobody needs to survive a crash.
        let opening: [SQL] = ["LISTEN rollcall_access", "SET synchronous_commit = off"]
        _ = try await connection.pipeline(opening, within: Self.readLimit)
        var seen = try await read(over: connection, after: nil)
        reached()
        store.access.whenCommitted { ending.yield() }
        try await withThrowingTaskGroup { group in
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.pause)
                    wake.yield()
                }
            }
            group.addTask {
                // In a transaction of its own: a NOTIFY makes commits wait for each other.
                for await _ in endings {
                    _ = try await connection.pipeline(["NOTIFY rollcall_access"], within: Self.readLimit)
                }
            }
            for await _ in wakeUps { seen = try await read(over: connection, after: seen) }
            group.cancelAll()
        }
    }

    /// Reads what the snapshot `seen` did not see, tells the cache, and returns the snapshot for the next time.
    private func read(over connection: PostgresConnection, after seen: String?) async throws -> String {
        let began = ContinuousClock.now
        var statements: [SQL] = [
            """
            SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS clock,
                pg_is_in_recovery() AS is_standby
            """
        ]
        if let seen {
            statements.append(
                """
                SELECT subject, subject_id FROM access_endings_after(\(seen), \(Int32(Self.mostPerRead + 1)))
                """
            )
        }
        let results = try await connection.pipeline(statements, within: Self.readLimit)
        let row = try results[0].only()
        guard try !row.decode("is_standby", as: Bool.self) else { throw StandbyWatched() }
        let ended = results.count > 1 ? try Self.subjects(in: results[1]) : nil
        store.access.take(.init(began: began, clock: try row.decode("clock"), ended: ended))
        return try row.decode("snapshot")
    }

    /// nil when there are more than are told.
    private static func subjects(in rows: PostgresRows) throws -> [AccessSubject]? {
        guard rows.count <= mostPerRead else { return nil }
        return try rows.map { row in
            let id = try row.decode("subject_id", as: AccessSubjectID.self)
            let bits = IDBits(high: id.high, low: id.low)
            guard let subject = AccessSubject(word: try row.decode("subject"), bits: bits) else {
                throw row.refusal(of: "subject", because: .malformed("not a subject of access"))
            }
            return subject
        }
    }
}

private enum AnySubjectKind: IDKind { static let prefix = "any" }
private typealias AccessSubjectID = ID<AnySubjectKind>

/// The direct connection leads to a standby, which learns of endings late.
private struct StandbyWatched: Error, CustomStringConvertible {
    var description: String { "the direct connection leads to a standby; name the primary, or target_session_attrs" }
}
