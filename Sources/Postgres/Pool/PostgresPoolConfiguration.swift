/// A pool's bounds.
package struct PostgresPoolConfiguration: Sendable {
    package var connection: PostgresConnectionConfiguration
    /// Connections at most.
    package var size: Int
    /// Connections kept open while `run` is on.
    package var minimum: Int
    /// Callers that may wait at the same time.
    package var waiters: Int
    /// How long a caller waits for a connection.
    package var waitTimeout: Duration
    package var idleTimeout: Duration
    /// How long a connection may lie idle before it is checked, and how long the answer may take.
    package var checkInterval: Duration
    package var checkTimeout: Duration
    /// Pause after the first failed connect; doubled for each further one up to the longest, and jittered by half.
    package var firstBackoff: Duration
    package var longestBackoff: Duration
    /// How long closing waits for callers that have a connection.
    package var drainTimeout: Duration

    /// At least one connection; the minimum is at most the size.
    package init(
        connection: PostgresConnectionConfiguration,
        size: Int = 8,
        minimum: Int = 1,
        waiters: Int = 4096,
        waitTimeout: Duration = .seconds(5),
        idleTimeout: Duration = .seconds(300),
        checkInterval: Duration = .seconds(30),
        checkTimeout: Duration = .seconds(5),
        firstBackoff: Duration = .milliseconds(100),
        longestBackoff: Duration = .seconds(5),
        drainTimeout: Duration = .seconds(10)
    ) {
        self.connection = connection
        self.size = max(1, size)
        self.minimum = min(max(0, minimum), max(1, size))
        self.waiters = waiters
        self.waitTimeout = waitTimeout
        self.idleTimeout = idleTimeout
        self.checkInterval = checkInterval
        self.checkTimeout = checkTimeout
        self.firstBackoff = firstBackoff
        self.longestBackoff = longestBackoff
        self.drainTimeout = drainTimeout
    }

    /// How often `run` looks after idle connections.
    var maintenanceInterval: Duration { min(.seconds(1), checkInterval) }

    var limits: PoolState.Limits {
        PoolState.Limits(
            size: size,
            minimum: minimum,
            waiters: waiters,
            idleTimeout: idleTimeout,
            checkInterval: checkInterval,
            firstBackoff: firstBackoff,
            longestBackoff: longestBackoff
        )
    }
}
