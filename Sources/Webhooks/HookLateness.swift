import Domain
import Edge
import Logging
import Metrics
import Storage
import Synchronization

/// Whether answers come while their senders still wait, and an alarm well before they do not: one that comes too late is a
/// failed delivery to the sender, and some senders switch a hook off after a number of these.
///
/// Invariant: one line a ``pause`` at most, however many are late.
final class HookLateness: Sendable {
    private struct Late {
        var toldAt: ContinuousClock.Instant?
        var count = 0
        var slowest = Duration.zero
    }

    private let strictest: Duration
    private let logger: Logger
    private let pause: Duration
    private let late = Mutex(Late())

    /// The part of the sender's patience that an answer may use up unnoticed.
    static let share = 0.5
    static let pause = Duration.seconds(60)

    /// `strictest`: the patience that counts where the source, and so its sender, could not be found out.
    init(strictest: Duration?, logger: Logger, pause: Duration = HookLateness.pause) {
        self.strictest = strictest ?? .seconds(3)
        self.logger = logger
        self.pause = pause
    }

    /// `taken`: from a request's arrival to its answer, whatever the answer, without the time that the sender took for its
    /// body.
    func note(_ taken: Duration, of hook: CachedHook?) {
        let budget = hook?.profile.response.ackBudget ?? strictest
        guard taken > budget * Self.share else { return }
        let source = hook?.slug.description ?? "unknown"
        Counter(label: MetricName.acknowledgementsLate, dimensions: [("source", source)]).increment()
        let told = late.withLock { late -> (count: Int, slowest: Duration)? in
            late.count += 1
            late.slowest = max(late.slowest, taken)
            let now = ContinuousClock.now
            if let toldAt = late.toldAt, toldAt.duration(to: now) < pause { return nil }
            defer { late = Late(toldAt: now) }
            return (late.count, late.slowest)
        }
        guard let told else { return }
        logger.warning(
            "Acknowledgements use more than half of their senders' patience",
            metadata: [
                "count": "\(told.count)", "slowest_ms": "\(told.slowest.wholeMicroseconds / 1000)",
                "source": "\(source)", "budget_ms": "\(budget.wholeMicroseconds / 1000)",
            ]
        )
    }
}
