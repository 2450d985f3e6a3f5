package import Domain
import Postgres

/// How much waits, over all organizations.
package struct WorkWaiting: Sendable {
    package let deliveries: Int64
    package let events: Int64
    package let deadEvents: Int64
    package let entriesPending: Int64
    /// Since when the oldest of what could be done now waits; nil when nothing does.
    package let oldestDueAt: Timestamp?
    package let now: Timestamp

    package var oldestAge: Duration {
        guard let oldestDueAt, oldestDueAt < now else { return .zero }
        return now - oldestDueAt
    }
}

extension Store {
    /// Partitions that exist beyond the current one: this many are kept, and one is a warning.
    package static let partitionsAheadWanted = 3

    /// Makes the partitions that are missing; returns how many that were.
    package func extendPartitions() async throws -> Int {
        let rows = try await pool.query("SELECT extend_partitions(\(Int32(Self.partitionsAheadWanted))) AS made")
        return Int(try rows.only().decode("made", as: Int32.self))
    }

    /// Months beyond the current one for which the log has a partition.
    package func partitionsAhead() async throws -> Int {
        Int(try await pool.query("SELECT partitions_ahead() AS ahead").only().decode("ahead", as: Int32.self))
    }

    /// Over all organizations: counts, no content.
    package func workWaiting() async throws -> WorkWaiting {
        let row = try await pool.query(
            """
            SELECT deliveries, events, oldest_due, dead, entries_pending, clock_timestamp() AS now FROM work_waiting()
            """
        ).only()
        return WorkWaiting(
            deliveries: try row.decode("deliveries"),
            events: try row.decode("events"),
            deadEvents: try row.decode("dead"),
            entriesPending: try row.decode("entries_pending"),
            oldestDueAt: try row.decode("oldest_due"),
            now: try row.decode("now")
        )
    }

    /// What of the server's settings decides whether an acknowledged commit is kept.
    package struct Durability: Sendable, Hashable {
        package let fsync: Bool
        package let fullPageWrites: Bool
        package let synchronousCommit: String

        /// Whether a commit survives a crash of the database's machine.
        package var holds: Bool { fsync && fullPageWrites && !["off", "local"].contains(synchronousCommit) }
    }

    /// The server's settings as they hold for this connection.
    package func durability() async throws -> Durability {
        let row = try await pool.query(
            """
            SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
                current_setting('synchronous_commit') AS synchronous_commit
            """
        ).only()
        return Durability(
            fsync: try row.decode("fsync", as: String.self) == "on",
            fullPageWrites: try row.decode("full_page_writes", as: String.self) == "on",
            synchronousCommit: try row.decode("synchronous_commit")
        )
    }

    /// How long readiness waits for a connection, and for an answer: whoever asks for it waits not much longer than the
    /// second or few that are usual, and a stalled database is no reason to be asked again by somebody else meanwhile.
    package static let readinessLimit = Duration.seconds(1)

    /// Whether the database answers; for readiness. Told within twice ``readinessLimit``.
    package func answers() async throws -> Bool {
        try await pool.answers(within: Self.readinessLimit)
    }
}

extension Store {
    /// Whether the role that serves is one that row-level security stops.
    package struct Standing: Sendable, Hashable {
        package let role: String
        package let isSuperuser: Bool
        package let bypassesRowSecurity: Bool
        package let ownsTables: Bool

        package var isBehindTheWall: Bool { !isSuperuser && !bypassesRowSecurity && !ownsTables }
    }

    /// What the role that we connect as could do past row-level security.
    package func standing() async throws -> Standing {
        let row = try await pool.query(
            """
            SELECT rolname::text AS role, rolsuper, rolbypassrls,
                EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid AND relname = 'organizations') AS owns
            FROM pg_roles WHERE rolname = current_user
            """
        ).only()
        return Standing(
            role: try row.decode("role"),
            isSuperuser: try row.decode("rolsuper"),
            bypassesRowSecurity: try row.decode("rolbypassrls"),
            ownsTables: try row.decode("owns")
        )
    }
}
