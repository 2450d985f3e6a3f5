import Testing

@testable import Edge

/// The decisions about a connection, by a clock that the test holds.
@Suite struct ConnectionStateTests {
    /// Nanoseconds.
    private static let second: UInt64 = 1_000_000_000

    private static func at(_ seconds: UInt64) -> UInt64 { seconds * second }

    private static func state(_ change: (inout EdgeLimits) -> Void = { _ in }) -> ConnectionState {
        var limits = EdgeLimits()
        limits.firstHeader = .seconds(10)
        limits.keepAlive = .seconds(60)
        limits.requestRead = .seconds(30)
        limits.writeStall = .seconds(20)
        limits.linger = .seconds(2)
        change(&limits)
        return ConnectionState(limits: limits, now: 0)
    }

    /// Whose request is read and in a handler's hands.
    private static func inHand(_ change: (inout EdgeLimits) -> Void = { _ in }) -> ConnectionState {
        var state = state(change)
        #expect(state.receiveHead(HeadFacts(), at: at(1)) == nil)
        state.receiveEnd()
        return state
    }

    @Test func `a header has its time, and not a moment more`() {
        var state = Self.state()
        #expect(state.deadline == Self.at(10))
        #expect(state.expire(at: Self.at(10) - 1) == .nothing)
        #expect(state.expire(at: Self.at(10)) == .close)
        #expect(state.phase == .closed)
    }

    @Test func `no byte of a body winds its time back`() {
        var state = Self.state()
        #expect(state.receiveHead(HeadFacts(), at: Self.at(1)) == nil)
        for _ in 0..<100 { #expect(state.receiveBody(bytes: 1) == true) }
        #expect(state.deadline == Self.at(31))
        #expect(state.expire(at: Self.at(31)) == .failBody)
        state.failBody()
        // The handler has as long as a linger to answer.
        #expect(state.deadline == Self.at(33))
        #expect(state.expire(at: Self.at(33)) == .close)
    }

    @Test func `a handler's time is not the client's`() {
        let state = Self.inHand()
        #expect(state.deadline == nil)
    }

    @Test func `a peer that takes nothing is closed, one that takes something is not`() {
        var state = Self.inHand()
        #expect(state.beginAnswer() == false)
        state.beginWrite(at: Self.at(5))
        #expect(state.deadline == Self.at(25))
        #expect(state.expire(at: Self.at(24)) == .nothing)
        state.beginWrite(at: Self.at(24))
        #expect(state.deadline == Self.at(25), "what waits longest counts")
        state.endWrite(at: Self.at(24))
        #expect(state.deadline == Self.at(44))
        #expect(state.expire(at: Self.at(44)) == .close)

        var other = Self.inHand()
        _ = other.beginAnswer()
        other.beginWrite(at: Self.at(5))
        other.endWrite(at: Self.at(6))
        #expect(other.deadline == nil)
    }

    @Test func `between two requests a connection may rest, and no longer`() {
        var state = Self.inHand()
        _ = state.beginAnswer()
        #expect(state.endAnswer(at: Self.at(50)) == .awaitNext)
        #expect(state.deadline == Self.at(110))
        #expect(state.expire(at: Self.at(110)) == .close)
    }

    @Test func `the last request, a shutdown and an unread body end the connection with the answer`() {
        var last = Self.inHand { $0.requestsPerConnection = 1 }
        #expect(last.beginAnswer() == true)
        #expect(last.endAnswer(at: Self.at(2)) == .linger)
        last.linger(at: Self.at(3))
        #expect(last.deadline == Self.at(5))
        #expect(last.expire(at: Self.at(5)) == .close)

        var quiet = Self.inHand()
        quiet.quiesce()
        #expect(quiet.beginAnswer() == true)

        var unread = Self.state()
        _ = unread.receiveHead(HeadFacts(), at: 0)
        #expect(unread.receiveBody(bytes: 1) == true)
        #expect(unread.beginAnswer() == true)
    }

    @Test func `a body is as long as any door takes, and not a byte longer`() {
        var state = Self.state { $0.bodyBytes = 10 }
        _ = state.receiveHead(HeadFacts(), at: 0)
        #expect(state.receiveBody(bytes: 10) == true)
        #expect(state.receiveBody(bytes: 1) == false)
    }
}
