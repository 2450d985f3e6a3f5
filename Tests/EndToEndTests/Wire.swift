import NIOCore
import NIOPosix
import Synchronization

/// A connection on which a test sends what it likes and keeps what it gets, whatever HTTP says.
final class Wire: Sendable {
    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let bytes = Mutex(ByteBuffer())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            _ = bytes.withLock { $0.writeImmutableBuffer(Self.unwrapInboundIn(data)) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private let collector: Collector

    init(port: Int) async throws {
        let collector = Collector()
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(collector) }
            .connect(host: "127.0.0.1", port: port).get()
        self.collector = collector
    }

    var text: String { collector.bytes.withLock { String(buffer: $0) } }
    var isClosed: Bool { !channel.isActive }
    /// The status of the first answer; nil while there is none.
    var status: Int? { text.split(separator: " ").dropFirst().first.flatMap { Int($0) } }

    /// False once the peer is gone.
    @discardableResult func send(_ bytes: [UInt8]) async -> Bool {
        do {
            try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
            return true
        } catch {
            return false
        }
    }

    @discardableResult func send(_ text: String) async -> Bool { await send(Array(text.utf8)) }

    /// The status of the first answer, or nil when none came in time before the peer closed.
    func answer(within limit: Duration = .seconds(90)) async -> Int? {
        await wait(within: limit) { self.status != nil || self.isClosed }
        return status
    }

    func isClosed(within limit: Duration) async -> Bool { await wait(within: limit) { self.isClosed } }

    func close() { channel.close(promise: nil) }

    /// Whether the condition came true in time.
    @discardableResult
    private func wait(within limit: Duration, until condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return false }
        }
        return true
    }
}
