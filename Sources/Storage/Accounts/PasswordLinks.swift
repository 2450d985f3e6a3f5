package import Domain
import Postgres
import Transparency

/// Making the one-time link by which a member sets a password. Making another ends the former.
///
/// Where the account has a password already, nobody does it alone: it takes a second admin's approval, or an operator on
/// the machine. Then its sessions end at once, and no secret is claimed for ``claimingBlock``, so that whoever takes an
/// account over in this way has to wait where others can see it.
package struct PasswordLinkCreation: SingleChange {
    package typealias Output = Created

    private let user: UserID
    private let maker: Maker
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let id: PasswordLinkID
    private let digest: [UInt8]

    /// How long a link can be used.
    package static let lifetime = Duration.seconds(24 * 3600)
    /// How long no secret can be claimed after a password was replaced, or could be.
    package static let claimingBlock = Duration.seconds(24 * 3600)

    /// Who makes it.
    package enum Maker: Sendable {
        /// On the machine itself, with the owner's connection.
        case systemOperator
        /// An admin, with the second admin who approved; an approval is asked for only where there is a password.
        case admin(UserID, approvedBy: UserID?)

        fileprivate var admin: UserID? { if case .admin(let id, _) = self { id } else { nil } }
        fileprivate var approver: UserID? { if case .admin(_, let id) = self { id } else { nil } }
    }

    /// Draws the link's secret; refused for whoever is no active member.
    package init(for user: UserID, by maker: Maker, _ attribution: Attribution, in store: Store) {
        self.user = user
        self.maker = maker
        self.attribution = attribution
        secret = .make(.passwordLink, using: store.randomness)
        id = store.newID()
        digest = store.keyring.digest(of: secret)
    }

    /// A link, shown this once.
    package struct Created: Sendable {
        package let secret: OpaqueSecret
        package let id: PasswordLinkID
        package let username: String
        package let expiresAt: Timestamp
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Created, [Recorded]) {
        // Of two who make one for the same member at once the second sees, and ends, what the first made.
        _ = try await transaction.query("SELECT id FROM users WHERE id = \(user) FOR NO KEY UPDATE")
        guard let account = try await transaction.account(of: user) else { throw ChangeRefusal.notFound }
        guard account.isActive else { throw ChangeRefusal.conflict("The user is deactivated.") }
        let replaces = account.password != nil
        if replaces, case .admin(_, approvedBy: nil) = maker {
            throw ChangeRefusal.conflict("This account has a password: replacing it needs a second admin.")
        }
        let now = transaction.startedAt
        let expiresAt = now + Self.lifetime
        let formers = try await transaction.query(
            """
            UPDATE password_links SET ended_at = \(now)
            WHERE user_id = \(user) AND used_at IS NULL AND ended_at IS NULL RETURNING id
            """
        )
        _ = try await transaction.query(
            """
            INSERT INTO password_links (organization_id, id, user_id, digest, replaces, created_by, approved_by,
                created_at, expires_at)
            VALUES (\(transaction.organization), \(id), \(user), \(digest), \(replaces), \(maker.admin as UserID?),
                \(maker.approver as UserID?), \(now), \(expiresAt))
            """
        )
        var drafts = try formers.map { former in
            AuditDraft(.passwordLinkEnded, .passwordLink(try former.decode("id")), reason: "replaced")
        }
        drafts.append(
            AuditDraft(
                .passwordLinkCreated,
                .passwordLink(id),
                authority: maker.admin == nil ? .operatorAccess : .scope(.usersWrite),
                after: [
                    "user": .string(user.description), "replaces": .bool(replaces),
                    "approved_by": .orNull(maker.approver), "expires_at": .string(expiresAt.description),
                ],
                person: account.person
            )
        )
        if replaces {
            drafts += try await transaction.endSessions(of: user)
            try await transaction.blockClaiming(of: user, until: now + Self.claimingBlock)
        }
        let created = Created(secret: secret, id: id, username: account.username, expiresAt: expiresAt)
        return (created, drafts.map { Recorded($0, by: attribution) })
    }
}

extension OrganizationTransaction {
    /// Ends every session of a member but one, and tells their entries.
    func endSessions(of user: UserID, but kept: SessionID? = nil) async throws -> [AuditDraft] {
        let rows = try await query(
            """
            UPDATE sessions SET ended_at = \(startedAt)
            WHERE user_id = \(user) AND ended_at IS NULL AND id <> \(kept ?? .lowest) RETURNING id
            """
        )
        return try rows.map { row in
            AuditDraft(.sessionEnded, .session(try row.decode("id")), after: ["user": .string(user.description)])
        }
    }

    fileprivate func blockClaiming(of user: UserID, until end: Timestamp) async throws {
        _ = try await query("UPDATE accounts SET claiming_blocked_until = \(end) WHERE user_id = \(user)")
    }
}

/// What a password link shows before it is used.
package struct PasswordLinkView: Sendable {
    package let organization: OrganizationID
    package let organizationName: String
    package let organizationSlug: Slug
    package let username: String
    package let expiresAt: Timestamp
}

