package import Domain
package import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import Transparency

/// Counts the refusals of callers that proved nothing, so that a flood of them costs a row a minute and reason.
///
/// Counts are flushed to their rows every ``flushInterval``; a killed process loses at most the counts of that long. One
/// summary entry a source, reason and minute is written when the minute is over (``RefusalSummary``).
package final class RefusalTallies: Service, Sendable {
    private struct Key: Hashable, Sendable {
        let organization: OrganizationID
        let target: Target
        let reason: String
        let minute: Timestamp
    }

    /// What refused.
    package enum Target: Sendable, Hashable {
        /// A source's deliveries.
        case source(SourceID)
        /// A client's secret.
        case grant(GrantID)
        /// An app's secret.
        case app(AppID)
        /// Sign-ins of an organization.
        case organization(OrganizationID)

        var kind: String {
            switch self {
            case .source: "source"
            case .grant: "grant"
            case .app: "app"
            case .organization: "organization"
            }
        }

        var bits: IDBits {
            switch self {
            case .source(let id): IDBits(high: id.high, low: id.low)
            case .grant(let id): IDBits(high: id.high, low: id.low)
            case .app(let id): IDBits(high: id.high, low: id.low)
            case .organization(let id): IDBits(high: id.high, low: id.low)
            }
        }
    }

    private let store: Store
    private let logger: Logger
    private let counts = Mutex<[Key: Int64]>([:])

    package static let flushInterval = Duration.seconds(1)
    /// Distinct counts between two flushes at most; reasons are a fixed set, so only sources multiply them.
    package static let mostKeys = 10_000

    package init(_ store: Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Counts one more in this minute. Beyond `mostKeys` different ones at a time the rest of a minute goes uncounted.
    package func count(_ reason: String, of target: Target, in organization: OrganizationID) {
        let now = store.clock.now()
        let minute = Timestamp(microseconds: now.microseconds - now.microseconds % 60_000_000)
        let key = Key(organization: organization, target: target, reason: reason, minute: minute)
        counts.withLock { counts in
            if counts[key] != nil || counts.count < Self.mostKeys { counts[key, default: 0] += 1 }
        }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.flushInterval) } catch { break }
                await self.flush()
            }
        }
        await flush()
    }

    /// Writes what was counted; what cannot be written is counted again.
    package func flush() async {
        let taken = counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
        for (organization, keys) in Dictionary(grouping: taken.keys, by: \.organization) {
            do {
                // Not through `perform`: a count is no change until its minute is told, and then it has its entry.
                try await store.read(as: organization) { transaction in
                    _ = try await transaction.query(Self.add(keys, taken, in: organization))
                }
            } catch {
                logger.warning("Refusals could not be counted yet", metadata: ["error": "\(error)"])
                counts.withLock { counts in
                    for key in keys { counts[key, default: 0] += taken[key] ?? 0 }
                }
            }
        }
    }

    private static func add(_ keys: [Key], _ counts: [Key: Int64], in organization: OrganizationID) -> SQL {
        """
        INSERT INTO refusal_tallies AS t (organization_id, target_kind, target_id, reason, minute, count)
        SELECT \(organization), r.target_kind, r.target_id, r.reason, r.minute, r.count
        FROM unnest(\(keys.map(\.target.kind)), \(keys.map(\.target.bits)), \(keys.map(\.reason)),
            \(keys.map(\.minute)), \(keys.map { counts[$0] ?? 0 }))
            AS r(target_kind, target_id, reason, minute, count)
        ORDER BY r.target_id, r.reason, r.minute
        ON CONFLICT (organization_id, target_id, reason, minute) DO UPDATE SET count = t.count + excluded.count
        """
    }
}

/// Tells the refusals of closed minutes, in one entry a source, reason and minute.
package struct RefusalSummary: ClaimedWork {
    /// Counts of a minute are still flushed for a moment after it ended.
    package static let settling = Duration.seconds(5)

    package init() {}

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<Timestamp>? {
        let rows = try await transaction.query(
            """
            SELECT organization_id, before FROM (
                SELECT date_trunc('minute', now() - \(Self.settling.wholeMicroseconds) * interval '1 microsecond')
                    AS before) AS closed,
                LATERAL next_refusals(closed.before) LIMIT 1
            """
        )
        guard let row = rows.first else { return nil }
        return Claimed(organization: try row.decode("organization_id"), items: [try row.decode("before")])
    }

    package func make(_ items: [Timestamp], in transaction: OrganizationTransaction) async throws -> [Recorded] {
        guard let before = items.first else { return [] }
        let rows = try await transaction.query(
            """
            DELETE FROM refusal_tallies WHERE minute < \(before) RETURNING target_kind, target_id, reason, minute, count
            """
        )
        return try rows.map { row in
            let minute = try row.decode("minute", as: Timestamp.self)
            let (action, target): (ActionCode, AuditTarget) =
                switch try row.decode("target_kind", as: String.self) {
                case "grant": (.tokenIssued, .grant(try row.decode("target_id")))
                case "app": (.tokenIssued, .app(try row.decode("target_id")))
                case "organization": (.sessionStarted, .organization(try row.decode("target_id")))
                default: (.deliveryRefused, .source(try row.decode("target_id")))
                }
            let draft = AuditDraft(
                action,
                target,
                outcome: .refused,
                reason: try row.decode("reason"),
                after: ["count": .integer(try row.decode("count", as: Int64.self)), "seconds": 60],
                occurredAt: minute
            )
            return Recorded(draft, by: Attribution(actor: .system("doors"), receivedAt: minute))
        }
    }

    package func recordFailure(
        of item: Timestamp,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        throw error
    }
}
