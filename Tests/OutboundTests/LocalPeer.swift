import NIOCore
import NIOPosix
import Synchronization

/// A server on the loopback interface that answers each connection by a script, however bad.
struct LocalPeer {
    enum Script {
        /// These bytes, then the end.
        case answer(String)
        /// These bytes, then the chunk again and again until the client hangs up.
        case endless(String, chunk: String)
        /// These bytes, then one byte every so often.
        case dribble(String, everyMilliseconds: Int64)
        case silence
        case hangUp
    }

    /// Answers by the script while `body` runs, with the port and what was received so far.
    static func with(
        _ script: Script,
        _ body: (_ port: Int, _ received: Received) async throws -> Void
    ) async throws {
        let received = Received()
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script, received))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body(requirePort(server.localAddress), received)
        } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }

    private static func requirePort(_ address: SocketAddress?) throws -> Int {
        guard let port = address?.port else { throw NoPort() }
        return port
    }

    private struct NoPort: Error {}

    final class Received: Sendable {
        private let bytes = Mutex("")
        private let connections = Mutex(0)

        var text: String { bytes.withLock { $0 } }
        var connectionCount: Int { connections.withLock { $0 } }

        fileprivate func connected() { connections.withLock { $0 += 1 } }
        fileprivate func append(_ text: String) { bytes.withLock { $0 += text } }
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let script: LocalPeer.Script
    private let received: LocalPeer.Received
    private var hasAnswered = false

    init(_ script: LocalPeer.Script, _ received: LocalPeer.Received) {
        self.script = script
        self.received = received
    }

    func channelActive(context: ChannelHandlerContext) {
        received.connected()
        if case .hangUp = script { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.append(String(buffer: unwrapInboundIn(data)))
        guard !hasAnswered, received.text.contains("\r\n\r\n") else { return }
        hasAnswered = true
        switch script {
        case .answer(let text):
            let loopBound = context.loopBound
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text))).whenComplete { _ in
                loopBound.value.close(promise: nil)
            }
        case .endless(let text, let chunk):
            context.write(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            writeForever(ByteBuffer(string: chunk), context)
        case .dribble(let text, let pause):
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(pause)) {
                [channel = context.channel] task in
                if channel.isActive {
                    channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
                } else {
                    task.cancel()
                }
            }
        case .silence, .hangUp: break
        }
    }

    /// Each write waits for the one before, so that a client that reads nothing costs no memory here.
    private func writeForever(_ chunk: ByteBuffer, _ context: ChannelHandlerContext) {
        let channel = context.channel
        let loopBound = context.loopBound
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        channel.writeAndFlush(chunk).whenSuccess {
            handler.value.writeForever(chunk, loopBound.value)
        }
    }
}
