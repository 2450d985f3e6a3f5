package import Logging
import ServiceLifecycle
import Synchronization

/// Connections shared by everybody who talks to one database.
///
/// Works from the moment it is made: connections are opened when somebody needs one. `run` keeps the minimum open,
/// checks idle ones, and closes the pool at shutdown. Callers beyond its size wait in order, boundedly in number and
/// time; a server that is away is tried again with growing, jittered pauses, and callers get the typed error meanwhile.
package final class PostgresPool: Service, Sendable {
    /// A caller in the queue: for a single statement the flight itself, so that the loop can send it the moment a
    /// connection becomes free, without waking the caller first.
    enum Waiter {
        case flight(Flight)
        case lease(CheckedContinuation<Result<PoolState.ConnectionID, PostgresError>, Never>)
    }

    struct Core {
        var state: PoolState
        var wires: [PoolState.ConnectionID: Wire] = [:]
        var waiters: [PoolState.WaiterID: Waiter] = [:]
        var nextWaiter = 0
        var lastConnectFailure: PostgresError?
        /// The instant for which a timer will expire waiters.
        var armed: ContinuousClock.Instant?
        var whenDrained: CheckedContinuation<Void, Never>?
    }

    let configuration: PostgresPoolConfiguration
    let logger: Logger
    let tableNames = TableNames()
    let core: Mutex<Core>
    let timers = EventLoop.next()

    /// Opens nothing yet.
    package init(configuration: PostgresPoolConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        core = Mutex(Core(state: PoolState(limits: configuration.limits)))
    }

    deinit {
        for wire in core.withLock({ $0.wires.values.map(\.self) }) { wire.post { $0.lose("the pool is gone") } }
    }

    /// Where the pool stands at this moment.
    package var statistics: PoolStatistics { core.withLock { $0.state.statistics } }

    // MARK: For callers

    /// Executes one statement on a connection of its own; committed when it returns.
    package func query(_ statement: SQL) async throws(PostgresError) -> PostgresRows {
        try await pipeline([statement])[0]
    }

    /// Executes `statements` in one flight. They are one transaction: all take effect, or the first error is thrown
    /// and none does.
    package func pipeline(_ statements: [SQL]) async throws(PostgresError) -> [PostgresRows] {
        if statements.isEmpty { return [] }
        let flight = Flight(statements, lease: nil, isAutocommit: true)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                flight.whenDone { continuation.resume(returning: $0) }
                dispatch(flight)
            }
        } onCancel: {
            // In this order: whoever looks second, here or in `dispatch`, sees what the other has done.
            flight.cancel()
            if abandon(flight) { flight.finish(.failure(.cancelled), status: .idle) }
        }
        return try outcome.results.get().map(PostgresRows.init)
    }

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    ///
    /// BEGIN and `prelude` travel with the first statement; without any statement nothing is sent.
    package func transaction<Value: Sendable>(
        prelude: [SQL] = [],
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let (id, wire) = try await borrow()
        let transaction = PostgresTransaction(wire: wire, lease: Wire.newLease())
        transaction.begin(prelude: prelude)
        return try await transaction.run(
            returningTo: Wire.newLease(),
            ended: { self.release(id, isReusable: $0 == .idle) },
            body
        )
    }

    /// Lends one connection for as long as `body` runs. A transaction that `body` left open costs the connection.
    package func withConnection<Value: Sendable>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let (id, wire) = try await borrow()
        let lease = Wire.newLease()
        wire.post { $0.setLease(lease) }
        defer { wire.post { self.release(id, isReusable: $0.endLease()) } }
        return try await body(PostgresConnection(wire: wire, lease: lease, isOwner: false))
    }

    // MARK: Service

    /// Keeps the pool in order until graceful shutdown or cancellation, then closes it: new callers are refused, and
    /// those who have a connection get `configuration.drainTimeout` to bring it back.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.perform(self.core.withLock { $0.state.maintain(now: .now) })
                // Cancellation ends the sleep, and the loop with it.
                try? await Task.sleep(for: self.configuration.maintenanceInterval)
            }
        }
        await close()
    }

    /// Refuses new callers, waits for the lent connections (boundedly) and closes all.
    package func close() async {
        perform(core.withLock { $0.state.close() })
        timers.execute { [self] in
            _ = timers.schedule(after: configuration.drainTimeout) { self.abortAll() }
        }
        await withCheckedContinuation { continuation in
            core.withLock { core in
                core.whenDrained?.resume()
                core.whenDrained = continuation
            }
            signalDrained()
        }
    }
}
