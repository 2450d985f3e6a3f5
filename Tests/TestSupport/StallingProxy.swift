import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A server of one unix socket in front of another, which on demand lets nothing through any more without closing
/// anything: what a half-open connection looks like from its end.
package final class StallingProxy: Sendable {
    private let stalled = Mutex(false)

    /// Runs `body` with a connection string that leads through the proxy to the database behind `connectionString`.
    package static func with(
        to connectionString: String,
        _ body: (StallingProxy, String) async throws -> Void
    ) async throws {
        let url = URLComponents(string: connectionString)
        let value = { (name: String) in url?.queryItems?.first { $0.name == name }?.value }
        guard let host = value("host"), let port = value("port") else { throw NoSocket() }
        let directory = "/tmp/rollcall-proxy-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let proxy = StallingProxy()
        let server = try await proxy.serve("\(directory)/.s.PGSQL.\(port)", to: "\(host)/.s.PGSQL.\(port)")
        let through = connectionString.replacing(host.replacing("/", with: "%2F"), with: directory)
            .replacing(host, with: directory)
        let result: Result<Void, any Error>
        do { result = .success(try await body(proxy, through)) } catch { result = .failure(error) }
        try await server.close()
        try FileManager.default.removeItem(atPath: directory)
        try result.get()
    }

    /// From now on nothing passes in either direction, also not of connections that come later.
    package func stall() { stalled.withLock { $0 = true } }

    /// Connections that come later pass again; those of before stay as they are.
    package func resume() { stalled.withLock { $0 = false } }

    private func serve(_ path: String, to target: String) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { near in
                ClientBootstrap(group: near.eventLoop)
                    .channelInitializer { far in
                        far.eventLoop.makeCompletedFuture {
                            try far.pipeline.syncOperations.addHandler(Pass(to: near, in: self))
                        }
                    }
                    .connect(unixDomainSocketPath: target)
                    .flatMap { far in
                        near.eventLoop.makeCompletedFuture {
                            try near.pipeline.syncOperations.addHandler(Pass(to: far, in: self))
                        }
                    }
            }
            .bind(unixDomainSocketPath: path).get()
    }

    private final class Pass: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let peer: any Channel
        private let proxy: StallingProxy
        private var isStuck = false

        init(to peer: any Channel, in proxy: StallingProxy) {
            self.peer = peer
            self.proxy = proxy
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if proxy.stalled.withLock({ $0 }) { isStuck = true }
            guard !isStuck else { return }
            peer.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { peer.close(promise: nil) }
    }

    private struct NoSocket: Error {}
}
