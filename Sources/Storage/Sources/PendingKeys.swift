package import Domain
import Postgres
import Transparency

/// A key that a handshake brought and nobody has confirmed. It verifies nothing.
package struct PendingKeyView: Sendable {
    package let id: SourceKeyID
    package let receivedAt: Timestamp
    /// As recorded.
    package let clientAddress: String?
    /// Of its secret: whoever has the sender's can compare without a look at this one.
    package let fingerprint: String
    /// When an admin looked at it; they can once.
    package let revealedAt: Timestamp?
}

extension OrganizationTransaction {
    /// The keys that wait for a decision, the oldest first.
    package func pendingKeys(of source: SourceID) async throws -> [PendingKeyView] {
        let rows = try await query(
            Self.pendingColumns + " WHERE source_id = \(source) ORDER BY received_at, id"
        )
        return try rows.map { try pendingKey($0).view }
    }

    fileprivate static var pendingColumns: SQL {
        "SELECT id, sealed, received_at, client_address, revealed_at FROM pending_keys"
    }

    /// Opens the key. Throws for one that the keyring cannot open.
    fileprivate func pendingKey(_ row: PostgresRow) throws -> (view: PendingKeyView, secret: HiddenText) {
        let id = try row.decode("id", as: SourceKeyID.self)
        let place = SealedSourceKey.place(of: id, in: organization)
        let opened = try store.keyring.open(try row.decode("sealed", as: [UInt8].self), for: place)
        let secret = HiddenText(String(decoding: opened, as: UTF8.self))
        let view = PendingKeyView(
            id: id,
            receivedAt: try row.decode("received_at"),
            clientAddress: try row.decode("client_address"),
            fingerprint: secret.fingerprint,
            revealedAt: try row.decode("revealed_at")
        )
        return (view, secret)
    }
}

/// Keeping the key that a handshake brought. Nobody proved to be the sender, so it changes nothing by itself: not even a
/// key that is there already is replaced, whatever comes again.
package struct PendingKeyCapture: SingleChange {
    private let source: SourceID
    private let secret: HiddenText
    private let attribution: Attribution

    /// Of one source at most, and of one client network one: a stranger who posts whatever comes to mind takes one place
    /// and not the sender's. What comes beyond is not kept until an admin has decided on one.
    package static let mostPending = 5

    /// What became of the key.
    package enum Output: String, Sendable {
        case pending
        /// It waits already, or is a key of the source.
        case known
        case noRoom = "no-room"
    }

    /// `secret` is one that the source's profile can use.
    package init(of secret: HiddenText, from source: SourceID, by attribution: Attribution) {
        self.source = source
        self.secret = secret
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        _ = try await transaction.lockedKeys(of: source)
        let known = try await transaction.hookKeys(of: source)
        if known.contains(where: { $0.secret.reveal() == secret.reveal() }) { return (.known, []) }
        let store = transaction.store
        let digest = store.keyring.pendingKeyDigest(of: secret.reveal(), from: source)
        let waiting = try await transaction.query(
            "SELECT digest, network FROM pending_keys WHERE source_id = \(source)"
        )
        if try waiting.contains(where: { try $0.decode("digest", as: [UInt8].self) == digest }) { return (.known, []) }
        let network = ClientNetwork.of(attribution.origin.address)?.description ?? "unknown"
        let isTaken = try waiting.contains { try $0.decode("network", as: String.self) == network }
        guard waiting.count < Self.mostPending, !isTaken else { return (.noRoom, []) }
        let id = store.newID(SourceKeyID.self)
        let sealed = try store.keyring.seal(
            Array(secret.reveal().utf8),
            for: SealedSourceKey.place(of: id, in: transaction.organization),
            using: store.randomness
        )
        _ = try await transaction.query(
            """
            INSERT INTO pending_keys (organization_id, id, source_id, digest, sealed, received_at, client_address,
                network)
            VALUES (\(transaction.organization), \(id), \(source), \(digest), \(sealed), \(attribution.receivedAt),
                \(attribution.origin.address?.description), \(network))
            """
        )
        let draft = AuditDraft(
            .sourceKeyCaptured,
            .sourceKey(id),
            after: ["source": .string(source.description), "status": "pending"]
        )
        return (.pending, [Recorded(draft, by: attribution)])
    }
}

