import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import Synchronization

/// A connection as Hummingbird builds it, with a ``ConnectionGuard`` in its pipeline and counted against
/// ``EdgeLimits/connections``.
struct EdgeChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let base: HTTP1Channel
    private let limits: EdgeLimits
    private let open: ConnectionCount

    init(responder: @escaping HTTPChannelHandler.Responder, limits: EdgeLimits) {
        base = HTTP1Channel(
            responder: responder,
            configuration: .init(
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerBytes,
                    maxHeaderListSize: limits.headerBytes,
                    maxHeaderFieldCount: limits.headerFields
                )
            )
        )
        self.limits = limits
        open = ConnectionCount()
    }

    /// Refused connections fail here: Hummingbird drops such a channel, and it is closed already.
    struct TooManyConnections: Error {}

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let open = open
        let limits = limits
        guard open.enter(limit: limits.connections) else {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(TooManyConnections())
        }
        channel.closeFuture.whenComplete { _ in open.leave() }
        return base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.context(handlerType: HTTP1ToHTTPServerCodec.self).handler
            guard let codec = codec as? HTTP1ToHTTPServerCodec else { throw ChannelPipelineError.notFound }
            try pipeline.addHandler(ConnectionGuard(limits: limits), position: .before(codec))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

/// Connections open now, over all event loops.
private final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    func enter(limit: Int) -> Bool {
        guard count.add(1, ordering: .relaxed).newValue <= limit else {
            leave()
            return false
        }
        return true
    }

    func leave() { count.subtract(1, ordering: .relaxed) }
}
