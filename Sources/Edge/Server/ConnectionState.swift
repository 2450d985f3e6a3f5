/// Decides what a connection may still do; ``ConnectionGuard`` acts on it. Pure: time comes in as nanoseconds.
///
/// One request is in hand at a time. What arrives behind it is held back by the guard, so that the time that a handler
/// takes is never counted against a client.
struct ConnectionState {
    enum Phase: Equatable {
        /// Waiting for the end of a header.
        case awaitingHead
        /// A request is in hand; its body may still be arriving.
        case inHand
        /// Answered for the last time: reading on only so that the peer can take the answer.
        case lingering
        case closed
    }

    enum Expiry: Equatable {
        case nothing
        case close
        /// Tell the handler, which answers 408.
        case failBody
    }

    enum HeadRefusal: Equatable {
        case badRequest
        case expectationFailed
    }

    private let limits: EdgeLimits
    private(set) var phase = Phase.awaitingHead
    private(set) var isBodyComplete = true
    private(set) var closesAfterAnswer = false
    private(set) var isAnswering = false
    private(set) var isHTTP10 = false
    private var requests = 0
    private var bodyBytes = 0
    private var readDeadline: UInt64?
    private var writesOutstanding = 0
    private var writeProgress: UInt64 = 0

    init(limits: EdgeLimits, now: UInt64) {
        self.limits = limits
        readDeadline = now + limits.firstHeader.wholeNanoseconds
    }

    /// When something has to be looked at again; nil when nothing is awaited.
    var deadline: UInt64? {
        let writing = writesOutstanding > 0 ? writeProgress + limits.writeStall.wholeNanoseconds : nil
        return [readDeadline, writing].compactMap { $0 }.min()
    }

    mutating func expire(at now: UInt64) -> Expiry {
        if writesOutstanding > 0, now >= writeProgress + limits.writeStall.wholeNanoseconds { return close() }
        guard let readDeadline, now >= readDeadline else { return .nothing }
        guard phase == .inHand, !isAnswering else { return close() }
        closesAfterAnswer = true
        // The handler has as long as a linger takes to say so.
        self.readDeadline = now + limits.linger.wholeNanoseconds
        return isFailed ? close() : .failBody
    }

    private var isFailed = false

    private mutating func close() -> Expiry {
        phase = .closed
        return .close
    }

    mutating func receiveHead(_ head: HeadFacts, at now: UInt64) -> HeadRefusal? {
        phase = .inHand
        isBodyComplete = false
        isAnswering = false
        isHTTP10 = head.isHTTP10
        bodyBytes = 0
        requests += 1
        readDeadline = now + limits.requestRead.wholeNanoseconds
        if head.asksToClose || head.isHTTP10 || head.asksToUpgrade || requests >= limits.requestsPerConnection {
            closesAfterAnswer = true
        }
        if head.isMalformed { return .badRequest }
        if head.hasUnknownExpectation { return .expectationFailed }
        return nil
    }

    /// False once the body is longer than any door takes: the handler is told and nothing more is passed on.
    mutating func receiveBody(bytes count: Int) -> Bool {
        guard phase == .inHand, !isFailed else { return false }
        bodyBytes += count
        return bodyBytes <= limits.bodyBytes
    }

    /// The body cannot be used any more; what is still coming is thrown away.
    mutating func failBody() {
        isFailed = true
        closesAfterAnswer = true
    }

    mutating func receiveEnd() {
        isBodyComplete = true
        // While the handler works the client owes nothing.
        if phase == .inHand { readDeadline = nil }
    }

    /// Whether the answer has to carry `Connection: close`. A body that nobody waited for is not read to its end.
    mutating func beginAnswer() -> Bool {
        isAnswering = true
        if !isBodyComplete { closesAfterAnswer = true }
        return closesAfterAnswer
    }

    enum AfterAnswer: Equatable {
        case awaitNext
        case linger
    }

    mutating func endAnswer(at now: UInt64) -> AfterAnswer {
        isAnswering = false
        guard closesAfterAnswer || !isBodyComplete else {
            phase = .awaitingHead
            readDeadline = now + limits.keepAlive.wholeNanoseconds
            return .awaitNext
        }
        // The linger begins when the answer is out; until then `writeStall` bounds the wait.
        phase = .lingering
        readDeadline = nil
        return .linger
    }

    mutating func linger(at now: UInt64) {
        guard phase != .closed else { return }
        phase = .lingering
        readDeadline = now + limits.linger.wholeNanoseconds
    }

    /// Shutting down: the request in hand is the last.
    mutating func quiesce() { closesAfterAnswer = true }

    mutating func closed() {
        phase = .closed
        readDeadline = nil
        writesOutstanding = 0
    }

    mutating func beginWrite(at now: UInt64) {
        if writesOutstanding == 0 { writeProgress = now }
        writesOutstanding += 1
    }

    mutating func endWrite(at now: UInt64) {
        writesOutstanding = max(0, writesOutstanding - 1)
        writeProgress = now
    }
}

/// What of a request's header decides about its connection.
struct HeadFacts {
    var isHTTP10 = false
    var asksToClose = false
    /// The parser stops behind such a request, so that the connection cannot carry another.
    var asksToUpgrade = false
    /// Framing or host that two readers could read differently.
    var isMalformed = false
    var expectsContinue = false
    var hasUnknownExpectation = false
}

extension Duration {
    /// Rounded toward zero; negative durations count as none.
    var wholeNanoseconds: UInt64 {
        UInt64(clamping: components.seconds) * 1_000_000_000 + UInt64(clamping: components.attoseconds / 1_000_000_000)
    }
}
