/// Every decision of the pool, without a clock, a socket or a lock: inputs are methods, decisions are what they return.
///
/// Invariants: at most `limits.size` connections exist; a connection is idle, or lent to one caller; callers wait in
/// the order in which they came, at most `limits.waiters` of them, and only while no connection is idle.
struct PoolState {
    typealias ConnectionID = Int
    typealias WaiterID = Int

    struct Limits: Hashable {
        var size: Int
        /// Connections that are kept open when nobody needs them.
        var minimum: Int
        var waiters: Int
        var idleTimeout: Duration
        /// How long a connection may lie idle before it is asked whether it still works.
        var checkInterval: Duration
        var firstBackoff: Duration
        var longestBackoff: Duration
    }

    enum Action: Hashable {
        case connect(ConnectionID)
        case connectLater(ConnectionID, Duration)
        case lend(ConnectionID, to: WaiterID)
        case check(ConnectionID)
        case close(ConnectionID)
        /// The waiter is turned away because the pool is closing.
        case turnAway(WaiterID)
    }

    enum Acquisition: Hashable {
        case lent(ConnectionID)
        case waiting([Action])
        case exhausted
        case closed
    }

    fileprivate enum Slot: Hashable {
        case connecting(attempt: Int)
        case backingOff(attempt: Int)
        case idle(lastUse: ContinuousClock.Instant, lastCheck: ContinuousClock.Instant)
        case checking(lastUse: ContinuousClock.Instant)
        case lent
        /// Lost while lent; gone when it comes back.
        case lostWhileLent
    }

    private struct Waiter {
        let id: WaiterID
        let deadline: ContinuousClock.Instant
    }

    let limits: Limits
    private var slots: [ConnectionID: Slot] = [:]
    /// The one used last is used next, so that the others can grow old.
    private var idle: [ConnectionID] = []
    private var waiters: [Waiter] = []
    private var nextConnection = 0
    private(set) var isClosing = false

    init(limits: Limits) {
        self.limits = limits
    }

    func knows(_ connection: ConnectionID) -> Bool { slots[connection] != nil }

    var isDrained: Bool { isClosing && slots.isEmpty }

    var statistics: PoolStatistics {
        var lent = 0
        for slot in slots.values where slot == .lent || slot == .lostWhileLent { lent += 1 }
        return PoolStatistics(
            inUse: lent,
            idle: idle.count,
            waiting: waiters.count,
            size: slots.count,
            limit: limits.size
        )
    }

    // MARK: Callers

    mutating func acquire(_ waiter: WaiterID, deadline: ContinuousClock.Instant) -> Acquisition {
        if isClosing { return .closed }
        if let connection = idle.popLast() {
            slots[connection] = .lent
            return .lent(connection)
        }
        if waiters.count >= limits.waiters { return .exhausted }
        waiters.append(Waiter(id: waiter, deadline: deadline))
        return .waiting(growth())
    }

    /// True when the waiter was still waiting and no longer is.
    mutating func abandon(_ waiter: WaiterID) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.id == waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// Takes out those who have waited to the end of their patience.
    mutating func expireWaiters(now: ContinuousClock.Instant) -> [WaiterID] {
        let expired = waiters.prefix { $0.deadline <= now }.map(\.id)
        waiters.removeFirst(expired.count)
        return expired
    }

    var nextWaiterDeadline: ContinuousClock.Instant? { waiters.first?.deadline }

    /// A lent connection comes back. `isReusable` is false when it is lost or was left in an unknown state.
    mutating func release(_ connection: ConnectionID, isReusable: Bool, now: ContinuousClock.Instant) -> [Action] {
        guard isReusable, !isClosing, slots[connection] == .lent else {
            slots[connection] = nil
            return [.close(connection)] + growth()
        }
        return park(connection, lastUse: now, now: now)
    }

    // MARK: Connections

    mutating func connected(_ connection: ConnectionID, now: ContinuousClock.Instant) -> [Action] {
        guard !isClosing, slots[connection] != nil else {
            slots[connection] = nil
            return [.close(connection)]
        }
        return park(connection, lastUse: now, now: now) + growth()
    }

