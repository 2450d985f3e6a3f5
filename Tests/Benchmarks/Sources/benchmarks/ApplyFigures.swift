import Foundation

/// Joiners applied a second, and how long after its 202 one is applied.
extension Bench {
    func apply(into table: inout Table) throws {
        for (integrations, each, goal) in [(1, 2000, 2000), (5, 500, 500)] {
            let name = "joiners applied, \(integrations) matching integration\(integrations == 1 ? "" : "s")"
            note(name)
            var pairs = Pairs()
            for _ in 0..<rounds {
                pairs.bases.append(try pgbench())
                let rate = try backlog(of: Int(Double(each) * seconds), matching: integrations)
                note("  applied: \(Int(rate))/s")
                pairs.figures.append(rate)
            }
            table.add(name, pairs, of: "pgbench inserts", atLeast: goal)
        }
        try promptness(into: &table)
    }

    /// Joiners handed in while no worker runs, then a server with all roles: how fast it works them off.
    private func backlog(of count: Int, matching integrations: Int) throws -> Double {
        try withRollcall(roles: "web") { system in
            try system.integrations(integrations)
            let sender = try system.source()
            let outcome = try load(
                "handed in",
                port: system.port,
                seconds: 120,
                most: count,
                expecting: 202
            ) { sender.request(id: Joiner.id(of: $0), body: Joiner.body(of: $0)) }
            guard outcome.expected == count else { throw ChildError.unexpected("\(outcome)") }
            try system.serve(roles: "web,worker,sequencer")
            return try pace(of: system, until: count)
        }
    }

    /// Applied events a second, from the first look that sees some until all are.
    private func pace(of system: System, until count: Int) throws -> Double {
        let session = try Session(system.database, of: cluster)
        defer { session.end() }
        var first: (at: Date, applied: Int)?
        let deadline = Date().addingTimeInterval(Self.longestDrain)
        while Date() < deadline {
            let applied = try session.number("SELECT count(*) FROM events WHERE status = 'applied'")
            let now = Date()
            if let first, applied >= count {
                return Double(applied - first.applied) / now.timeIntervalSince(first.at)
            }
            if first == nil, applied > 0 { first = (now, applied) }
            Thread.sleep(forTimeInterval: 0.05)
        }
        throw ChildError.unexpected("not all of \(count) joiners were applied in time")
    }

    /// Seconds that a backlog may take.
    private static var longestDrain: Double { 180 }

    // MARK: From 202 to applied

    /// Deliveries a second of the modest rate.
    private static var modestRate: Double { 500 }
    /// Of so many deliveries one is watched.
    private static var watchedOf: Int { 5 }

    private func promptness(into table: inout Table) throws {
        note("from 202 to applied")
        var times: [Double] = []
        for _ in 0..<rounds {
            times += [
                try withRollcall { system in
                    try system.integrations(1)
                    return try promptness(of: system)
                }
            ]
        }
        table.add("from 202 to applied, p99 at \(Int(Self.modestRate)) joiners/s", times, "ms", below: 250)
    }

    private func promptness(of system: System) throws -> Double {
        let sender = try system.source()
        let watch = try Watch(Session(system.database, of: cluster))
        var count = 0
        let thread = Thread { watch.run() }
        thread.start()
        _ = try load(
            "joiners",
            port: system.port,
            rate: Self.modestRate,
            expecting: 202,
            onAnswer: { _, body in
                count += 1
                guard count.isMultiple(of: Self.watchedOf) else { return }
                watch.add(body)
            },
            request: { sender.request(id: Joiner.id(of: $0), body: Joiner.body(of: $0)) }
        )
        let times = watch.finish()
        let sorted = times.sorted()
        guard let p99 = sorted.dropFirst(Int(Double(sorted.count) * 0.99)).first else {
            throw ChildError.unexpected("nothing was seen to be applied")
        }
        note("  from 202 to applied: p50 \(tenths(median(times))) ms, p99 \(tenths(p99)) ms")
        return p99
    }
}

/// Sees when deliveries are applied, by looking every few milliseconds: what it says is later than the truth, never
/// earlier.
// Sendable because all of its state is behind the lock; the session is used by `run` alone.
private final class Watch: @unchecked Sendable {
    private let lock = NSCondition()
    private let session: Session
    private var waiting: [String: Date] = [:]
    private var times: [Double] = []
    private var isEnding = false
    private var isOver = false

    /// Seconds between looks.
    private static let look = 0.004
    /// Seconds that the last may take.
    private static let patience = 20.0

    init(_ session: Session) { self.session = session }

    func add(_ body: [UInt8]) {
        let now = Date()
        struct Answer: Decodable { let delivery: String }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            let id = TypeID.uuid(answer.delivery)
        else { return }
        lock.withLock { waiting[id] = now }
    }

    func run() {
        var deadline: Date?
        while true {
            let (ids, ending) = lock.withLock { (Array(waiting.keys), isEnding) }
            if ending, deadline == nil { deadline = Date().addingTimeInterval(Self.patience) }
            if ending, ids.isEmpty || deadline.map({ $0 < Date() }) ?? false { break }
            if !ids.isEmpty { look(for: ids) }
            Thread.sleep(forTimeInterval: Self.look)
        }
        session.end()
        lock.withLock {
            // What never came counts as late as it was waited for.
            times += waiting.values.map { Date().timeIntervalSince($0) * 1000 }
            isOver = true
            lock.broadcast()
        }
    }

    private func look(for ids: [String]) {
        let statement = """
            SELECT replace(delivery_id::text, '-', '') FROM events
            WHERE delivery_id = ANY('{\(ids.joined(separator: ","))}'::uuid[]) AND status = 'applied'
            """
        // A session that broke sees nothing any more, and what waits counts as late.
        guard let seen = try? session.lines(statement) else { return }
        let now = Date()
        lock.withLock {
            for id in seen {
                guard let since = waiting.removeValue(forKey: id) else { continue }
                times.append(now.timeIntervalSince(since) * 1000)
            }
        }
    }

    /// Milliseconds of each that was watched, once all are applied.
    func finish() -> [Double] {
        lock.withLock {
            isEnding = true
            while !isOver { lock.wait() }
            return times
        }
    }
}
