package import Domain
import Postgres
import Transparency

/// A secret of a grant that works, as its grant shows it: never the secret.
package struct GrantSecretView: Sendable {
    package let id: GrantSecretID
    package let madeAt: Timestamp
    package let madeBy: UserID?
    /// Until when it works, where another one replaced it; nil for the current one.
    package let notAfter: Timestamp?
    package let lastUsedAt: Timestamp?
    package let lastUsedAddress: String?
}

extension OrganizationTransaction {
    /// The secrets of these grants that work now, oldest first.
    func secrets(of grants: [GrantID]) async throws -> [GrantID: [GrantSecretView]] {
        let rows = try await query(
            """
            SELECT grant_id, id, made_at, made_by, not_after, last_used_at, last_used_address FROM grant_secrets
            WHERE organization_id = \(organization) AND grant_id = ANY(\(grants)) AND ended_at IS NULL
                AND (not_after IS NULL OR not_after > \(startedAt))
            ORDER BY made_at, id
            """
        )
        var secrets: [GrantID: [GrantSecretView]] = [:]
        for row in rows {
            secrets[try row.decode("grant_id"), default: []].append(
                GrantSecretView(
                    id: try row.decode("id"),
                    madeAt: try row.decode("made_at"),
                    madeBy: try row.decode("made_by"),
                    notAfter: try row.decode("not_after"),
                    lastUsedAt: try row.decode("last_used_at"),
                    lastUsedAddress: try row.decode("last_used_address")
                )
            )
        }
        return secrets
    }

    /// Makes `new` the current secret of a grant that the transaction has locked. Without an overlap all others end, and
    /// all tokens; with one the former current secret works on, and those before it end with their tokens.
    func replaceSecret(of grant: GrantID, with new: NewSecret, overlap: SecretOverlap) async throws {
        let now = startedAt
        let retiring: [SQL] =
            if let duration = overlap.duration {
                [
                    """
                    UPDATE grant_secrets SET ended_at = \(now)
                    WHERE grant_id = \(grant) AND ended_at IS NULL AND not_after IS NOT NULL RETURNING id
                    """,
                    """
                    UPDATE grant_secrets SET not_after = \(now + duration)
                    WHERE grant_id = \(grant) AND ended_at IS NULL AND not_after IS NULL RETURNING id
                    """,
                ]
            } else {
                [
                    """
                    UPDATE grant_secrets SET ended_at = \(now) WHERE grant_id = \(grant) AND ended_at IS NULL
                    RETURNING id
                    """,
                    "UPDATE grants SET epoch = epoch + 1 WHERE id = \(grant)",
                ]
            }
        let results = try await pipeline(
            retiring + [
                """
                INSERT INTO grant_secrets (organization_id, id, grant_id, digest, made_at, made_by, claim_link_id)
                VALUES (\(organization), \(new.id), \(grant), \(new.digest), \(now), \(new.madeBy as UserID?),
                    \(new.link as ClaimLinkID?))
                """,
                "UPDATE grants SET version = version + 1, updated_at = \(now) WHERE id = \(grant)",
                // A client proves who it is in one way.
                "DELETE FROM grant_keys WHERE grant_id = \(grant) RETURNING id",
            ]
        )
        // Nodes are told of what ends, and of no first secret.
        if results.contains(where: { !$0.isEmpty }) { narrow(.grant(grant)) }
    }

    /// Holds the user of a grant until the commit: whose custodian somebody is does not change meanwhile. A statement of its
    /// own, before the one that asks: one that waits for a row sees the others as they were before.
    func holdUser(of grant: GrantID) async throws {
        _ = try await query(
            "SELECT id FROM users WHERE id = (SELECT user_id FROM grants WHERE id = \(grant)) FOR SHARE"
        )
    }

    /// Ends every secret, key and open claim link of a grant that the transaction has locked, and all of its tokens. Returns
    /// the links.
    func endCredentials(of grant: GrantID) async throws -> [ClaimLinkID] {
        let now = startedAt
        narrow(.grant(grant))
        let results = try await pipeline([
            "UPDATE grant_secrets SET ended_at = \(now) WHERE grant_id = \(grant) AND ended_at IS NULL",
            """
            UPDATE grants SET epoch = epoch + 1, version = version + 1, updated_at = \(now) WHERE id = \(grant)
            """,
            """
            UPDATE claim_links SET ended_at = \(now)
            WHERE grant_id = \(grant) AND claimed_at IS NULL AND ended_at IS NULL RETURNING id
            """,
            "DELETE FROM grant_keys WHERE grant_id = \(grant)",
        ])
        return try results[2].map { try $0.decode("id") }
    }
}

/// A secret that is about to be a grant's.
struct NewSecret: Sendable {
    let id: GrantSecretID
    let digest: [UInt8]
    var madeBy: UserID?
    var link: ClaimLinkID?

    /// What an entry tells of it.
    var entry: JSON.Object {
        ["secret": .string(id.description), "secret_digest_prefix": .string(CredentialDigest.prefix(of: digest))]
    }
}

