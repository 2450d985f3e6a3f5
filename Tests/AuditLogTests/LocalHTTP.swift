import NIOCore
import NIOHTTP1
import NIOPosix

/// A little HTTP server for peers that a test plays: it answers each request by a closure, or never.
enum LocalHTTP {
    struct Request: Sendable {
        let method: String
        let path: String
        let contentType: String?
        let body: [UInt8]
    }

    struct Answer: Sendable {
        var status = 200
        var contentType = "text/plain; charset=utf-8"
        var body: [UInt8] = []
    }

    /// `answer` may take its time: it has a thread of its own. nil: nothing ever comes.
    static func with(
        _ answer: @escaping @Sendable (Request) -> Answer?,
        _ body: (_ url: String) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            try await body("http://127.0.0.1:\(server.localAddress?.port ?? 0)")
        } catch {
            try await server.close()
            try await group.shutdownGracefully()
            throw error
        }
        try await server.close()
        try await group.shutdownGracefully()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: @Sendable (Request) -> Answer?
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ answer: @escaping @Sendable (Request) -> Answer?) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body(let bytes): body += Array(bytes.readableBytesView)
            case .end: reply(context)
            }
        }

        private func reply(_ context: ChannelHandlerContext) {
            guard let head else { return }
            let request = Request(
                method: head.method.rawValue,
                path: head.uri,
                contentType: head.headers.first(name: "content-type"),
                body: body
            )
            guard let answer = answer(request) else { return }
            var headers = HTTPHeaders([("Content-Type", answer.contentType), ("Connection", "close")])
            headers.add(name: "Content-Length", value: "\(answer.body.count)")
            let status = HTTPResponseStatus(statusCode: answer.status)
            context.write(
                wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))),
                promise: nil
            )
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
