import NIOCore
import NIOPosix

/// Load over HTTP/1.1 keep-alive connections, all on one thread of this process.
///
/// Without a rate each connection asks again as soon as it has its answer. With one, requests are due at fixed instants
/// and latency counts from there, so that a server that stalls is charged for what it held up.
enum Load {
    struct Plan {
        let port: Int
        let connections: Int
        let rate: Double?
        let seconds: Double
        /// Requests at most.
        let most: Int?
        let expected: Int
        let request: (Int) -> [UInt8]
        /// Status and body of every answer, on the thread of the load.
        let onAnswer: ((Int, [UInt8]) -> Void)?
    }

    struct Outcome: CustomStringConvertible {
        var expected = 0
        var others: [Int: Int] = [:]
        /// Microseconds.
        var latencies: [UInt32] = []
        var seconds: Double = 0
        var lastBody: [UInt8] = []
        var firstOtherBody: [UInt8] = []

        var rate: Double { seconds > 0 ? Double(expected) / seconds : 0 }

        /// Milliseconds.
        func percentile(_ share: Double) -> Double {
            let sorted = latencies.sorted()
            guard !sorted.isEmpty else { return 0 }
            return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1000
        }

        var description: String {
            var text = "\(Int(rate))/s, p50 \(tenths(percentile(0.5))) ms, p99 \(tenths(percentile(0.99))) ms"
            for (status, count) in others.sorted(by: { $0.key < $1.key }) { text += ", \(count) × \(status)" }
            if !firstOtherBody.isEmpty { text += " " + String(decoding: firstOtherBody.prefix(300), as: UTF8.self) }
            return text
        }
    }

    /// How long answers may take after the last request was due.
    static let grace = TimeAmount.seconds(30)

    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Blocks its thread. Throws where a connection cannot be made or breaks, or answers do not come.
    static func run(_ plan: Plan) throws -> Outcome {
        let loop = group.next()
        let run = LoadRun(plan, on: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LoadConnection(run, of: channel))
                }
            }
        let connecting = (0..<plan.connections).map { _ in bootstrap.connect(host: "127.0.0.1", port: plan.port) }
        let channels = try EventLoopFuture.whenAllSucceed(connecting, on: loop).wait()
        defer { for channel in channels { channel.close(promise: nil) } }
        loop.execute { run.begin() }
        return try run.done.futureResult.wait()
    }

    /// One request on a connection of its own.
    static func once(port: Int, _ request: [UInt8]) throws -> (status: Int, body: [UInt8]) {
        var status = 0
        let plan = Plan(
            port: port,
            connections: 1,
            rate: nil,
            seconds: 10,
            most: 1,
            expected: 200,
            request: { _ in request },
            onAnswer: { answered, _ in status = answered }
        )
        let outcome = try run(plan)
        return (status, outcome.lastBody)
    }
}

enum LoadError: Error {
    case broken(String)
    case unanswered(Int)
}

/// One run's state.
// Touched on its loop only, which is what makes it Sendable: connections live there, and the outcome leaves by a promise.
final class LoadRun: @unchecked Sendable {
    let plan: Load.Plan
    let done: EventLoopPromise<Load.Outcome>
    private let loop: any EventLoop
    private var connections: [LoadConnection] = []
    private var outcome = Load.Outcome()
    private var asked = 0
    private var outstanding = 0
    private var beganAt = NIODeadline.now()
    private var endsAt = NIODeadline.now()
    private var isOver = false

    init(_ plan: Load.Plan, on loop: any EventLoop) {
        self.plan = plan
        self.loop = loop
        done = loop.makePromise()
        outcome.latencies.reserveCapacity(1 << 17)
    }

    func add(_ connection: LoadConnection) { connections.append(connection) }

    func begin() {
        beganAt = .now()
        endsAt = beganAt + .nanoseconds(Int64(plan.seconds * 1e9))
        loop.scheduleTask(deadline: endsAt + Load.grace) { self.fail(LoadError.unanswered(self.outstanding)) }
        // A rate's last request may be due after the last answer came.
        loop.scheduleTask(deadline: endsAt) { self.endIfIdle() }
        for connection in connections { next(on: connection) }
    }

    /// Sends the next request on that connection, now or when it is due.
    private func next(on connection: LoadConnection) {
        guard let rate = plan.rate else { return send(on: connection, due: .now()) }
        let due = beganAt + .nanoseconds(Int64(Double(asked) / rate * 1e9))
        if due <= .now() { return send(on: connection, due: due) }
        guard due < endsAt else { return }
        asked += 1
        let number = asked - 1
        loop.scheduleTask(deadline: due) { self.send(number, on: connection, due: due) }
    }

    private func send(on connection: LoadConnection, due: NIODeadline) {
        guard plan.most.map({ asked < $0 }) ?? true else { return }
        asked += 1
        send(asked - 1, on: connection, due: due)
    }

    private func send(_ number: Int, on connection: LoadConnection, due: NIODeadline) {
        guard due < endsAt else { return }
        outstanding += 1
        connection.send(plan.request(number), due: due)
    }

    func answered(_ status: Int, _ body: [UInt8], due: NIODeadline, on connection: LoadConnection) {
        outstanding -= 1
        let now = NIODeadline.now()
        if status == plan.expected {
            outcome.expected += 1
            outcome.latencies.append(UInt32(clamping: (now - due).nanoseconds / 1000))
        } else {
            outcome.others[status, default: 0] += 1
            if outcome.firstOtherBody.isEmpty { outcome.firstOtherBody = body }
        }
        plan.onAnswer?(status, body)
        outcome.lastBody = body
        next(on: connection)
        endIfIdle()
    }

    private func endIfIdle() {
        let isComplete = plan.most.map { asked >= $0 } ?? false
        guard outstanding == 0, isComplete || NIODeadline.now() >= endsAt, !isOver else { return }
        isOver = true
        outcome.seconds = Double((NIODeadline.now() - beganAt).nanoseconds) / 1e9
        done.succeed(outcome)
    }

    func fail(_ error: any Error) {
        guard !isOver else { return }
        isOver = true
        done.fail(error)
    }

    func closed() {
        fail(LoadError.broken("the server closed a connection"))
    }
}
