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
    private enum Waiter {
        case flight(Flight)
        case lease(CheckedContinuation<Result<PoolState.ConnectionID, PostgresError>, Never>)
    }

    private struct Core {
        var state: PoolState
        var wires: [PoolState.ConnectionID: Wire] = [:]
        var waiters: [PoolState.WaiterID: Waiter] = [:]
        var nextWaiter = 0
        var lastConnectFailure: PostgresError?
        /// The instant for which a timer will expire waiters.
        var armed: ContinuousClock.Instant?
        var whenDrained: CheckedContinuation<Void, Never>?
    }

    private let configuration: PostgresPoolConfiguration
    private let logger: Logger
    private let tableNames = TableNames()
    private let core: Mutex<Core>
    private let timers = EventLoop.next()

    package init(configuration: PostgresPoolConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        core = Mutex(Core(state: PoolState(limits: configuration.limits)))
    }

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

    // MARK: Waiting

    private func borrow() async throws(PostgresError) -> (PoolState.ConnectionID, Wire) {
        let id = try await acquire().get()
        if let wire = core.withLock({ $0.wires[id] }) { return (id, wire) }
        // Closing has taken it away meanwhile.
        release(id, isReusable: false)
        throw .poolClosed
    }

    private func acquire() async -> Result<PoolState.ConnectionID, PostgresError> {
        if Task.isCancelled { return .failure(.cancelled) }
        let waiter = core.withLock { core in
            core.nextWaiter += 1
            return core.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enqueue(waiter, .lease(continuation))
                // A cancellation that came before the waiter was in the queue found nothing to take out.
                if Task.isCancelled { turnAway(waiter, .cancelled) }
            }
        } onCancel: {
            turnAway(waiter, .cancelled)
        }
    }

    private func dispatch(_ flight: Flight) {
        let waiter = core.withLock { core in
            core.nextWaiter += 1
            return core.nextWaiter
        }
        flight.ticket.store(waiter, ordering: .relaxed)
        enqueue(waiter, .flight(flight))
        if flight.isCancelled, abandon(flight) { flight.finish(.failure(.cancelled), status: .idle) }
    }

    private func enqueue(_ id: PoolState.WaiterID, _ waiter: Waiter) {
        let deadline = ContinuousClock.now + configuration.waitTimeout
        let (acquisition, wire) = core.withLock { core in
            let acquisition = core.state.acquire(id, deadline: deadline)
            switch acquisition {
            case .lent(let connection): return (acquisition, core.wires[connection])
            case .waiting: core.waiters[id] = waiter
            case .exhausted, .closed: break
            }
            return (acquisition, nil)
        }
        switch acquisition {
        case .lent(let connection): lend(connection, wire, to: waiter)
        case .waiting(let actions):
            perform(actions)
            armTimer()
        case .exhausted: fail(waiter, .poolExhausted)
        case .closed: fail(waiter, .poolClosed)
        }
    }

    private func lend(_ connection: PoolState.ConnectionID, _ wire: Wire?, to waiter: Waiter) {
        guard let wire else { return fail(waiter, .poolClosed) }
        switch waiter {
        case .lease(let continuation): continuation.resume(returning: .success(connection))
        case .flight(let flight):
            flight.beforeDone { [self] outcome in
                release(connection, isReusable: outcome.status == .idle)
            }
            guard flight.board(wire) else {
                return flight.finish(.failure(.cancelled), status: .idle)
            }
            wire.post { $0.submit(flight) }
        }
    }

    private func fail(_ waiter: Waiter, _ error: PostgresError) {
        switch waiter {
        case .lease(let continuation): continuation.resume(returning: .failure(error))
        case .flight(let flight): flight.finish(.failure(error), status: .idle)
        }
    }

    private func turnAway(_ id: PoolState.WaiterID, _ error: PostgresError) {
        let waiter = core.withLock { core in
            core.state.abandon(id) ? core.waiters.removeValue(forKey: id) : nil
        }
        if let waiter { fail(waiter, error) }
    }

    /// True when the flight was waiting and no longer is.
    private func abandon(_ flight: Flight) -> Bool {
        let ticket = flight.ticket.load(ordering: .relaxed)
        return core.withLock { core in
            guard core.state.abandon(ticket) else { return false }
            core.waiters[ticket] = nil
            return true
        }
    }

    private func armTimer() {
        let deadline = core.withLock { core -> ContinuousClock.Instant? in
            guard core.armed == nil else { return nil }
            core.armed = core.state.nextWaiterDeadline
            return core.armed
        }
        guard let deadline else { return }
        timers.execute { [self] in
            _ = timers.schedule(after: ContinuousClock.now.duration(to: deadline)) { self.expireWaiters() }
        }
    }

    private func expireWaiters() {
        let (expired, reason) = core.withLock { core in
            core.armed = nil
            let expired = core.state.expireWaiters(now: .now).compactMap { core.waiters.removeValue(forKey: $0) }
            return (expired, core.lastConnectFailure?.description)
        }
        for waiter in expired { fail(waiter, .poolTimedOut(lastConnectFailure: reason)) }
        armTimer()
    }

    // MARK: Connections

    private func release(_ connection: PoolState.ConnectionID, isReusable: Bool) {
        perform(core.withLock { $0.state.release(connection, isReusable: isReusable, now: .now) })
    }

    private func perform(_ actions: [PoolState.Action]) {
        for action in actions {
            switch action {
            case .connect(let id): connect(id)
            case .connectLater(let id, let pause):
                timers.execute { [self] in
                    _ = timers.schedule(after: pause) {
                        self.perform(self.core.withLock { $0.state.backoffEnded(id) })
                    }
                }
            case .lend(let id, let waiter):
                let (wire, waiter) = core.withLock { ($0.wires[id], $0.waiters.removeValue(forKey: waiter)) }
                if let waiter { lend(id, wire, to: waiter) }
            case .check(let id): check(id)
            case .close(let id):
                let wire = core.withLock { $0.wires.removeValue(forKey: id) }
                wire?.post { $0.lose("closed") }
            case .turnAway(let waiter):
                let waiter = core.withLock { $0.waiters.removeValue(forKey: waiter) }
                if let waiter { fail(waiter, .poolClosed) }
            }
        }
        signalDrained()
    }

    private func connect(_ id: PoolState.ConnectionID) {
        let configuration = configuration.connection
        // Unstructured, because nobody waits for this connection in particular; ends within the connect timeout.
        Task { [self] in
            do throws(PostgresError) {
                let wire = try await Wire.open(configuration, tableNames: tableNames)
                let actions = core.withLock { core in
                    core.wires[id] = wire
                    core.lastConnectFailure = nil
                    return core.state.connected(id, now: .now)
                }
                wire.post { wire in
                    wire.onLoss = { [weak self] in self?.lost(id) }
                    // It may have been lost before there was anybody to tell.
                    if wire.status == .lost { self.lost(id) }
                }
                perform(actions)
            } catch {
                logger.warning("a database connection could not be opened", metadata: ["error": "\(error)"])
                let jitter = Double.random(in: 0..<1)
                perform(
                    core.withLock { core in
                        core.lastConnectFailure = error
                        return core.state.connectFailed(id, jitter: jitter)
                    }
                )
            }
        }
    }

    private func lost(_ id: PoolState.ConnectionID) {
        let actions = core.withLock { core in
            let actions = core.state.lost(id)
            if !core.state.knows(id) { core.wires[id] = nil }
            return actions
        }
        perform(actions)
    }

    private func check(_ id: PoolState.ConnectionID) {
        guard let wire = core.withLock({ $0.wires[id] }) else { return }
        let flight = Flight(["SELECT 1"], lease: nil, isAutocommit: false, deadline: configuration.checkTimeout)
        flight.whenDone { [self] outcome in
            let isHealthy = outcome.status == .idle
            perform(core.withLock { $0.state.checked(id, isHealthy: isHealthy, now: .now) })
        }
        _ = flight.board(wire)
        wire.post { $0.submit(flight) }
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

    private func abortAll() {
        let wires = core.withLock { core in
            defer { core.wires = [:] }
            return Array(core.wires.values)
        }
        for wire in wires { wire.post { $0.lose("the pool is closed") } }
    }

    private func signalDrained() {
        let waiting = core.withLock { core -> CheckedContinuation<Void, Never>? in
            guard core.state.isDrained else { return nil }
            defer { core.whenDrained = nil }
            return core.whenDrained
        }
        waiting?.resume()
    }
}
