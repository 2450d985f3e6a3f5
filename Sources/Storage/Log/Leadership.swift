package import Domain
import Postgres

/// The turn to sequence: a session's advisory lock, and a number that is larger than those of all turns before.
///
/// The lock keeps two leaders from getting in each other's way. It is the number that keeps them from doing harm: every
/// row of a log names the turn that may write it, so that a leader which was paused while another took over writes
/// nothing when it wakes up.
package struct Leadership: Sendable {
    package let number: Int64
    private let connection: PostgresConnection

    /// The turn, if nobody has it. `connectionString` leads to the server itself: a pooler would give the session to others.
    package static func claim(_ connectionString: String) async throws -> Leadership? {
        let connection = try await PostgresConnection.connect(to: connectionString)
        do {
            let row = try await connection.query(
                """
                SELECT CASE WHEN pg_try_advisory_lock(hashtext('rollcall.sequencer'))
                    THEN nextval('audit_leadership') END AS number
                """
            ).only()
            if let number = try row.decode("number", as: Int64?.self) {
                return Leadership(number: number, connection: connection)
            }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        return nil
    }

    /// Whether the session that has the lock is still there.
    package func holds() async -> Bool {
        // However it is lost, it is lost.
        (try? await connection.query("SELECT 1 AS one")) != nil
    }

    /// Leaves the turn to others at once.
    package func resign() async { await connection.close() }
}

extension Store {
    /// How many organizations one look for waiting leaves returns.
    package static let mostLogsPerLook = 256

    /// Organizations that have leaves waiting, in the order of their ids, the first of them behind `after`.
    package func logsWaiting(after: OrganizationID?) async throws -> [OrganizationID] {
        let rows = try await pool.query(
            "SELECT organization_id FROM logs_waiting(\(after ?? .lowest), \(Int32(Self.mostLogsPerLook)))"
        )
        return try rows.map { try $0.decode("organization_id") }
    }

    /// Organizations whose log has grown beyond what was signed of it, and is not halted.
    package func logsUnpublished() async throws -> [OrganizationID] {
        try await pool.query("SELECT organization_id FROM logs_unpublished()").map { try $0.decode("organization_id") }
    }

    /// How all logs stand together.
    package struct LogsStanding: Sendable {
        package let logs: Int64
        package let halted: Int64
        /// Leaves that have an index, and that no checkpoint covers yet.
        package let unpublished: Int64
        /// Since when the oldest leaf without an index waits.
        package let oldestPendingAt: Timestamp?
        package let now: Timestamp

        package var oldestPendingAge: Duration {
            guard let oldestPendingAt, oldestPendingAt < now else { return .zero }
            return now - oldestPendingAt
        }
    }

    /// Over all organizations: counts, no content.
    package func logsStanding() async throws -> LogsStanding {
        let row = try await pool.query(
            "SELECT logs, halted, unpublished, oldest_pending, clock_timestamp() AS now FROM logs_standing()"
        ).only()
        return LogsStanding(
            logs: try row.decode("logs"),
            halted: try row.decode("halted"),
            unpublished: try row.decode("unpublished"),
            oldestPendingAt: try row.decode("oldest_pending"),
            now: try row.decode("now")
        )
    }
}