/// An admin's word that a key which a handshake brought is the sender's. It counts from then on, beside those that are
/// there.
package struct PendingKeyConfirmation: SingleChange {
    /// The key, and its secret for this one time: some senders have the operator repeat it to them.
    package struct Output: Sendable {
        package let key: SourceKeyView
        package let secret: HiddenText
    }

    private let key: SourceKeyID
    private let source: SourceID
    private let attribution: Attribution

    package init(of key: SourceKeyID, from source: SourceID, by attribution: Attribution) {
        self.key = key
        self.source = source
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let keys = try await transaction.lockedKeys(of: source)
        let (row, secret) = try await transaction.pendingKey(key, of: source)
        guard keys.count < SourceKeyAddition.mostKeys else { throw ChangeRefusal.tooManyKeys }
        let sealed = try row.decode("sealed", as: [UInt8].self)
        _ = try await transaction.pipeline(
            [
                """
                INSERT INTO source_keys (organization_id, id, source_id, label, sealed, created_at)
                VALUES (\(transaction.organization), \(key), \(source), 'handshake', \(sealed), \(transaction.startedAt))
                """,
                "DELETE FROM pending_keys WHERE id = \(key)",
            ] + SourceKeyChange.following(on: source)
        )
        let view = SourceKeyView(
            id: key,
            label: "handshake",
            notBefore: nil,
            notAfter: nil,
            lastUsedAt: nil,
            version: 1,
            createdAt: transaction.startedAt
        )
        let draft = AuditDraft(
            .sourceKeyConfirmed,
            .sourceKey(key),
            authority: .scope(.sourcesWrite),
            before: ["status": "pending"],
            after: ["source": .string(source.description), "status": "active"]
        )
        return (Output(key: view, secret: secret), [Recorded(draft, by: attribution)])
    }
}

/// An admin's look at a key which a handshake brought, to compare it with what the sender shows before they decide. Once:
/// whoever comes second learns that somebody has looked.
package struct PendingKeyReveal: SingleChange {
    /// The key with its secret, for this one time.
    package struct Output: Sendable {
        package let key: PendingKeyView
        package let secret: HiddenText
    }

    private let key: SourceKeyID
    private let source: SourceID
    private let attribution: Attribution

    package init(of key: SourceKeyID, from source: SourceID, by attribution: Attribution) {
        self.key = key
        self.source = source
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        _ = try await transaction.lockedKeys(of: source)
        let revealed = try await transaction.query(
            """
            UPDATE pending_keys SET revealed_at = \(transaction.startedAt)
            WHERE source_id = \(source) AND id = \(key) AND revealed_at IS NULL
            """
        )
        let (row, secret) = try await transaction.pendingKey(key, of: source)
        guard revealed.affected == 1 else {
            throw ChangeRefusal.conflict("This key was shown already; the audit log says to whom.")
        }
        let draft = AuditDraft(
            .sourceKeyRevealed,
            .sourceKey(key),
            authority: .scope(.sourcesWrite),
            after: ["source": .string(source.description), "status": "pending"]
        )
        let view = try transaction.pendingKey(row).view
        return (Output(key: view, secret: secret), [Recorded(draft, by: attribution)])
    }
}

extension OrganizationTransaction {
    fileprivate func pendingKey(
        _ key: SourceKeyID,
        of source: SourceID
    ) async throws -> (row: PostgresRow, secret: HiddenText) {
        let rows = try await query(Self.pendingColumns + " WHERE source_id = \(source) AND id = \(key)")
        guard let row = rows.first else { throw ChangeRefusal.notFound }
        return (row, try pendingKey(row).secret)
    }
}

/// An admin's word that a key which a handshake brought is not the sender's.
package struct PendingKeyDismissal: SingleChange {
    package typealias Output = Void

    private let key: SourceKeyID
    private let source: SourceID
    private let attribution: Attribution

    package init(of key: SourceKeyID, from source: SourceID, by attribution: Attribution) {
        self.key = key
        self.source = source
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let removed = try await transaction.query(
            "DELETE FROM pending_keys WHERE source_id = \(source) AND id = \(key)"
        )
        guard removed.affected == 1 else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .sourceKeyDismissed,
            .sourceKey(key),
            authority: .scope(.sourcesWrite),
            before: ["source": .string(source.description), "status": "pending"]
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}
