import NIOCore
import NIOHTTP1

/// Why a request's body stopped coming. Thrown where a handler reads it.
package enum RequestBodyFault: Error, Hashable, Sendable {
    /// It took longer than ``EdgeLimits/requestRead``.
    case tooSlow
    /// It is longer than any door takes.
    case tooLong
}

/// Holds one connection to ``EdgeLimits``. Sits between NIO's HTTP/1.1 codec and the server, so that it sees version
/// and framing, and before any byte of a body reaches a handler.
///
/// Ends every connection that it ends by answering, closing its own side, reading on for a moment and then closing, so
/// that the peer sees the answer rather than a reset.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: EdgeLimits
    private var state: ConnectionState
    /// Parts of the requests behind the one in hand. Bounded by one read of the socket: while it is not empty nothing
    /// more is read.
    private var held: [HTTPServerRequestPart] = []
    private var isReadHeld = false
    private var timer: (at: UInt64, task: Scheduled<Void>)?
    /// Set once an answer of the guard's own is on its way; nothing else may be written behind it.
    private var isOwnAnswerWritten = false

    init(limits: EdgeLimits) {
        self.limits = limits
        state = ConnectionState(limits: limits, now: Self.now)
    }

    private static var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    func handlerAdded(context: ChannelHandlerContext) { schedule(context) }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.task.cancel()
        timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.closed()
        held.removeAll()
        schedule(context)
        context.fireChannelInactive()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(Self.unwrapInboundIn(data), context)
        schedule(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if state.phase == .lingering { context.read() }
    }

    func read(context: ChannelHandlerContext) {
        if held.isEmpty { context.read() } else { isReadHeld = true }
    }

    private func receive(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch state.phase {
        case .lingering, .closed: return
        case .awaitingHead, .inHand: break
        }
        guard held.isEmpty, state.phase == .awaitingHead || !state.isBodyComplete else {
            held.append(part)
            return
        }
        switch part {
        case .head(let head): receive(head, context)
        case .body(let bytes):
            if state.receiveBody(bytes: bytes.readableBytes) {
                context.fireChannelRead(Self.wrapInboundOut(part))
            } else {
                failBody(.tooLong, context)
            }
        case .end:
            state.receiveEnd()
            context.fireChannelRead(Self.wrapInboundOut(part))
        }
    }

    private func receive(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let facts = HeadFacts(head)
        if let refusal = state.receiveHead(facts, at: Self.now) {
            answer(refusal == .badRequest ? .badRequest : .expectationFailed, context)
            return
        }
        let declared = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if facts.expectsContinue, !facts.isHTTP10, declared <= limits.bodyBytes {
            let go = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(Self.wrapOutboundOut(.head(go)), promise: nil)
        }
        context.fireChannelRead(Self.wrapInboundOut(.head(head)))
    }

    private func failBody(_ fault: RequestBodyFault, _ context: ChannelHandlerContext) {
        state.failBody()
        context.fireErrorCaught(fault)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state.phase {
        case .lingering, .closed: return
        case .inHand where state.isBodyComplete:
            // What follows the request in hand is no HTTP. The request itself is sound and gets its answer.
            state.quiesce()
        case .inHand:
            state.failBody()
            context.fireErrorCaught(error)
        case .awaitingHead:
            switch error {
            case HTTPParserError.headerOverflow: answer(.requestHeaderFieldsTooLarge, context)
            case is HTTPParserError: answer(.badRequest, context)
            default:
                // The peer is gone or speaks no TLS: nobody would understand an answer.
                context.close(promise: nil)
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent: state.quiesce()
        case ChannelEvent.inputClosed where state.phase == .lingering: context.close(promise: nil)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Writing

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isOwnAnswerWritten else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        var part = Self.unwrapOutboundIn(data)
        if case .head(var head) = part, head.status.code >= 200 {
            if state.isHTTP10 { head.version = .http1_0 }
            if state.beginAnswer() { head.headers.replaceOrAdd(name: "connection", value: "close") }
            part = .head(head)
        }
        let isEnd = if case .end = part { true } else { false }
        write(part, isLast: isEnd, promise: promise, context)
    }

    private func write(
        _ part: HTTPServerResponsePart,
        isLast: Bool,
        promise: EventLoopPromise<Void>?,
        _ context: ChannelHandlerContext
    ) {
        if case .head = part {
            // Goes out with what follows it, which is watched.
            context.write(Self.wrapOutboundOut(part), promise: promise)
            return
        }
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        state.beginWrite(at: Self.now)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in
            let (guardian, context) = bound.value
            guardian.state.endWrite(at: Self.now)
            guardian.schedule(context)
        }
        context.write(Self.wrapOutboundOut(part), promise: written)
        guard isLast else { return schedule(context) }
        switch state.endAnswer(at: Self.now) {
        case .awaitNext: replay(context)
        case .linger: beginLinger(context, after: written.futureResult)
        }
        schedule(context)
    }

    /// Lets in what was held behind the request that has just been answered.
    private func replay(_ context: ChannelHandlerContext) {
        guard !held.isEmpty else { return }
        let parts = held
        held = []
        for part in parts { receive(part, context) }
        context.fireChannelReadComplete()
        if held.isEmpty, isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    /// The refusal of a request that never reaches a handler.
    private func answer(_ status: HTTPResponseStatus, _ context: ChannelHandlerContext) {
        guard !state.isAnswering, !isOwnAnswerWritten else {
            context.close(promise: nil)
            return
        }
        let body = Problem.text(ofStatus: Int(status.code), title: status.reasonPhrase)
        var head = HTTPResponseHead(version: .http1_1, status: status)
        head.headers = [
            "content-type": Problem.contentType, "content-length": "\(body.utf8.count)", "connection": "close",
            "cache-control": "no-store", "x-content-type-options": "nosniff",
        ]
        state.failBody()
        _ = state.beginAnswer()
        write(.head(head), isLast: false, promise: nil, context)
        let bytes = context.channel.allocator.buffer(string: body)
        write(.body(.byteBuffer(bytes)), isLast: false, promise: nil, context)
        isOwnAnswerWritten = true
        write(.end(nil), isLast: true, promise: nil, context)
        context.flush()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            context.close(mode: mode, promise: promise)
            return
        }
        // The server half-closes after a last answer and then waits for the peer without end; the linger does not.
        guard state.phase != .lingering else {
            promise?.succeed()
            return
        }
        state.linger(at: Self.now)
        context.close(mode: .output, promise: promise)
        context.read()
        schedule(context)
    }

    private func beginLinger(_ context: ChannelHandlerContext, after written: EventLoopFuture<Void>) {
        held.removeAll()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.whenComplete { _ in
            let (guardian, context) = bound.value
            guardian.state.linger(at: Self.now)
            context.close(mode: .output, promise: nil)
            context.read()
            guardian.schedule(context)
        }
    }

    // MARK: Time

    private func schedule(_ context: ChannelHandlerContext) {
        guard let deadline = state.deadline else {
            // Left running: it finds nothing to do, and most requests end before it would fire.
            return
        }
        if let timer, timer.at <= deadline { return }
        timer?.task.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let task = context.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(deadline)) {
            let (guardian, context) = bound.value
            guardian.timer = nil
            guardian.expire(context)
        }
        timer = (deadline, task)
    }

    private func expire(_ context: ChannelHandlerContext) {
        guard state.phase != .closed else { return }
        switch state.expire(at: Self.now) {
        case .nothing: break
        case .close: context.close(promise: nil)
        case .failBody: failBody(.tooSlow, context)
        }
        schedule(context)
    }
}

extension HeadFacts {
    init(_ head: HTTPRequestHead) {
        let headers = head.headers
        isHTTP10 = head.version.major == 1 && head.version.minor == 0
        let connection = headers[canonicalForm: "connection"].map { $0.lowercased() }
        asksToClose = connection.contains("close")
        asksToUpgrade = headers.contains(name: "upgrade") || head.method == .CONNECT
        let hosts = headers["host"].count
        let lengths = headers["content-length"].count
        let isChunked = headers.contains(name: "transfer-encoding")
        isMalformed =
            hosts > 1 || hosts == 0 && !isHTTP10 || lengths > 1 || isChunked && (lengths > 0 || isHTTP10)
        let expectations = headers[canonicalForm: "expect"].map { $0.lowercased() }
        expectsContinue = expectations == ["100-continue"]
        hasUnknownExpectation = !expectations.isEmpty && !expectsContinue
    }
}
