import Crypto
package import Domain
import Postgres
package import Transparency

/// Public keys that a client registered in place of a secret.
package struct RegisteredKeys: Sendable {
    /// Of the registration: tokens name it, and end with it.
    let id: GrantSecretID
    /// nil: they are registered as they are.
    package let url: String?
    /// As registered, or as fetched last; nil: never fetched yet.
    package let keys: JSON.Object?
    package let fetchedAt: Timestamp?

    init?(row: PostgresRow) throws {
        guard let id = try row.decode("keys_id", as: GrantSecretID?.self) else { return nil }
        self.id = id
        url = try row.decode("keys_url")
        let text = try row.decode("keys", as: PostgresJSON?.self)
        keys = text == nil ? nil : try row.jsonObject("keys")
        fetchedAt = try row.decode("keys_fetched_at")
    }
}

/// Registering public keys in place of a secret, by the custodian: who could register keys could be the client. Secrets,
/// tokens and claim links of the grant end. For everybody else the grant is not there; the custodian is refused as long
/// as they may claim nothing.
package struct GrantKeysRegistration: Change {

    private let grant: GrantID
    private let source: Source
    private let custodian: UserID
    private let attribution: Attribution

    /// Where the keys are.
    package enum Source: Sendable {
        case keys(ClientKeys)
        /// Fetched when they are needed; `https:`, read strictly then.
        case url(String)

        /// Bytes of an address at most.
        private static let mostURLBytes = 2000

        /// An address that keys can be fetched from: `https:`, visible characters, no fragment. nil for another.
        package init?(address: String) {
            let isVisible = address.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
            guard address.hasPrefix("https://"), isVisible, (9...Self.mostURLBytes).contains(address.utf8.count) else {
                return nil
            }
            self = .url(address)
        }
    }

    /// `custodian` is who calls.
    package init(of grant: GrantID, _ source: Source, custodian: UserID, by attribution: Attribution) {
        self.grant = grant
        self.source = source
        self.custodian = custodian
        self.attribution = attribution
    }

    package static func make(
        _ changes: [GrantKeysRegistration],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<GrantView>] {
        var made: [Made<GrantView>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<GrantView> {
        try await transaction.holdUser(of: grant)
        let owned = try await transaction.query(
            """
            SELECT u.person_id, coalesce(a.claiming_blocked_until > \(transaction.startedAt), false) AS is_blocked
            FROM grants g
            JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
            JOIN users c ON (c.organization_id, c.id) = (u.organization_id, u.custodian_id)
            LEFT JOIN accounts a ON (a.organization_id, a.user_id) = (c.organization_id, c.id)
            WHERE g.id = \(grant) AND c.id = \(custodian) AND c.status = 'active' AND u.status = 'active'
            FOR UPDATE OF g
            """
        )
        guard let row = owned.first else { return refused(.notFound, person: nil) }
        let before = try await transaction.lockedGrant(grant)
        guard try !row.decode("is_blocked", as: Bool.self) else {
            return refused(.claimingBlocked, person: before.person)
        }
        guard before.status != .ended else { return refused(.grantEnded, person: before.person) }
        let links = try await transaction.endCredentials(of: grant)
        var url: String?
        var keys: ClientKeys?
        switch source {
        case .keys(let given): keys = given
        case .url(let given): url = given
        }
        _ = try await transaction.query(
            """
            INSERT INTO grant_keys (organization_id, grant_id, id, url, keys, registered_by, registered_at)
            VALUES (\(transaction.organization), \(grant), \(transaction.store.newID(GrantSecretID.self)), \(url),
                \(keys.map { PostgresJSON($0.json) }), \(custodian), \(transaction.startedAt))
            """
        )
        guard let after = try await transaction.grant(grant) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .grantKeysRegistered,
            .grant(grant),
            authority: .custodian,
            after: ["jwks_url": .orNull(url), "keys": .array((keys?.names ?? []).map(JSON.string))],
            person: before.person
        )
        let ended = links.map { AuditDraft.ended($0, because: "keys_registered", person: before.person) }
        return .done(after, ([draft] + ended).map { Recorded($0, by: attribution) })
    }

    private func refused(_ reason: AccessRefusal, person: PersonID?) -> Made<GrantView> {
        let draft = AuditDraft(
            .grantKeysRegistered,
            .grant(grant),
            outcome: .refused,
            reason: reason.rawValue,
            person: person
        )
        return .refused(reason, [Recorded(draft, by: attribution)])
    }
}

/// Whether keys behind a URL may be fetched now: one node, once in ``pause``, whoever asks how often. No entry: what
/// comes of it has one.
package struct ClientKeysTurn: SingleChange {
    package typealias Output = Bool

    private let grant: GrantID

    /// Between two tries.
    package static let pause = Duration.seconds(60)

    /// Of a client whose assertion names a key that is not known, or whose keys are old.
    package init(of grant: GrantID) { self.grant = grant }

    package func make(in transaction: OrganizationTransaction) async throws -> (Bool, [Recorded]) {
        let now = transaction.startedAt
        let taken = try await transaction.query(
            """
            UPDATE grant_keys SET tried_at = \(now)
            WHERE grant_id = \(grant) AND url IS NOT NULL AND (tried_at IS NULL OR tried_at < \(now - Self.pause))
            RETURNING grant_id
            """
        )
        return (!taken.isEmpty, [])
    }
}

/// Keeping the keys that came from a client's URL. An entry tells where they are others than before.
package struct ClientKeysFetch: SingleChange {
    package typealias Output = Void

    private let grant: GrantID
    private let url: String
    private let keys: ClientKeys

    /// `url` is where they came from: where another one is registered meanwhile nothing is kept.
    package init(of grant: GrantID, from url: String, _ keys: ClientKeys) {
        self.grant = grant
        self.url = url
        self.keys = keys
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let former = try await transaction.query(
            "SELECT keys FROM grant_keys WHERE grant_id = \(grant) AND url = \(url) FOR UPDATE"
        )
        guard let row = former.first else { return ((), []) }
        let known = try row.decode("keys", as: PostgresJSON?.self) == nil ? nil : try row.jsonObject("keys")
        _ = try await transaction.query(
            """
            UPDATE grant_keys SET keys = \(PostgresJSON(keys.json)), fetched_at = \(transaction.startedAt)
            WHERE grant_id = \(grant)
            """
        )
        guard known.map({ JSON.object($0) != .object(keys.json) }) ?? true else { return ((), []) }
        let draft = AuditDraft(
            .grantKeysFetched,
            .grant(grant),
            after: ["keys": .array(keys.names.map(JSON.string))]
        )
        return ((), [Recorded(draft, by: Attribution(actor: .system("keys"), receivedAt: transaction.startedAt))])
    }
}

/// Using a signed assertion, which counts once. A second use is refused with ``AccessRefusal/assertionReplayed``, and has
/// an entry; the first has that of what it was used for.
package struct AssertionUse: Change {
    private let grant: GrantID
    private let digest: [UInt8]
    private let expiresAt: Timestamp
    private let person: PersonID?
    private let attribution: Attribution

    /// Of an assertion whose signature holds.
    package init(_ assertion: ClientAssertion, of client: ClientFacts, by attribution: Attribution) {
        grant = client.grant
        digest = Array(SHA256.hash(data: Array(assertion.id.utf8)))
        expiresAt = assertion.expiresAt
        person = client.person
        self.attribution = attribution
    }

    package static func make(
        _ changes: [AssertionUse],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Void>] {
        var made: [Made<Void>] = []
        for change in changes {
            let kept = try await transaction.query(
                """
                INSERT INTO client_assertions (organization_id, grant_id, digest, expires_at)
                VALUES (\(transaction.organization), \(change.grant), \(change.digest), \(change.expiresAt))
                ON CONFLICT DO NOTHING RETURNING grant_id
                """
            )
            guard kept.isEmpty else {
                made.append(.done((), []))
                continue
            }
            let draft = AuditDraft(
                .tokenIssued,
                .grant(change.grant),
                outcome: .refused,
                reason: AccessRefusal.assertionReplayed.rawValue,
                person: change.person
            )
            made.append(.refused(AccessRefusal.assertionReplayed, [Recorded(draft, by: change.attribution)]))
        }
        return made
    }
}
