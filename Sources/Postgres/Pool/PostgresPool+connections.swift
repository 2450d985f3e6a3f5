import Logging
import Synchronization

/// Opening, checking and closing, as `PoolState` decides.
extension PostgresPool {
    func release(_ connection: PoolState.ConnectionID, isReusable: Bool) {
        perform(core.withLock { $0.state.release(connection, isReusable: isReusable, now: .now) })
    }

    func perform(_ actions: [PoolState.Action]) {
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

    func connect(_ id: PoolState.ConnectionID) {
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

    func lost(_ id: PoolState.ConnectionID) {
        let actions = core.withLock { core in
            let actions = core.state.lost(id)
            if !core.state.knows(id) { core.wires[id] = nil }
            return actions
        }
        perform(actions)
    }

    func check(_ id: PoolState.ConnectionID) {
        guard let wire = core.withLock({ $0.wires[id] }) else { return }
        let flight = Flight(["SELECT 1"], lease: nil, isAutocommit: false, deadline: configuration.checkTimeout)
        flight.whenDone { [self] outcome in
            let isHealthy = outcome.status == .idle
            perform(core.withLock { $0.state.checked(id, isHealthy: isHealthy, now: .now) })
        }
        _ = flight.board(wire)
        wire.post { $0.submit(flight) }
    }

    func abortAll() {
        let (wires, waiting) = core.withLock { core in
            defer { (core.wires, core.whenDrained) = ([:], nil) }
            return (Array(core.wires.values), core.whenDrained)
        }
        for wire in wires { wire.post { $0.lose("the pool is closed") } }
        // A caller that does nothing with its connection is not waited for any longer.
        waiting?.resume()
    }

    func signalDrained() {
        let waiting = core.withLock { core -> CheckedContinuation<Void, Never>? in
            guard core.state.isDrained else { return nil }
            defer { core.whenDrained = nil }
            return core.whenDrained
        }
        waiting?.resume()
    }
}
