import Synchronization

/// Who gets a connection, and when.
extension PostgresPool {
    func borrow() async throws(PostgresError) -> (PoolState.ConnectionID, Wire) {
        let id = try await acquire().get()
        if let wire = core.withLock({ $0.wires[id] }) { return (id, wire) }
        // Closing has taken it away meanwhile.
        release(id, isReusable: false)
        throw .poolClosed
    }

    func acquire() async -> Result<PoolState.ConnectionID, PostgresError> {
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

    func dispatch(_ flight: Flight) {
        let waiter = core.withLock { core in
            core.nextWaiter += 1
            return core.nextWaiter
        }
        flight.ticket.store(waiter, ordering: .relaxed)
        enqueue(waiter, .flight(flight))
        if flight.isCancelled, abandon(flight) { flight.finish(.failure(.cancelled), status: .idle) }
    }

    func enqueue(_ id: PoolState.WaiterID, _ waiter: Waiter) {
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

    func lend(_ connection: PoolState.ConnectionID, _ wire: Wire?, to waiter: Waiter) {
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

    func fail(_ waiter: Waiter, _ error: PostgresError) {
        switch waiter {
        case .lease(let continuation): continuation.resume(returning: .failure(error))
        case .flight(let flight): flight.finish(.failure(error), status: .idle)
        }
    }

    func turnAway(_ id: PoolState.WaiterID, _ error: PostgresError) {
        let waiter = core.withLock { core in
            core.state.abandon(id) ? core.waiters.removeValue(forKey: id) : nil
        }
        if let waiter { fail(waiter, error) }
    }

    /// True when the flight was waiting and no longer is.
    func abandon(_ flight: Flight) -> Bool {
        let ticket = flight.ticket.load(ordering: .relaxed)
        return core.withLock { core in
            guard core.state.abandon(ticket) else { return false }
            core.waiters[ticket] = nil
            return true
        }
    }

    /// Whether the server answers a statement. Throws once that took longer than `limit`, be it the wait for a connection
    /// or for the answer: so within twice that time, whatever the pool's own patience is. A connection over which nothing
    /// came is given up, as after a check of an idle one.
    package func answers(within limit: Duration) async throws(PostgresError) -> Bool {
        let flight = Flight(["SELECT 1"], lease: nil, isAutocommit: false, deadline: limit)
        let outcome = await withCheckedContinuation { continuation in
            flight.whenDone { continuation.resume(returning: $0) }
            dispatch(flight)
            timers.execute { [self] in
                _ = timers.schedule(after: limit) {
                    if self.abandon(flight) {
                        flight.finish(.failure(.poolTimedOut(lastConnectFailure: nil)), status: .idle)
                    }
                }
            }
        }
        return try outcome.results.get().count == 1
    }

    func armTimer() {
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

    func expireWaiters() {
        let (expired, reason) = core.withLock { core in
            core.armed = nil
            let expired = core.state.expireWaiters(now: .now).compactMap { core.waiters.removeValue(forKey: $0) }
            return (expired, core.lastConnectFailure?.description)
        }
        for waiter in expired { fail(waiter, .poolTimedOut(lastConnectFailure: reason)) }
        armTimer()
    }
}
