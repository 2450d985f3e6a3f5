extension PostgresConnection {
    /// Calls `heard` for each notification that comes over this connection, of whichever channel it LISTENs to. On the
    /// connection's thread: it must not block. Nothing tells of a connection that is lost but the next statement.
    package func onNotification(_ heard: @escaping @Sendable () -> Void) {
        wire.post { wire in wire.onNotification = { _ in heard() } }
    }

    /// As ``pipeline(_:)``, and gives the connection up when the answer has not come in time: for one that may be
    /// half-open, where cancelling would wait as long.
    package func pipeline(
        _ statements: [SQL],
        within limit: Duration
    ) async throws(PostgresError) -> [PostgresRows] {
        let flight = Flight(statements, lease: lease, isAutocommit: true, deadline: limit)
        return try await wire.fly(flight).results.get().map(PostgresRows.init)
    }
}
