package import Domain
import Logging
import Metrics
import Postgres
import ServiceLifecycle
import Synchronization

/// Counts deliveries that cannot be told from an earlier one, of senders that sign neither an id nor a time: it may have
/// been a replay, or a second genuine event that has no effect. Whoever looks at the first sees that others came.
///
/// Off the path of requests: they are gathered in memory, and a delivery's row is written once a ``standardPause`` at most,
/// however many came. What was not written when the process was killed is lost; the metric of the deliveries had it.
package final class Repetitions: Service, Sendable {
    private struct Repeated {
        let organization: OrganizationID
        var count: Int64
        var at: Timestamp
    }

    private let store: Store
    private let pause: Duration
    private let gathered = Mutex<[DeliveryID: Repeated]>([:])

    /// Deliveries that are remembered between two writings; repetitions of more are not written.
    package static let mostGathered = 20_000
    /// Between two writings.
    package static let standardPause = Duration.seconds(1)

    package init(_ store: Store, pause: Duration = standardPause) {
        self.store = store
        self.pause = pause
    }

    /// One came that cannot be told from `delivery`. Costs no statement and never fails.
    package func note(_ delivery: DeliveryID, of source: Slug, in organization: OrganizationID, at time: Timestamp) {
        Counter(label: "rollcall_equal_deliveries_total", dimensions: [("source", source.description)]).increment()
        gathered.withLock { gathered in
            if gathered[delivery] != nil {
                gathered[delivery]?.count += 1
                gathered[delivery]?.at = time
            } else if gathered.count < Self.mostGathered {
                gathered[delivery] = Repeated(organization: organization, count: 1, at: time)
            }
        }
    }

    /// Writes until shutdown, and once more then.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Cancellation ends the sleep, and the loop with it.
                try? await Task.sleep(for: self.pause)
                if !Task.isCancelled { await self.flush() }
            }
        }
        await flush()
    }

    /// Writes what was gathered. What cannot be written now is dropped: a database that is away must not fill the memory.
    package func flush() async {
        let all = gathered.withLock { gathered in
            defer { gathered = [:] }
            return gathered
        }
        for (organization, repeated) in Dictionary(grouping: all, by: \.value.organization) {
            let change = RepetitionChange(repeated: repeated.map { ($0.key, $0.value.count, $0.value.at) })
            do {
                try await store.perform(change, in: organization)
            } catch {
                store.logger.warning("repetitions of deliveries were not written", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// Has no entry: nothing was changed by what was repeated, and that it came is told by nobody who proved to be anybody.
private struct RepetitionChange: Change {
    let repeated: [(delivery: DeliveryID, count: Int64, at: Timestamp)]

    static func make(
        _ changes: [RepetitionChange],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Void>] {
        // In the order of ids, so that two nodes never wait for each other in a circle.
        let repeated = changes.flatMap(\.repeated).sorted { $0.delivery < $1.delivery }
        _ = try await transaction.query(
            """
            WITH repeated AS (
                SELECT d.id, n.count, n.at FROM deliveries d
                JOIN unnest(\(repeated.map(\.delivery)), \(repeated.map(\.count)), \(repeated.map(\.at)))
                    AS n(id, count, at) ON n.id = d.id
                ORDER BY d.id FOR NO KEY UPDATE OF d)
            UPDATE deliveries d SET repeated = d.repeated + repeated.count,
                repeated_at = greatest(d.repeated_at, repeated.at)
            FROM repeated WHERE d.id = repeated.id
            """
        )
        return changes.map { _ in .done((), []) }
    }
}
