package import Domain
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

/// Remembers when and from where grants were used last, off the path of requests: uses are gathered in memory and
/// written together every few seconds, a grant at most once a minute. A use that was not written when the process was
/// killed is lost; the audit log has it anyway.
package final class LastUses: Service, Sendable {
    private struct Use {
        let organization: OrganizationID
        let at: Timestamp
        let address: IPAddress?
    }

    private let store: Store
    private let pause: Duration
    private let uses = Mutex<[GrantID: Use]>([:])

    /// Grants that are remembered between two writings; uses of more are not.
    package static let mostGathered = 20_000
    /// Between two writings.
    package static let standardPause = Duration.seconds(5)
    /// A grant's row is written again after this.
    static let resolution = Duration.seconds(60)

    package init(_ store: Store, pause: Duration = standardPause) {
        self.store = store
        self.pause = pause
    }

    /// The caller's grant was used. Costs no statement and never fails; a caller without a grant is nothing to remember.
    package func touch(_ caller: Caller, at time: Timestamp, from address: IPAddress?) {
        guard let grant = caller.grant else { return }
        uses.withLock { uses in
            guard uses.count < Self.mostGathered || uses[grant] != nil else { return }
            uses[grant] = Use(organization: caller.organization, at: time, address: address)
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

    /// Writes what was gathered. What cannot be written now is dropped: the next use tells it again.
    package func flush() async {
        let gathered = uses.withLock { uses in
            defer { uses = [:] }
            return uses
        }
        for (organization, uses) in Dictionary(grouping: gathered, by: \.value.organization) {
            let change = LastUseChange(uses: uses.map { ($0.key, $0.value.at, $0.value.address) })
            do {
                try await store.perform(change, in: organization)
            } catch {
                store.logger.warning("last uses were not written", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// The entries of these uses are those of the calls.
private struct LastUseChange: Change {
    let uses: [(grant: GrantID, at: Timestamp, address: IPAddress?)]

    static func make(
        _ changes: [LastUseChange],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Void>] {
        // In the order of ids, so that two nodes never wait for each other in a circle.
        let uses = changes.flatMap(\.uses).sorted { $0.grant < $1.grant }
        _ = try await transaction.query(
            """
            WITH used AS (
                SELECT g.id, n.at, n.address FROM grants g
                JOIN unnest(\(uses.map(\.grant)), \(uses.map(\.at)), \(uses.map { $0.address?.description }))
                    AS n(id, at, address) ON n.id = g.id
                WHERE g.last_used_at IS NULL OR g.last_used_at <= n.at - make_interval(secs => \(
                    LastUses.resolution / .seconds(1)))
                ORDER BY g.id FOR NO KEY UPDATE OF g)
            UPDATE grants g SET last_used_at = used.at, last_used_address = used.address
            FROM used WHERE g.id = used.id
            """
        )
        return changes.map { _ in .done((), []) }
    }
}
