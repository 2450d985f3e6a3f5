package import Domain
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

/// Remembers when and from where grants, their secrets and tokens without a grant were used last, off the path of
/// requests: uses are gathered in memory and written together every few seconds, each row at most once a minute. A use
/// that was not written when the process was killed is lost; the audit log has it anyway.
package final class LastUses: Service, Sendable {
    /// What was used. A grant is told apart by address, so that all of them are known.
    fileprivate enum Used: Hashable {
        case grant(GrantID, from: IPAddress?)
        case secret(GrantSecretID)
        case token(TokenID)
    }

    fileprivate struct Use {
        let organization: OrganizationID
        let at: Timestamp
        let address: IPAddress?
    }

    private let store: Store
    private let pause: Duration
    private let uses = Mutex<[Used: Use]>([:])

    /// Different uses that are remembered between two writings; more are not.
    package static let mostGathered = 20_000
    /// Between two writings.
    package static let standardPause = Duration.seconds(5)
    /// A row is written again after this.
    static let resolution = Duration.seconds(60)

    package init(_ store: Store, pause: Duration = standardPause) {
        self.store = store
        self.pause = pause
    }

    /// The caller's grant was used, or its token where it has none. Costs no statement and never fails.
    package func touch(_ caller: Caller, at time: Timestamp, from address: IPAddress?) {
        let used: Used = caller.grant.map { .grant($0, from: address) } ?? .token(caller.credential.token)
        gather([used], Use(organization: caller.organization, at: time, address: address))
    }

    /// A client signed in with one of its secrets. Costs no statement and never fails.
    package func touch(_ client: ClientFacts, secret: GrantSecretID?, from address: IPAddress?) {
        let use = Use(organization: client.organization, at: client.checkedAt, address: address)
        gather([.grant(client.grant, from: address)] + [secret.map(Used.secret)].compactMap(\.self), use)
    }

    private func gather(_ used: [Used], _ use: Use) {
        uses.withLock { uses in
            for used in used where uses.count < Self.mostGathered || uses[used] != nil { uses[used] = use }
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
            do {
                try await store.perform(LastUseChange(uses), in: organization)
            } catch {
                store.logger.warning("last uses were not written", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// The entries of these uses are those of the calls.
private struct LastUseChange: Change {
    /// Rows of one table: id, when, and from where.
    private struct Rows<Kind: IDKind>: Sendable {
        private(set) var latest: [ID<Kind>: (at: Timestamp, address: IPAddress?)] = [:]

        mutating func add(_ id: ID<Kind>, _ use: LastUses.Use) {
            if let known = latest[id], known.at >= use.at { return }
            latest[id] = (use.at, use.address)
        }

        // In the order of ids, so that two nodes never wait for each other in a circle.
        private var sorted: [(key: ID<Kind>, value: (at: Timestamp, address: IPAddress?))] {
            latest.sorted { $0.key < $1.key }
        }

        /// The parameters of `unnest`.
        var parameters: SQL {
            "\(sorted.map(\.key)), \(sorted.map(\.value.at)), \(sorted.map { $0.value.address?.description })"
        }
    }

    private var grants = Rows<GrantKind>()
    private var secrets = Rows<GrantSecretKind>()
    private var tokens = Rows<TokenIDKind>()
    private var addresses: [(grant: GrantID, address: String, at: Timestamp)] = []

    init(_ uses: [(key: LastUses.Used, value: LastUses.Use)]) {
        for (used, use) in uses {
            switch used {
            case .grant(let id, let address):
                grants.add(id, use)
                if let address { addresses.append((id, address.description, use.at)) }
            case .secret(let id): secrets.add(id, use)
            case .token(let id): tokens.add(id, use)
            }
        }
        addresses.sort { ($0.grant, $0.address) < ($1.grant, $1.address) }
    }

    static func make(
        _ changes: [LastUseChange],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Void>] {
        for change in changes { _ = try await transaction.pipeline(change.statements(in: transaction)) }
        return changes.map { _ in .done((), []) }
    }

    private func statements(in transaction: OrganizationTransaction) -> [SQL] {
        var statements: [SQL] = []
        if !grants.latest.isEmpty { statements.append(Self.update("grants", grants.parameters)) }
        if !secrets.latest.isEmpty { statements.append(Self.update("grant_secrets", secrets.parameters)) }
        if !tokens.latest.isEmpty { statements.append(Self.update("tokens", tokens.parameters)) }
        if !addresses.isEmpty { statements += rememberAddresses(in: transaction) }
        return statements
    }

    private static func update(_ table: SQL, _ parameters: SQL) -> SQL {
        """
        WITH used AS (
            SELECT t.id, n.at, n.address FROM \(table) t JOIN unnest(\(parameters)) AS n(id, at, address) ON n.id = t.id
            WHERE t.last_used_at IS NULL OR t.last_used_at <= n.at - make_interval(secs => \(
                LastUses.resolution / .seconds(1)))
            ORDER BY t.id FOR NO KEY UPDATE OF t)
        UPDATE \(table) t SET last_used_at = used.at, last_used_address = used.address FROM used WHERE t.id = used.id
        """
    }

    private func rememberAddresses(in transaction: OrganizationTransaction) -> [SQL] {
        let grants = Array(Set(addresses.map(\.grant)))
        return [
            """
            INSERT INTO grant_addresses AS a (organization_id, grant_id, address, last_used_at)
            SELECT \(transaction.organization), n.grant_id, n.address, n.at
            FROM unnest(\(addresses.map(\.grant)), \(addresses.map(\.address)), \(addresses.map(\.at)))
                AS n(grant_id, address, at)
            ON CONFLICT (organization_id, grant_id, address) DO UPDATE SET last_used_at = excluded.last_used_at
            WHERE a.last_used_at <= excluded.last_used_at - make_interval(secs => \(LastUses.resolution / .seconds(1)))
            """,
            """
            DELETE FROM grant_addresses a USING (
                SELECT grant_id, address, last_used_at,
                    row_number() OVER (PARTITION BY grant_id ORDER BY last_used_at DESC, address) AS place
                FROM grant_addresses WHERE grant_id = ANY(\(grants))) AS ranked
            WHERE (a.grant_id, a.address) = (ranked.grant_id, ranked.address)
                AND (ranked.place > \(Int64(AddressUse.mostRemembered))
                    OR ranked.last_used_at < \(transaction.startedAt - AddressUse.memory))
            """,
        ]
    }
}
