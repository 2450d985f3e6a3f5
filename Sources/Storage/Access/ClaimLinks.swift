package import Domain
import Postgres
import Transparency

/// Making the one-time link by which a custodian claims a grant's secret. Making another ends the former.
package struct ClaimLinkCreation: Change {
    package let grant: GrantID
    package let caller: Caller
    package let attribution: Attribution
    private let secret: OpaqueSecret
    private let id: ClaimLinkID
    private let digest: [UInt8]

    /// How long a link can be claimed.
    package static let lifetime = Duration.seconds(24 * 3600)

    /// Draws the link's secret; the link is good for ``lifetime`` from its commit.
    package init(for grant: GrantID, by caller: Caller, _ attribution: Attribution, in store: Store) {
        self.grant = grant
        self.caller = caller
        self.attribution = attribution
        secret = .make(.claim, using: store.randomness)
        id = store.newID()
        digest = store.keyring.digest(of: secret)
    }

    /// A link, shown this once.
    package struct Created: Sendable {
        package let secret: OpaqueSecret
        package let id: ClaimLinkID
        package let expiresAt: Timestamp
    }

    package static func make(
        _ changes: [ClaimLinkCreation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Created>] {
        var made: [Made<Created>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<Created> {
        let now = transaction.startedAt
        let expiresAt = now + Self.lifetime
        let grants = try await transaction.query(
            """
            SELECT g.status, u.person_id FROM grants g
            JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
            WHERE g.id = \(grant) FOR UPDATE OF g
            """
        )
        guard let row = grants.first else { return refused(.notFound, person: nil) }
        let person = try row.decode("person_id", as: PersonID?.self)
        guard try row.word("status", as: GrantStatus.self) != .ended else {
            return refused(.grantEnded, person: person)
        }
        let results = try await transaction.pipeline([
            """
            UPDATE claim_links SET ended_at = \(now)
            WHERE grant_id = \(grant) AND claimed_at IS NULL AND ended_at IS NULL RETURNING id
            """,
            """
            INSERT INTO claim_links (organization_id, id, grant_id, digest, created_by, created_at, expires_at)
            VALUES (\(transaction.organization), \(id), \(grant), \(digest), \(caller.user), \(now), \(expiresAt))
            """,
        ])
        var drafts = try results[0].map { former in
            AuditDraft(
                .claimLinkEnded,
                .claimLink(try former.decode("id")),
                reason: "replaced",
                authority: .scope(.grantsWrite),
                person: person
            )
        }
        drafts.append(
            AuditDraft(
                .claimLinkCreated,
                .claimLink(id),
                authority: .scope(.grantsWrite),
                after: ["grant": .string(grant.description), "expires_at": .string(expiresAt.description)],
                person: person
            )
        )
        return .done(
            Created(secret: secret, id: id, expiresAt: expiresAt),
            drafts.map { Recorded($0, by: attribution) }
        )
    }

    private func refused(_ reason: AccessRefusal, person: PersonID?) -> Made<Created> {
        let draft = AuditDraft(
            .claimLinkCreated,
            .grant(grant),
            outcome: .refused,
            reason: reason.rawValue,
            person: person
        )
        return .refused(reason, [Recorded(draft, by: attribution)])
    }
}

/// What a claim link shows before it is claimed.
package struct ClaimLinkView: Sendable {
    package let organization: OrganizationID
    package let organizationName: String
    package let clientName: String
    package let username: String
    /// The custodian's name; nil where nobody is one, or they left: then nobody can claim it.
    package let custodian: String?
    /// The custodian, who has to be signed in to claim it.
    package let claimant: UserID?
    /// Whether the custodian can sign in; else a security admin makes them a password link first.
    package let hasPassword: Bool
    package let organizationSlug: Slug
    package let expiresAt: Timestamp
}

extension Store {
    /// What the link is for; nil where it is unknown, used, replaced or over.
    package func claimLink(_ secret: OpaqueSecret) async throws -> ClaimLinkView? {
        for digest in keyring.digests(of: secret) {
            let found = try await pool.query("SELECT organization_of_claim_link(\(digest)) AS organization_id")
            guard let organization = try found.only().decode("organization_id", as: OrganizationID?.self) else {
                continue
            }
            return try await read(as: organization) { transaction in
                let rows = try await transaction.query(
                    """
                    SELECT o.name, o.slug, g.client_name, u.username, c.username AS custodian, l.expires_at,
                        c.id AS claimant, a.password IS NOT NULL AS has_password
                    FROM claim_links l
                    JOIN organizations o ON o.id = l.organization_id
                    JOIN grants g ON (g.organization_id, g.id) = (l.organization_id, l.grant_id)
                    JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
                    LEFT JOIN users c ON (c.organization_id, c.id) = (u.organization_id, u.custodian_id)
                        AND c.kind = 'member' AND c.status = 'active'
                    LEFT JOIN accounts a ON (a.organization_id, a.user_id) = (c.organization_id, c.id)
                    WHERE l.digest = \(digest) AND l.claimed_at IS NULL AND l.ended_at IS NULL
                        AND l.expires_at > \(transaction.startedAt) AND g.status <> 'ended' AND u.status = 'active'
                    """
                )
                return try rows.first.map { row in
                    ClaimLinkView(
                        organization: organization,
                        organizationName: try row.decode("name"),
                        clientName: try row.decode("client_name"),
                        username: try row.decode("username"),
                        custodian: try row.decode("custodian"),
                        claimant: try row.decode("claimant"),
                        hasPassword: try row.decode("has_password"),
                        organizationSlug: try row.parse("slug"),
                        expiresAt: try row.decode("expires_at")
                    )
                }
            }
        }
        return nil
    }

    /// Claims the secret behind a link for its custodian, once: of two at the same moment one gets it and the other
    /// nothing. nil where the link is unknown, used, replaced or over; throws ``AccessRefusal/notCustodian`` where `member`
    /// is not the custodian, ``AccessRefusal/claimingBlocked`` where the custodian may claim nothing yet.
    package func claim(
        _ link: OpaqueSecret,
        from origin: Attribution.Origin,
        by member: SessionCaller
    ) async throws -> SecretClaim.Claimed? {
        for digest in keyring.digests(of: link) {
            let found = try await pool.query("SELECT organization_of_claim_link(\(digest)) AS organization_id")
            guard let organization = try found.only().decode("organization_id", as: OrganizationID?.self) else {
                continue
            }
            do {
                return try await perform(
                    SecretClaim(digest: digest, origin: origin, member: member, in: self),
                    in: organization
                )
            } catch AccessRefusal.notFound {
                return nil
            }
        }
        return nil
    }
}

/// Using a claim link, by the signed-in custodian: the grant's secret is made, shown and kept as a digest only. Tokens of
/// a former secret end.
package struct SecretClaim: Change {
    private let digest: [UInt8]
    private let member: SessionCaller
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let new: NewSecret

    init(digest: [UInt8], origin: Attribution.Origin, member: SessionCaller, in store: Store) {
        self.digest = digest
        self.member = member
        attribution = Attribution(session: member, origin: origin, receivedAt: store.clock.now())
        secret = .make(.client, using: store.randomness)
        new = NewSecret(id: store.newID(), digest: store.keyring.digest(of: secret))
    }

    /// What an integration signs in with, shown this once.
    package struct Claimed: Sendable {
        package let client: GrantID
        package let secret: OpaqueSecret
    }

    package static func make(
        _ changes: [SecretClaim],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Claimed>] {
        var made: [Made<Claimed>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<Claimed> {
        let now = transaction.startedAt
        // The grant before its links, as everybody locks them who ends or replaces one.
        _ = try await transaction.query(
            """
            SELECT g.id FROM grants g JOIN claim_links l ON (l.organization_id, l.grant_id) = (g.organization_id, g.id)
            WHERE l.digest = \(digest) FOR UPDATE OF g
            """
        )
        let links = try await transaction.query(
            """
            UPDATE claim_links l SET claimed_at = \(now)
            FROM grants g, users u
            JOIN users c ON (c.organization_id, c.id) = (u.organization_id, u.custodian_id)
            LEFT JOIN accounts a ON (a.organization_id, a.user_id) = (c.organization_id, c.id)
            WHERE l.digest = \(digest) AND l.claimed_at IS NULL AND l.ended_at IS NULL AND l.expires_at > \(now)
                AND (g.organization_id, g.id) = (l.organization_id, l.grant_id) AND g.status <> 'ended'
                AND (u.organization_id, u.id) = (g.organization_id, g.user_id) AND u.status = 'active'
                AND c.id = \(member.user) AND c.kind = 'member' AND c.status = 'active'
                AND coalesce(a.claiming_blocked_until <= \(now), true)
            RETURNING l.id, l.grant_id, u.person_id
            """
        )
        guard let row = links.first else { return try await refusal(in: transaction) }
        let link = try row.decode("id", as: ClaimLinkID.self)
        let grant = try row.decode("grant_id", as: GrantID.self)
        var new = new
        new.madeBy = member.user
        new.link = link
        try await transaction.replaceSecret(of: grant, with: new, overlap: .none)
        let draft = AuditDraft(
            .secretClaimed,
            .grant(grant),
            authority: .claimLink(link),
            after: new.entry,
            person: try row.decode("person_id")
        )
        return .done(Claimed(client: grant, secret: secret), [Recorded(draft, by: attribution)])
    }

    /// Who may not have it is told why, and the entry of that names the grant; of what is no link there is nothing to tell.
    private func refusal(in transaction: OrganizationTransaction) async throws -> Made<Claimed> {
        let rows = try await transaction.query(
            """
            SELECT l.grant_id, u.person_id, c.id IS NOT NULL AS is_custodian
            FROM claim_links l
            JOIN grants g ON (g.organization_id, g.id) = (l.organization_id, l.grant_id)
            JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
            LEFT JOIN users c ON (c.organization_id, c.id) = (u.organization_id, u.custodian_id)
                AND c.id = \(member.user) AND c.kind = 'member' AND c.status = 'active'
            WHERE l.digest = \(digest) AND l.claimed_at IS NULL AND l.ended_at IS NULL
                AND l.expires_at > \(transaction.startedAt) AND g.status <> 'ended' AND u.status = 'active'
            """
        )
        guard let row = rows.first else { return .refused(AccessRefusal.notFound, []) }
        let reason: AccessRefusal =
            try row.decode("is_custodian", as: Bool.self) ? .claimingBlocked : .notCustodian
        let draft = AuditDraft(
            .secretClaimed,
            .grant(try row.decode("grant_id")),
            outcome: .refused,
            reason: reason.rawValue,
            person: try row.decode("person_id")
        )
        var attribution = attribution
        if member.organization != transaction.organization {
            // Who is signed in elsewhere is nobody here, and is not told about here.
            attribution.actor = .system("claim")
            attribution.credential = nil
        }
        return .refused(reason, [Recorded(draft, by: attribution)])
    }
}
