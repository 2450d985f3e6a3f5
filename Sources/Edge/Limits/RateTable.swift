/// How often something may happen.
package struct Rate: Sendable, Hashable {
    package let perSecond: Double
    /// At once, after a pause.
    package let burst: Int

    /// Refuses anything but a rate above zero and at least one at once.
    package init?(perSecond: Double, burst: Int) {
        guard perSecond > 0, perSecond.isFinite, perSecond <= 1_000_000, (1...1_000_000).contains(burst) else {
            return nil
        }
        self.perSecond = perSecond
        self.burst = burst
    }

    var interval: Duration { .seconds(1 / perSecond) }
}

/// GCRA (the generic cell rate algorithm, ITU-T I.371): one instant for each key, that at which all that it took is paid
/// for. Pure, and bounded: beyond ``mostKeys`` keys at a time, those that come new share one.
package struct RateTable<Key: Hashable & Sendable>: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package let rate: Rate
    private let mostKeys: Int
    /// Never behind now by more than it matters: what is past is swept when the table is full.
    private var paidAt: [Key: Instant] = [:]
    private var shared: Instant?
    private var sweptAt: Instant?

    /// Keys of 64 Ki clients or addresses.
    package static var standardMostKeys: Int { 65_536 }
    private static var sweepPause: Duration { .seconds(1) }

    package init(_ rate: Rate, mostKeys: Int = Self.standardMostKeys) {
        self.rate = rate
        self.mostKeys = mostKeys
    }

    package var count: Int { paidAt.count }

    /// How long the key has to wait before its next; nil when it need not.
    package func wait(of key: Key, at now: Instant) -> Duration? {
        let paid = max(paidAt[key] ?? (isFull ? shared : nil) ?? now, now)
        let allowed = paid + rate.interval - rate.interval * rate.burst
        return allowed > now ? allowed - now : nil
    }

    /// Takes one of the key, unless it has to wait: then nothing is taken, and the wait returned.
    package mutating func take(_ key: Key, at now: Instant) -> Duration? {
        if isFull, paidAt[key] == nil { sweep(at: now) }
        if let wait = wait(of: key, at: now) { return wait }
        if paidAt[key] != nil || !isFull {
            paidAt[key] = max(paidAt[key] ?? now, now) + rate.interval
        } else {
            shared = max(shared ?? now, now) + rate.interval
        }
        return nil
    }

    private var isFull: Bool { paidAt.count >= mostKeys }

    private mutating func sweep(at now: Instant) {
        if let sweptAt, now - sweptAt < Self.sweepPause { return }
        sweptAt = now
        paidAt = paidAt.filter { $0.value > now }
    }
}
