import Domain
import Edge
import Glibc
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import NIOPosix
import Synchronization

struct StillClock: WallClock {
    var instant = Timestamp(seconds: 1_795_000_000)
    func now() -> Timestamp { instant }
}

/// Bytes that never repeat, the same in every run.
final class CountingRandomness: Randomness {
    private let next = Atomic<UInt64>(1)

    func bytes(_ count: Int) -> [UInt8] {
        let seed = next.add(1, ordering: .relaxed).newValue
        return (0..<count).map { UInt8(truncatingIfNeeded: seed &* 2_654_435_761 >> UInt64($0 % 8) &+ UInt64($0)) }
    }
}

/// A logger whose lines a test can read.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    var sink: LogSink {
        LogSink { [self] bytes in lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
    }
}

func quietLogger() -> Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

func edgeApplication(
    limits: EdgeLimits = EdgeLimits(),
    proxies: ProxyTrust = ProxyTrust(),
    faults: FaultReader = FaultReader(),
    forms: [ErrorForm] = [],
    logger: Logger = quietLogger(),
    routes: (Router<EdgeContext>) -> Void
) throws -> some ApplicationProtocol {
    let surroundings = EdgeSurroundings(
        clock: StillClock(),
        randomness: CountingRandomness(),
        proxies: proxies,
        faults: faults,
        errorForms: forms
    )
    let router = Router<EdgeContext>.edge(faults: faults)
    routes(router)
    router.closeMethods()
    var configuration = EdgeServer.Configuration(address: .hostname("localhost", port: 0))
    configuration.limits = limits
    return try EdgeServer.application(
        responder: EdgeResponder(router.buildResponder(), surroundings: surroundings),
        configuration: configuration,
        logger: logger
    )
}

/// A client that sends what it is told and keeps what it gets, whatever HTTP says.
final class RawClient: Sendable {
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
    private let ended = Atomic<Bool>(false)

    init(port: Int, reads: Bool = true) async throws {
        let collector = Collector()
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            .channelInitializer { $0.pipeline.addHandler(collector) }
            .connect(host: "localhost", port: port).get()
        self.collector = collector
        channel.closeFuture.whenComplete { [weak self] _ in self?.ended.store(true, ordering: .relaxed) }
    }

    var text: String { collector.bytes.withLock { String(buffer: $0) } }
    var isClosed: Bool { ended.load(ordering: .relaxed) }

    /// False once the peer is gone.
    @discardableResult func send(_ text: String) async -> Bool {
        do {
            try await channel.writeAndFlush(ByteBuffer(string: text))
            return true
        } catch {
            return false
        }
    }

    /// Closes this side only: what the peer still says is read.
    func finishSending() async {
        channel.close(mode: .output, promise: nil)
    }

    /// From now on closing is a reset, as of a peer that died.
    func resetOnClose() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    }

    func close() async {
        channel.close(promise: nil)
        await wait { self.isClosed }
    }

    /// Far more than anything takes that does come: what never comes is what costs it.
    static let patience = Duration.seconds(90)

    /// Whether the condition came true in time.
    @discardableResult func wait(within limit: Duration = patience, until condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return false }
        }
        return true
    }

    /// Everything that came until the peer closed, or nil when it did not close in time.
    func textAtClose(within limit: Duration = patience) async -> String? {
        await wait(within: limit) { self.isClosed } ? text : nil
    }

    func waitForText(_ wanted: String, within limit: Duration = patience) async -> Bool {
        await wait(within: limit) { self.text.contains(wanted) }
    }

    /// Asks anew, each time on a connection of its own, until one is served: where a place among the connections has to
    /// become free first.
    static func becomesServed(at port: Int, within limit: Duration = patience) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            let next = try await RawClient(port: port)
            await next.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await next.wait { next.isClosed || next.text.contains("hello") }
            if next.text.contains("hello") { return true }
        }
        return false
    }
}

extension String {
    var statusLine: String { String(prefix { $0 != "\r" && $0 != "\r\n" }) }
}