    /// `jitter` is uniform in 0..<1, and spreads the attempts of many pools.
    mutating func connectFailed(_ connection: ConnectionID, jitter: Double) -> [Action] {
        guard case .connecting(let attempt) = slots[connection], !isClosing else {
            slots[connection] = nil
            return []
        }
        // One slot is enough to find out when the server is back.
        let others = slots.contains { $0.key != connection && $0.value.isBackingOff }
        if others || (waiters.isEmpty && slots.count > limits.minimum) {
            slots[connection] = nil
            return []
        }
        slots[connection] = .backingOff(attempt: attempt + 1)
        let doubled = limits.firstBackoff * (1 << min(attempt, 20))
        return [.connectLater(connection, min(doubled, limits.longestBackoff) * (0.5 + jitter / 2))]
    }

    mutating func backoffEnded(_ connection: ConnectionID) -> [Action] {
        guard case .backingOff(let attempt) = slots[connection], !isClosing else { return [] }
        if waiters.isEmpty && slots.count > limits.minimum {
            slots[connection] = nil
            return []
        }
        slots[connection] = .connecting(attempt: attempt)
        return [.connect(connection)]
    }

    /// A connection was lost by itself.
    mutating func lost(_ connection: ConnectionID) -> [Action] {
        switch slots[connection] {
        case .lent:
            slots[connection] = .lostWhileLent
            return []
        case .idle, .checking:
            idle.removeAll { $0 == connection }
            slots[connection] = nil
            return growth()
        default:
            return []
        }
    }

    mutating func checked(_ connection: ConnectionID, isHealthy: Bool, now: ContinuousClock.Instant) -> [Action] {
        guard case .checking(let lastUse) = slots[connection] else { return [] }
        guard isHealthy, !isClosing else {
            slots[connection] = nil
            return [.close(connection)] + growth()
        }
        return park(connection, lastUse: lastUse, now: now)
    }

    /// Regular upkeep: opens the minimum, closes what is idle for long, has the others checked.
    mutating func maintain(now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        for connection in idle {
            guard case .idle(let lastUse, let lastCheck) = slots[connection] else { continue }
            if slots.count > limits.minimum, lastUse.duration(to: now) >= limits.idleTimeout {
                slots[connection] = nil
                actions.append(.close(connection))
            } else if lastCheck.duration(to: now) >= limits.checkInterval {
                slots[connection] = .checking(lastUse: lastUse)
                actions.append(.check(connection))
            }
        }
        idle.removeAll { connection in
            if case .idle = slots[connection] { false } else { true }
        }
        return actions + growth()
    }

    /// Nobody is let in any more; lent connections may come back in their time.
    mutating func close() -> [Action] {
        isClosing = true
        let actions = waiters.map { Action.turnAway($0.id) } + idle.map { .close($0) }
        for connection in idle { slots[connection] = nil }
        for (connection, slot) in slots where slot.isBackingOff { slots[connection] = nil }
        waiters = []
        idle = []
        return actions
    }

    // MARK: Inside

    private mutating func park(
        _ connection: ConnectionID,
        lastUse: ContinuousClock.Instant,
        now: ContinuousClock.Instant
    ) -> [Action] {
        if waiters.isEmpty {
            slots[connection] = .idle(lastUse: lastUse, lastCheck: now)
            idle.append(connection)
            return []
        }
        slots[connection] = .lent
        return [.lend(connection, to: waiters.removeFirst().id)]
    }

    /// Connections to open so that each waiter has one on its way, within the size. None while the server is known to
    /// be away: the slot that backs off will tell when it is back.
    private mutating func growth() -> [Action] {
        if isClosing || slots.values.contains(where: \.isBackingOff) { return [] }
        var opening = 0
        for slot in slots.values where slot.isComing { opening += 1 }
        let wanted = max(waiters.count - opening, limits.minimum - slots.count)
        let count = max(0, min(wanted, limits.size - slots.count))
        return (0..<count).map { _ in
            nextConnection += 1
            slots[nextConnection] = .connecting(attempt: 0)
            return .connect(nextConnection)
        }
    }
}

extension PoolState.Slot {
    fileprivate var isBackingOff: Bool { if case .backingOff = self { true } else { false } }

    /// Will serve a waiter without anything more being done.
    fileprivate var isComing: Bool {
        switch self {
        case .connecting, .checking: true
        default: false
        }
    }
}

/// What a pool is doing at one moment.
package struct PoolStatistics: Hashable, Sendable {
    package let inUse: Int
    package let idle: Int
    /// Callers that wait for a connection.
    package let waiting: Int
    /// Connections that exist or are being made.
    package let size: Int
    package let limit: Int
}