extension Store {
    /// What the link is for; nil where it is unknown, used, replaced or over.
    package func passwordLink(_ secret: OpaqueSecret) async throws -> PasswordLinkView? {
        for digest in keyring.digests(of: secret) {
            guard let organization = try await organizationOfPasswordLink(digest) else { continue }
            return try await read(as: organization) { transaction in
                let rows = try await transaction.query(
                    """
                    SELECT o.name, o.slug, u.username, l.expires_at FROM password_links l
                    JOIN organizations o ON o.id = l.organization_id
                    JOIN users u ON (u.organization_id, u.id) = (l.organization_id, l.user_id)
                    WHERE l.digest = \(digest) AND l.used_at IS NULL AND l.ended_at IS NULL
                        AND l.expires_at > \(transaction.startedAt) AND u.status = 'active'
                    """
                )
                return try rows.first.map { row in
                    PasswordLinkView(
                        organization: organization,
                        organizationName: try row.decode("name"),
                        organizationSlug: try row.parse("slug"),
                        username: try row.decode("username"),
                        expiresAt: try row.decode("expires_at")
                    )
                }
            }
        }
        return nil
    }

    /// Once for each link: it becomes the password of the link's account. False where the link is unknown, used, replaced or over.
    package func setPassword(
        _ password: PasswordHash,
        by link: OpaqueSecret,
        from origin: Attribution.Origin
    ) async throws -> Bool {
        for digest in keyring.digests(of: link) {
            guard let organization = try await organizationOfPasswordLink(digest) else { continue }
            do {
                let setting = PasswordSetting(password, by: digest, from: origin, receivedAt: clock.now())
                try await perform(setting, in: organization)
                return true
            } catch AccessRefusal.notFound {
                return false
            }
        }
        return false
    }

    private func organizationOfPasswordLink(_ digest: [UInt8]) async throws -> OrganizationID? {
        let found = try await pool.query("SELECT organization_of_password_link(\(digest)) AS organization_id")
        return try found.only().decode("organization_id")
    }
}

/// Using a password link. Every session of the account ends; where there was a password before, claiming is blocked anew.
private struct PasswordSetting: SingleChange {
    typealias Output = Void

    private let password: PasswordHash
    private let digest: [UInt8]
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp

    init(_ password: PasswordHash, by digest: [UInt8], from origin: Attribution.Origin, receivedAt: Timestamp) {
        self.password = password
        self.digest = digest
        self.origin = origin
        self.receivedAt = receivedAt
    }

    func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let now = transaction.startedAt
        let links = try await transaction.query(
            """
            UPDATE password_links l SET used_at = \(now) FROM users u
            WHERE l.digest = \(digest) AND l.used_at IS NULL AND l.ended_at IS NULL AND l.expires_at > \(now)
                AND (u.organization_id, u.id) = (l.organization_id, l.user_id) AND u.status = 'active'
                AND (l.replaces OR NOT EXISTS (
                    SELECT FROM accounts a WHERE a.user_id = l.user_id AND a.password IS NOT NULL))
            RETURNING l.id, l.user_id, l.replaces, u.person_id
            """
        )
        guard let link = links.first else { throw AccessRefusal.notFound }
        let user = try link.decode("user_id", as: UserID.self)
        let replaces = try link.decode("replaces", as: Bool.self)
        try await transaction.store(password, of: user)
        if replaces {
            try await transaction.blockClaiming(of: user, until: now + PasswordLinkCreation.claimingBlock)
        }
        let set = AuditDraft(
            .passwordSet,
            .user(user),
            authority: .passwordLink(try link.decode("id")),
            after: ["replaced": .bool(replaces)],
            person: try link.decode("person_id")
        )
        let drafts = [set] + (try await transaction.endSessions(of: user))
        let attribution = Attribution(actor: .member(user), origin: origin, receivedAt: receivedAt)
        return ((), drafts.map { Recorded($0, by: attribution) })
    }
}

extension OrganizationTransaction {
    fileprivate func store(_ password: PasswordHash, of user: UserID) async throws {
        _ = try await query(
            """
            INSERT INTO accounts (organization_id, user_id, password, password_set_at)
            VALUES (\(organization), \(user), \(password.description), \(startedAt))
            ON CONFLICT (organization_id, user_id) DO UPDATE
            SET password = excluded.password, password_set_at = excluded.password_set_at, totp_pending = NULL
            """
        )
    }
}

/// Changing one's own password, whose former one was proved just now. The other sessions of the account end.
package struct PasswordChange: SingleChange {
    package typealias Output = Void

    private let password: PasswordHash
    private let formerSetAt: Timestamp?
    private let caller: SessionCaller
    private let attribution: Attribution

    /// `former` is the account whose password was proved; refused where it is another one by now.
    package init(
        to password: PasswordHash,
        provedBy former: AccountFacts,
        by caller: SessionCaller,
        _ attribution: Attribution
    ) {
        self.password = password
        formerSetAt = former.passwordSetAt
        self.caller = caller
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let rows = try await transaction.query(
            """
            SELECT user_id FROM accounts WHERE user_id = \(caller.user)
                AND password_set_at = \(formerSetAt as Timestamp?) FOR UPDATE
            """
        )
        guard !rows.isEmpty else { throw ChangeRefusal.stale }
        try await transaction.store(password, of: caller.user)
        let set = AuditDraft(.passwordSet, .user(caller.user), after: ["replaced": true], person: caller.person)
        let drafts = [set] + (try await transaction.endSessions(of: caller.user, but: caller.session))
        return ((), drafts.map { Recorded($0, by: attribution) })
    }
}
