package import Domain
import Metrics
import Synchronization

/// How much callers may ask of this node, in memory alone: who asks too much waits on no row and no connection.
///
/// Attempts to sign in to one account are not counted here but in rows, since all nodes together are to be a wall there.
///
/// Limits of each node are its own; behind several nodes a caller has as much as all of them allow.
package final class CallerLimits: Sendable {
    /// nil: not limited.
    package struct Rates: Sendable, Hashable {
        /// Requests of one address (IPv6: of one /64) to the OAuth endpoints and pages.
        package var perAddress: Rate?
        /// Requests of one client (a grant, an app, or a user without either) to the OAuth endpoints, and of one account to
        /// the pages.
        package var perClient: Rate?
        /// Wrong secrets of one address, or of one /64.
        package var failures: Rate?
        /// Forward-auth checks of one client, and from one address.
        package var checks: Rate?

        package init(
            perAddress: Rate? = nil,
            perClient: Rate? = nil,
            failures: Rate? = nil,
            checks: Rate? = nil
        ) {
            self.perAddress = perAddress
            self.perClient = perClient
            self.failures = failures
            self.checks = checks
        }
    }

    private struct Tables {
        var addresses: RateTable<IDBits>?
        var clients: RateTable<IDBits>?
        var failures: RateTable<IDBits>?
        var checkedAddresses: RateTable<IDBits>?
        var checkedClients: RateTable<IDBits>?
    }

    private let tables: Mutex<Tables>

    /// Full at the beginning: everybody may take a burst.
    package init(_ rates: Rates = Rates()) {
        tables = Mutex(
            Tables(
                addresses: rates.perAddress.map { RateTable($0) },
                clients: rates.perClient.map { RateTable($0) },
                failures: rates.failures.map { RateTable($0) },
                checkedAddresses: rates.checks.map { RateTable($0) },
                checkedClients: rates.checks.map { RateTable($0) }
            )
        )
    }

    /// Takes one request of the address at an OAuth endpoint, or with `isFree` only looks. Throws 429 where it has to wait,
    /// also for its wrong secrets.
    package func admit(_ address: IPAddress?, isFree: Bool = false) throws(EdgeError) {
        let key = Self.key(of: address)
        let wait = tables.withLock { tables in
            tables.failures?.wait(of: key, at: .now) ?? (isFree ? nil : tables.addresses?.take(key, at: .now))
        }
        try Self.refuse(wait, "address")
    }

    /// Takes one request of a client or an account that proved itself, or that is asked about. Throws 429 where it has to
    /// wait.
    package func admit(_ client: IDBits) throws(EdgeError) {
        try Self.refuse(tables.withLock { $0.clients?.take(client, at: .now) }, "client")
    }

    /// One wrong secret came from the address.
    package func countFailure(from address: IPAddress?) {
        _ = tables.withLock { $0.failures?.take(Self.key(of: address), at: .now) }
    }

    /// Takes one check for a client at that address; how long it has to wait, or nil.
    package func refuseCheck(from address: IPAddress) -> Duration? {
        Self.counted(tables.withLock { $0.checkedAddresses?.take(Self.key(of: address), at: .now) }, "checked_address")
    }

    /// Takes one check for a token of that client; how long it has to wait, or nil.
    package func refuseCheck(of client: IDBits) -> Duration? {
        Self.counted(tables.withLock { $0.checkedClients?.take(client, at: .now) }, "checked_client")
    }

    /// Whole seconds, at least one, as `Retry-After` takes them.
    package static func seconds(of wait: Duration) -> Int {
        max(1, Int(clamping: wait.components.seconds + (wait.components.attoseconds > 0 ? 1 : 0)))
    }

    private static func refuse(_ wait: Duration?, _ limit: String) throws(EdgeError) {
        guard let wait = counted(wait, limit) else { return }
        throw .tooManyRequests(retryAfterSeconds: seconds(of: wait))
    }

    private static func counted(_ wait: Duration?, _ limit: String) -> Duration? {
        if wait != nil { Counter(label: MetricName.limitedRequests, dimensions: [("limit", limit)]).increment() }
        return wait
    }

    /// By what an address is counted. One that cannot be told is one address. A customer of IPv6 has a /64 at least.
    package static func key(of address: IPAddress?) -> IDBits {
        guard let address else { return IDBits(high: 0, low: 0) }
        return address.isIPv4
            ? IDBits(high: address.high, low: address.low) : IDBits(high: address.high, low: 0)
    }
}

extension Caller {
    /// Who of the callers it is, as far as limits go: its grant, or the user itself.
    package var limited: IDBits {
        grant.map { IDBits(high: $0.high, low: $0.low) } ?? IDBits(high: user.high, low: user.low)
    }
}
