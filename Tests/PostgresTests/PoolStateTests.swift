import Testing

@testable import Postgres

/// The pool's decisions alone: inputs in, decisions out, no clock and no socket.
@Suite struct PoolStateTests {
    private let start = ContinuousClock.now

    private func state(size: Int = 2, minimum: Int = 0, waiters: Int = 3) -> PoolState {
        PoolState(
            limits: PoolState.Limits(
                size: size,
                minimum: minimum,
                waiters: waiters,
                idleTimeout: .seconds(300),
                checkInterval: .seconds(30),
                firstBackoff: .milliseconds(100),
                longestBackoff: .seconds(5)
            )
        )
    }

    private func acquire(
        _ state: inout PoolState,
        _ waiter: Int,
        patience: Duration = .seconds(5)
    ) -> PoolState.Acquisition {
        state.acquire(waiter, deadline: start + patience)
    }

    @Test func `the first caller has a connection opened and gets it`() {
        var state = state()
        #expect(acquire(&state, 1) == .waiting([.connect(1)]))
        #expect(state.connected(1, now: start) == [.lend(1, to: 1)])
        #expect(state.statistics == PoolStatistics(inUse: 1, idle: 0, waiting: 0, size: 1, limit: 2))
        #expect(state.release(1, isReusable: true, now: start) == [])
        #expect(acquire(&state, 2) == .lent(1))
    }

    @Test func `callers beyond the size wait in order, and beyond the bound are refused`() {
        var state = state()
        #expect(acquire(&state, 1) == .waiting([.connect(1)]))
        #expect(acquire(&state, 2) == .waiting([.connect(2)]))
        #expect(acquire(&state, 3) == .waiting([]))
        #expect(acquire(&state, 4) == .exhausted)
        #expect(state.connected(2, now: start) == [.lend(2, to: 1)])
        #expect(state.connected(1, now: start) == [.lend(1, to: 2)])
        #expect(state.release(1, isReusable: true, now: start) == [.lend(1, to: 3)])
    }

    @Test func `who gave up or waited too long is not served`() {
        var state = state(size: 1)
        _ = acquire(&state, 1)
        _ = acquire(&state, 2, patience: .seconds(1))
        _ = acquire(&state, 3, patience: .seconds(2))
        #expect(state.abandon(1) == true)
        #expect(state.abandon(1) == false)
        #expect(state.nextWaiterDeadline == start + .seconds(1))
        #expect(state.expireWaiters(now: start + .seconds(1)) == [2])
        #expect(state.connected(1, now: start) == [.lend(1, to: 3)])
    }

    @Test func `a server that is away is tried by one slot with growing pauses`() {
        var state = state()
        _ = acquire(&state, 1)
        _ = acquire(&state, 2)
        #expect(state.connectFailed(1, jitter: 0) == [.connectLater(1, .milliseconds(50))])
        #expect(state.connectFailed(2, jitter: 0) == [])
        #expect(acquire(&state, 3) == .waiting([]))
        #expect(state.backoffEnded(1) == [.connect(1)])
        #expect(state.connectFailed(1, jitter: 1) == [.connectLater(1, .milliseconds(200))])
        for _ in 0..<20 {
            #expect(state.backoffEnded(1) == [.connect(1)])
            _ = state.connectFailed(1, jitter: 1)
        }
        #expect(state.backoffEnded(1) == [.connect(1)])
        #expect(state.connectFailed(1, jitter: 1) == [.connectLater(1, .seconds(5))])
        #expect(state.backoffEnded(1) == [.connect(1)])
        #expect(state.connected(1, now: start) == [.lend(1, to: 1), .connect(3)])
    }

    @Test func `nobody tries for nobody`() {
        var state = state()
        _ = acquire(&state, 1)
        #expect(state.connectFailed(1, jitter: 0) == [.connectLater(1, .milliseconds(50))])
        #expect(state.abandon(1) == true)
        #expect(state.backoffEnded(1) == [])
        #expect(state.statistics.size == 0)
    }

    @Test func `a connection that is lost or dirty is never lent again`() {
        var state = state()
        _ = acquire(&state, 1)
        _ = state.connected(1, now: start)
        #expect(state.lost(1) == [])
        #expect(state.release(1, isReusable: true, now: start) == [.close(1)])
        #expect(acquire(&state, 2) == .waiting([.connect(2)]))
        _ = state.connected(2, now: start)
        _ = acquire(&state, 3)
        #expect(state.release(2, isReusable: false, now: start) == [.close(2)])
        _ = state.connected(3, now: start)
        #expect(state.release(3, isReusable: true, now: start) == [])
        #expect(state.lost(3) == [])
        #expect(state.statistics.size == 0)
    }

    @Test func `upkeep opens the minimum, checks the idle and closes the old`() {
        var state = state(size: 3, minimum: 1)
        #expect(state.maintain(now: start) == [.connect(1)])
        _ = state.connected(1, now: start)
        #expect(state.maintain(now: start + .seconds(29)) == [])
        #expect(state.maintain(now: start + .seconds(30)) == [.check(1)])
        #expect(acquire(&state, 1) == .waiting([]))
        #expect(state.checked(1, isHealthy: true, now: start + .seconds(30)) == [.lend(1, to: 1)])
        _ = acquire(&state, 2)
        _ = state.connected(2, now: start)
        _ = state.release(1, isReusable: true, now: start)
        _ = state.release(2, isReusable: true, now: start)
        #expect(state.maintain(now: start + .seconds(300)) == [.close(1), .check(2)])
        #expect(state.checked(2, isHealthy: false, now: start) == [.close(2), .connect(3)])
    }

    @Test func `closing turns everybody away and lets the lent come home`() {
        var state = state(size: 1)
        _ = acquire(&state, 1)
        _ = state.connected(1, now: start)
        _ = acquire(&state, 2)
        #expect(state.close() == [.turnAway(2)])
        #expect(acquire(&state, 3) == .closed)
        #expect(!state.isDrained)
        #expect(state.release(1, isReusable: true, now: start) == [.close(1)])
        #expect(state.isDrained)
    }

    @Test func `a connection that arrives after closing is closed`() {
        var state = state()
        _ = acquire(&state, 1)
        _ = state.close()
        #expect(!state.isDrained)
        #expect(state.connected(1, now: start) == [.close(1)])
        #expect(state.isDrained)
    }
}