/// Replacing a grant's secret by its custodian, who sees the new one, once. Nobody else can: for everybody else the grant
/// is not there. Of two at the same moment one waits for the other.
///
/// Asks for a second look where a secret still works that an earlier replacement left: it would end.
package struct SecretRegeneration: Change {
    private let grant: GrantID
    private let custodian: UserID
    private let overlap: SecretOverlap
    private let confirmation: String?
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let new: NewSecret

    /// `custodian` is who signed in.
    package init(
        of grant: GrantID,
        overlap: SecretOverlap,
        custodian: UserID,
        confirmation: String? = nil,
        by attribution: Attribution,
        in store: Store
    ) {
        self.grant = grant
        self.custodian = custodian
        self.overlap = overlap
        self.confirmation = confirmation
        self.attribution = attribution
        secret = .make(.client, using: store.randomness)
        new = NewSecret(id: store.newID(), digest: store.keyring.digest(of: secret), madeBy: custodian)
    }

    package static func make(
        _ changes: [SecretRegeneration],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<SecretClaim.Claimed>] {
        var made: [Made<SecretClaim.Claimed>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<SecretClaim.Claimed> {
        try await transaction.holdUser(of: grant)
        let rows = try await transaction.query(
            """
            SELECT g.status, u.person_id,
                coalesce(a.claiming_blocked_until > \(transaction.startedAt), false) AS is_blocked
            FROM grants g
            JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
            JOIN users c ON (c.organization_id, c.id) = (u.organization_id, u.custodian_id)
            LEFT JOIN accounts a ON (a.organization_id, a.user_id) = (c.organization_id, c.id)
            WHERE g.id = \(grant) AND c.id = \(custodian) AND c.status = 'active' AND u.status = 'active'
            FOR UPDATE OF g
            """
        )
        guard let row = rows.first else { return refused(.notFound, person: nil) }
        let person = try row.decode("person_id", as: PersonID?.self)
        guard try !row.decode("is_blocked", as: Bool.self) else { return refused(.claimingBlocked, person: person) }
        guard try row.word("status", as: GrantStatus.self) != .ended else {
            return refused(.grantEnded, person: person)
        }
        let working = try await transaction.secrets(of: [grant])[grant] ?? []
        if let needed = needed(working) {
            return .refused(needed, [refusal("confirmation_required", person: person)])
        }
        try await transaction.replaceSecret(of: grant, with: new, overlap: overlap)
        var after = new.entry
        after["overlap"] = .string(overlap.rawValue)
        let draft = AuditDraft(.secretRegenerated, .grant(grant), authority: .custodian, after: after, person: person)
        return .done(SecretClaim.Claimed(client: grant, secret: secret), [Recorded(draft, by: attribution)])
    }

    /// The second look that is wanted; nil where none is, or it was taken.
    private func needed(_ working: [GrantSecretView]) -> ChangeRefusal? {
        guard overlap.duration != nil, let former = working.first(where: { $0.notAfter != nil }) else { return nil }
        let wanted = Confirmation(of: "regenerate \(grant)", seeing: [former.id.description])
        guard confirmation != wanted.value else { return nil }
        let use = former.lastUsedAt.map { "was used last at \($0)" } ?? "was not used"
        return .confirmationRequired(
            value: wanted.value,
            detail: "The secret of \(former.madeAt), replaced before, still works and \(use). It would end now."
        )
    }

    private func refused(_ reason: AccessRefusal, person: PersonID?) -> Made<SecretClaim.Claimed> {
        .refused(reason, [refusal(reason.rawValue, person: person)])
    }

    private func refusal(_ reason: String, person: PersonID?) -> Recorded {
        let draft = AuditDraft(.secretRegenerated, .grant(grant), outcome: .refused, reason: reason, person: person)
        return Recorded(draft, by: attribution)
    }
}

/// Ending everything that a grant's integration holds: all secrets, keys, tokens, and open claim links. The grant itself
/// stays, and its custodian can have a new secret.
package struct GrantKill: SingleChange {
    package typealias Output = GrantView

    private let grant: GrantID
    private let attribution: Attribution

    package init(of grant: GrantID, by attribution: Attribution) {
        self.grant = grant
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (GrantView, [Recorded]) {
        let before = try await transaction.lockedGrant(grant)
        guard before.status != .ended else { throw ChangeRefusal.conflict("The grant has ended.") }
        let links = try await transaction.endCredentials(of: grant)
        let killed = AuditDraft(
            .grantKilled,
            .grant(grant),
            authority: .scope(.grantsWrite),
            after: ["secrets": .integer(before.secrets.count)],
            person: before.person
        )
        let drafts = [killed] + links.map { AuditDraft.ended($0, because: "grant_killed", person: before.person) }
        guard let after = try await transaction.grant(grant) else { throw ChangeRefusal.notFound }
        return (after, drafts.map { Recorded($0, by: attribution) })
    }
}

extension AuditDraft {
    /// The entry of a claim link that ended with something else.
    static func ended(
        _ link: ClaimLinkID,
        because reason: String,
        person: PersonID?,
        authority: Authority = .scope(.grantsWrite)
    ) -> AuditDraft {
        AuditDraft(
            .claimLinkEnded,
            .claimLink(link),
            reason: reason,
            authority: authority,
            person: person
        )
    }
}
