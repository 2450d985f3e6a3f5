/// How statements reach the server.
package enum StatementMode: Hashable, Sendable {
    /// Each connection prepares what it executes and keeps at most `cacheLimit` statements. Not through PgBouncer in
    /// transaction mode.
    case prepared(cacheLimit: Int)
    /// Nothing is kept between flights, so that every flight or transaction may meet another server connection:
    /// what PgBouncer in transaction mode needs.
    case unnamed

    /// Prepared, with room for every statement of a service.
    package static var prepared: StatementMode { .prepared(cacheLimit: 512) }
}

/// Limits that the server holds a session to; nil leaves the server's (or the role's) own in force.
///
/// With `StatementMode.prepared` they are set once when the session starts. With `.unnamed` there is no session to set
/// them on: each transaction sets them for itself in its first flight, and statements outside a transaction have those
/// of the role (`ALTER ROLE … SET`). Start-up `options` are never used, since poolers refuse them.
package struct SessionLimits: Hashable, Sendable {
    package var statementTimeout: Duration?
    package var lockTimeout: Duration?
    package var idleInTransactionTimeout: Duration?

    package init(
        statementTimeout: Duration? = .seconds(30),
        lockTimeout: Duration? = .seconds(10),
        idleInTransactionTimeout: Duration? = .seconds(60)
    ) {
        self.statementTimeout = statementTimeout
        self.lockTimeout = lockTimeout
        self.idleInTransactionTimeout = idleInTransactionTimeout
    }

    /// Nothing limited beyond what the server does itself.
    package static let none = SessionLimits(statementTimeout: nil, lockTimeout: nil, idleInTransactionTimeout: nil)

    /// One statement that sets them all, for the session or for the current transaction; nil when there is nothing to
    /// set.
    func statement(local: Bool) -> SQL? {
        let wanted: [(SQL, Duration?)] = [
            ("set_config('statement_timeout', ", statementTimeout),
            ("set_config('lock_timeout', ", lockTimeout),
            ("set_config('idle_in_transaction_session_timeout', ", idleInTransactionTimeout),
        ]
        let calls = wanted.compactMap { call, limit -> SQL? in
            guard let limit else { return nil }
            let milliseconds = String(max(1, Int64(limit / .milliseconds(1))))
            return local ? "\(call)\(milliseconds), true)" : "\(call)\(milliseconds), false)"
        }
        return calls.isEmpty ? nil : "SELECT " + SQL.join(calls, separator: ", ")
    }
}

/// How one connection is made.
package struct PostgresConnectionConfiguration: Sendable {
    /// A postgres:// URI or keyword=value pairs, as libpq reads them; may name several hosts.
    package var connectionString: String
    package var statementMode: StatementMode
    package var limits: SessionLimits
    /// For each address that is tried, from the first packet to a usable session.
    package var connectTimeout: Duration
    /// How long a cancelled statement may take to end before its connection is given up.
    package var cancelTimeout: Duration

    package init(
        connectionString: String,
        statementMode: StatementMode = .prepared,
        limits: SessionLimits = SessionLimits(),
        connectTimeout: Duration = .seconds(5),
        cancelTimeout: Duration = .seconds(5)
    ) {
        self.connectionString = connectionString
        self.statementMode = statementMode
        self.limits = limits
        self.connectTimeout = connectTimeout
        self.cancelTimeout = cancelTimeout
    }
}
