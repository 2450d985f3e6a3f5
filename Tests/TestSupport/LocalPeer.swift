import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server on the loopback interface that answers each connection by a script, however bad.
package enum LocalPeer {
    package enum Script: Sendable {
        /// These bytes, then the end.
        case answer(String)
        /// These bytes, then the chunk again and again until the client hangs up.
        case endless(String, chunk: String)
        /// These bytes, then one byte every so often.
        case dribble(String, everyMilliseconds: Int64)
        case silence
        case hangUp
        /// To a request line without its version (`GET /v1/people?limit=50`) these bytes, to any other a 404.
        case answers([String: String])
    }

    /// A well-formed answer with that JSON.
    package static func json(_ status: String, _ body: String, headers: String = "") -> String {
        let type = status.hasPrefix("2") ? "application/json" : "application/problem+json"
        return "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(headers)"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    /// Answers by the script while `body` runs, with the port and what was received so far.
    package static func with(
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

    package final class Received: Sendable {
        private let bytes = Mutex("")
        private let connections = Mutex(0)

        package var text: String { bytes.withLock { $0 } }
        package var connectionCount: Int { connections.withLock { $0 } }

        fileprivate func connected() { connections.withLock { $0 += 1 } }
        fileprivate func append(_ text: String) { bytes.withLock { $0 += text } }
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let script: LocalPeer.Script
    private let received: LocalPeer.Received
    private var request = ""
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
        let text = String(buffer: unwrapInboundIn(data))
        received.append(text)
        request += text
        guard !hasAnswered, isComplete else { return }
        hasAnswered = true
        switch script {
        case .answer(let text): answer(text, context)
        case .answers(let known):
            let line = request.prefix { $0 != "\r\n" }.split(separator: " ").prefix(2).joined(separator: " ")
            let missing = LocalPeer.json("404 Not Found", #"{"status": 404, "title": "There is no such thing"}"#)
            answer(known[line] ?? missing, context)
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

    private func answer(_ text: String, _ context: ChannelHandlerContext) {
        let loopBound = context.loopBound
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text))).whenComplete { _ in
            loopBound.value.close(promise: nil)
        }
    }

    /// Headers, and as much body as they announce.
    private var isComplete: Bool {
        guard let end = request.range(of: "\r\n\r\n") else { return false }
        let announced = request[..<end.lowerBound].split(separator: "\r\n").lazy.compactMap { line in
            line.lowercased().hasPrefix("content-length:") ? Int(line.dropFirst(15).drop { $0 == " " }) : nil
        }.first
        return request[end.upperBound...].utf8.count >= announced ?? 0
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
