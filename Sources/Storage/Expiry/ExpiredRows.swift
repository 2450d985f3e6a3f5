import Domain
import Logging
import Metrics
import Postgres
import ServiceLifecycle
import Synchronization

/// Removes rows that are over, of every kind, in the background and never on a request's path: in small transactions, so
/// many at a time that they keep up with what is issued. Several nodes may; each leaves the rows of the others alone.
///
/// Nothing depends on when it runs: what is over is refused by its own time.
package final class ExpiredRows: Service, Sendable {
    private let store: Store
    private let pause: Duration
    private let endings = Mutex(EndingHorizon())

    /// Between two runs.
    package static let standardPause = Duration.seconds(60)
    /// Rows of each kind that one transaction removes.
    package static let mostPerBatch = 1000
    /// Transactions of one run.
    static let mostBatches = 500

    package init(_ store: Store, pause: Duration = standardPause) {
        self.store = store
        self.pause = pause
    }

    /// Runs until shutdown.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    _ = try await self.remove()
                } catch {
                    self.store.logger.warning("expired rows were not removed", metadata: ["error": "\(error)"])
                }
                // Cancellation ends the sleep, and the loop with it.
                try? await Task.sleep(for: self.pause)
            }
        }
    }

    /// One run, until nothing is left or it was long enough. Returns how many rows of each kind are gone.
    package func remove(at now: ContinuousClock.Instant = .now) async throws -> [String: Int] {
        let oldest = try await store.oldestTransaction()
        let horizon = endings.withLock { $0.horizon(adding: oldest, at: now) }
        var gone: [String: Int] = [:]
        for _ in 0..<Self.mostBatches {
            let removed = try await store.removeExpired(most: Self.mostPerBatch, endingsBefore: horizon)
            for (kind, count) in removed where count > 0 {
                gone[kind, default: 0] += count
                Counter(label: "rollcall_expired_removed_total", dimensions: [("kind", kind)]).increment(by: count)
            }
            guard removed.values.contains(where: { $0 >= Self.mostPerBatch }) else {
                Gauge(label: "rollcall_expiry_run_timestamp_seconds").record(Double(store.clock.now().seconds))
                return gone
            }
        }
        store.logger.notice("more expired rows than one run removes; the next goes on")
        return gone
    }
}

/// Before which transaction every ending was read by every node: that which was the oldest under way
/// ``ExpiredRows``' readers' longest silence ago. A node that was silent for longer has lost its connection, and with it
/// what it cached.
struct EndingHorizon {
    /// Far beyond what any node may be silent and still use its cache.
    static let kept = Duration.seconds(600)
    /// Enough for one a minute.
    private static let mostMarks = 64

    private var marks: [(at: ContinuousClock.Instant, oldest: String)] = []

    /// The newest mark that is old enough; "0", before which there is nothing, where none is.
    mutating func horizon(adding oldest: String, at now: ContinuousClock.Instant) -> String {
        marks.append((now, oldest))
        let aged = marks.lastIndex { now - $0.at >= Self.kept }
        let horizon = aged.map { marks[$0].oldest } ?? "0"
        marks.removeFirst(max(aged ?? 0, marks.count - Self.mostMarks))
        return horizon
    }
}

extension Store {
    /// The oldest transaction under way that may write.
    fileprivate func oldestTransaction() async throws -> String {
        try await pool.query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest").only().decode("oldest")
    }

    fileprivate func removeExpired(most: Int, endingsBefore horizon: String) async throws -> [String: Int] {
        let rows = try await pool.query("SELECT kind, removed FROM remove_expired(\(Int32(most)), \(horizon))")
        var removed: [String: Int] = [:]
        for row in rows { removed[try row.decode("kind")] = Int(try row.decode("removed", as: Int64.self)) }
        return removed
    }

    /// How long the oldest row that is over has waited to be removed.
    package func expiryOverdue() async throws -> Duration {
        let row = try await pool.query("SELECT expired_waiting() AS since, clock_timestamp() AS now").only()
        guard let since = try row.decode("since", as: Timestamp?.self) else { return .zero }
        return max(.zero, try row.decode("now", as: Timestamp.self) - since)
    }
}
