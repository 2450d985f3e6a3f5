/// One connection to the server.
///
/// Statements sent concurrently travel in one pipeline and are answered in order. A cancelled task cancels its
/// statement on the server and leaves the connection clean, or lost. One that a pool lent refuses to be used after
/// the closure that it was lent to.
package final class PostgresConnection: Sendable {
    let wire: Wire
    let lease: Int
    /// Only the one who made the connection closes it.
    private let isOwner: Bool

    init(wire: Wire, lease: Int, isOwner: Bool) {
        self.wire = wire
        self.lease = lease
        self.isOwner = isOwner
    }

    deinit {
        if isOwner { wire.post { $0.lose("closed") } }
    }

    /// A connection of its own, outside any pool. Each address of the string has the configuration's connect timeout.
    package static func connect(
        _ configuration: PostgresConnectionConfiguration
    ) async throws(PostgresError) -> PostgresConnection {
        let wire = try await Wire.open(configuration, tableNames: TableNames())
        let lease = Wire.newLease()
        wire.post { $0.setLease(lease) }
        return PostgresConnection(wire: wire, lease: lease, isOwner: true)
    }

    /// As above, with everything but the connection string left as it is by default.
    package static func connect(to connectionString: String) async throws(PostgresError) -> PostgresConnection {
        try await connect(PostgresConnectionConfiguration(connectionString: connectionString))
    }

    /// Executes one statement.
    package func query(_ statement: SQL) async throws(PostgresError) -> PostgresRows {
        try await pipeline([statement])[0]
    }

    /// Executes `statements` in one flight. They are one transaction: all take effect, or the first error is thrown
    /// and none does.
    package func pipeline(_ statements: [SQL]) async throws(PostgresError) -> [PostgresRows] {
        if statements.isEmpty { return [] }
        let flight = Flight(statements, lease: lease, isAutocommit: true)
        return try await wire.fly(flight).results.get().map(PostgresRows.init)
    }

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    ///
    /// BEGIN and `prelude` travel with the first statement; without any statement nothing is sent. While `body` runs,
    /// this connection refuses statements of its own.
    package func transaction<Value: Sendable>(
        prelude: [SQL] = [],
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let transaction = PostgresTransaction(wire: wire, lease: Wire.newLease())
        transaction.begin(prelude: prelude)
        return try await transaction.run(returningTo: lease, body)
    }

    /// Executes the text of a file of statements, by the simple protocol.
    func script(_ text: String) async throws(PostgresError) {
        _ = try await wire.fly(Flight([], kind: .script(text), lease: lease, isAutocommit: true)).results.get()
    }

    /// Ends the connection; statements under way fail.
    package func close() async {
        await wire.lose("closed")
    }

    /// True when the session has a transaction open that it was left with.
    var isInTransaction: Bool {
        get async { await wire.status != .idle }
    }
}
