import Synchronization

/// A transaction while its closure runs; afterwards it refuses every use with `transactionEnded`.
package final class PostgresTransaction: Sendable {
    private let wire: Wire
    private let lease: Int
    /// What travels with the COMMIT.
    private let closing = Mutex<[SQL]>([])

    /// A rollback that takes longer costs the connection.
    private static let rollbackDeadline = Duration.seconds(5)

    init(wire: Wire, lease: Int) {
        self.wire = wire
        self.lease = lease
    }

    /// Executes one statement.
    package func query(_ statement: SQL) async throws(PostgresError) -> PostgresRows {
        try await pipeline([statement])[0]
    }

    /// Executes `statements` in one flight; the first error ends it, and the transaction can then only be rolled back
    /// (to a savepoint).
    package func pipeline(_ statements: [SQL]) async throws(PostgresError) -> [PostgresRows] {
        if statements.isEmpty { return [] }
        let flight = Flight(statements, lease: lease, isAutocommit: false)
        return try await wire.fly(flight).results.get().map(PostgresRows.init)
    }

    /// Executes `statements` as the last of the transaction, in one flight with its COMMIT: for writes whose results
    /// nobody needs. When one of them fails, the transaction is rolled back and whoever runs it gets the error.
    package func atCommit(_ statements: [SQL]) {
        closing.withLock { $0 += statements }
    }

    /// Runs `body` so that its statements can be undone alone: when it throws, they are, and the transaction goes on.
    package func savepoint<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        _ = try await query("SAVEPOINT s")
        do {
            let value = try await body()
            _ = try await query("RELEASE SAVEPOINT s")
            return value
        } catch {
            let undo: [SQL] = ["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]
            let flight = Flight(undo, lease: lease, isAutocommit: false, deadline: Self.rollbackDeadline)
            _ = try await wire.fly(flight, shielded: true).results.get()
            throw error
        }
    }

    /// Executes the text of a file of statements, by the simple protocol. False when the text itself ended the
    /// transaction.
    func script(_ text: String) async throws(PostgresError) -> Bool {
        // Takes BEGIN along, which a script cannot.
        _ = try await query("SELECT 1")
        let outcome = await wire.fly(Flight([], kind: .script(text), lease: lease, isAutocommit: false))
        _ = try outcome.results.get()
        return outcome.status == .open
    }

    // MARK: Begin and end

    func begin(prelude: [SQL]) {
        var opening: [SQL] = ["BEGIN"]
        if case .unnamed = wire.configuration.statementMode,
            let limits = wire.configuration.limits.statement(local: true)
        {
            opening.append(limits)
        }
        let lease = lease
        let all = opening + prelude
        wire.post { $0.setLease(lease, opening: all) }
    }

    /// `ended` is called on the loop with where the connection then stands, before the caller goes on.
    func run<Value: Sendable>(
        returningTo outer: Int,
        ended: (@Sendable (Flight.TransactionStatus) -> Void)? = nil,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let value: Value
        do {
            value = try await body(self)
        } catch {
            await rollBack(lease: lease, returningTo: outer, ended)
            throw error
        }
        try await commit(returningTo: outer, ended)
        return value
    }

    private func commit(
        returningTo outer: Int,
        _ ended: (@Sendable (Flight.TransactionStatus) -> Void)?
    ) async throws(PostgresError) {
        let statements = closing.withLock { $0 } + ["COMMIT"]
        let flight = Flight(statements, kind: .commit, lease: lease, nextLease: outer, isAutocommit: true)
        if let ended { flight.beforeDone { if $0.status.isOver { ended($0.status) } } }
        // Not cancellable: a commit that was asked for is seen through.
        let outcome = await wire.fly(flight, shielded: true)
        // A statement before the COMMIT failed, and the server skipped the rest of the flight.
        if !outcome.status.isOver { await rollBack(lease: outer, returningTo: outer, ended) }
        // The server answers a COMMIT of a failed transaction with a rollback.
        if let tag = try outcome.results.get().last?.commandTag, tag != "COMMIT" { throw .transactionAborted }
    }

    /// Never throws: a connection that cannot be rolled back is given up.
    private func rollBack(
        lease: Int,
        returningTo outer: Int,
        _ ended: (@Sendable (Flight.TransactionStatus) -> Void)?
    ) async {
        let flight = Flight(
            ["ROLLBACK"],
            kind: .rollback,
            lease: lease,
            nextLease: outer,
            isAutocommit: false,
            deadline: Self.rollbackDeadline
        )
        if let ended { flight.beforeDone { ended($0.status) } }
        if case .failure = await wire.fly(flight, shielded: true).results {
            await wire.lose("the transaction could not be rolled back")
        }
    }
}
