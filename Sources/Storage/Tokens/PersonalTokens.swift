package import Domain
import Postgres
import Transparency

/// Making a personal token, in one step, for oneself. Nobody makes one for somebody else.
package struct PersonalTokenCreation: SingleChange {
    package typealias Output = MadeToken

    /// What it is, as its owner says it, or the token of theirs that it takes the place of.
    package enum Terms: Sendable {
        case new(name: String, scopes: ScopeSet, audience: String?)
        /// The same name, scopes and audience; the former token ends.
        case again(TokenID)
    }

    private let terms: Terms
    private let expiresAt: Timestamp
    private let maker: TokenMaker
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let id: TokenID
    private let digest: [UInt8]

    /// Personal tokens of one member that are good at once.
    package static let most: Int64 = 50

    /// `maker` is who the token is for. What it may be at most is found out when the change is made.
    package init(
        _ terms: Terms,
        expiresAt: Timestamp,
        maker: TokenMaker,
        by attribution: Attribution,
        in store: Store
    ) {
        self.terms = terms
        self.expiresAt = expiresAt
        self.maker = maker
        self.attribution = attribution
        secret = .make(.personal, using: store.randomness)
        id = store.newID()
        digest = store.keyring.digest(of: secret)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (MadeToken, [Recorded]) {
        let now = transaction.startedAt
        let bounds = try await transaction.bounds(of: maker)
        let (name, scopes, audience, former) = try await wanted(within: bounds, in: transaction)
        try bounds.check(scopes: scopes, expiresAt: expiresAt, audience: audience, at: now)
        try await transaction.hold(scopes)
        var recorded: [Recorded] = []
        if let former {
            transaction.narrow(.token(former))
            _ = try await transaction.query("UPDATE tokens SET revoked_at = \(now) WHERE id = \(former)")
            let draft = AuditDraft(.tokenRevoked, .token(former), reason: "made_again", after: ["revoked": true])
            recorded.append(Recorded(draft, by: attribution))
            // A secret is made again because it was seen, or lost: by whoever saw it, others may have been made.
            recorded += try await transaction.endTokens(madeWith: former, by: attribution)
        }
        try await refuseTooMany(in: transaction)
        _ = try await transaction.query(
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, audience, user_epoch, issued_at,
                expires_at, name, created_by, made_with_id)
            VALUES (\(transaction.organization), \(id), 'personal', \(digest), \(maker.user), \(scopes.names),
                \(audience as String?), \(bounds.epoch), \(now), \(expiresAt), \(name as String?), \(maker.user),
                coalesce(
                    (SELECT t.id FROM tokens t WHERE t.id = \(bounds.personal as TokenID?) AND t.revoked_at IS NULL),
                    (SELECT f.made_with_id FROM tokens f WHERE f.id = \(former as TokenID?))))
            """
        )
        guard let view = try await transaction.token(id) else {
            throw ImpossibleRows(description: "tokens has no row of \(id), just made")
        }
        recorded.append(Recorded(view.issued(replacing: former), by: attribution))
        return (MadeToken(secret: secret, token: view), recorded)
    }

    private func wanted(
        within bounds: TokenBounds,
        in transaction: OrganizationTransaction
    ) async throws -> (name: String?, scopes: ScopeSet, audience: String?, former: TokenID?) {
        switch terms {
        case .new(let name, let scopes, let audience):
            return (name, scopes, audience ?? bounds.audience, nil)
        case .again(let id):
            let former = try await transaction.lockedToken(id)
            guard former.kind == .personal, former.user == maker.user else { throw ChangeRefusal.notFound }
            guard former.revokedAt == nil else { throw ChangeRefusal.conflict("The token was revoked.") }
            return (former.name, former.scopes, former.audience, id)
        }
    }

    private func refuseTooMany(in transaction: OrganizationTransaction) async throws {
        let rows = try await transaction.query(
            """
            SELECT count(*) AS good FROM tokens
            WHERE organization_id = \(transaction.organization) AND user_id = \(maker.user) AND kind = 'personal'
                AND revoked_at IS NULL AND expires_at > \(transaction.startedAt)
            """
        )
        guard try rows.only().decode("good", as: Int64.self) < Self.most else {
            throw ChangeRefusal.conflict("There are \(Self.most) personal tokens of yours already; revoke one.")
        }
    }
}

extension TokenView {
    /// The entry of its issue.
    func issued(replacing former: TokenID?, authority: Authority = .scope(.tokensWrite)) -> AuditDraft {
        var after: JSON.Object = [
            "kind": .string(kind.rawValue), "user": .string(user.description),
            "scopes": .array(scopes.names.map(JSON.string)), "audience": .orNull(audience),
            "expires_at": .string(expiresAt.description),
        ]
        if let workspace { after["workspace"] = .string(workspace.description) }
        if let former { after["replaces"] = .string(former.description) }
        return AuditDraft(.tokenIssued, .token(id), authority: authority, after: after, person: person)
    }
}

/// Ending a personal or workspace token: one's own, or, for a security admin, anybody's. For everybody else it is not
/// there. What has ended already changes nothing. What was made with a personal token ends with it. The user of a workspace
/// token ends with it, and ending one that was used in the last days asks for a second look.
package struct TokenEnding: SingleChange {
    package typealias Output = TokenView

    private let id: TokenID
    private let caller: UserID
    private let confirmation: String?
    private let attribution: Attribution

    /// `caller` may be a session's member.
    package init(of id: TokenID, caller: UserID, confirmation: String? = nil, by attribution: Attribution) {
        self.id = id
        self.caller = caller
        self.confirmation = confirmation
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (TokenView, [Recorded]) {
        guard let seen = try await transaction.token(id) else { throw ChangeRefusal.notFound }
        let isAdmin = try await transaction.isSecurityAdmin(caller)
        guard isAdmin || seen.kind == .personal && seen.user == caller else { throw ChangeRefusal.notFound }
        // The user before the token, as everybody locks them: whoever makes a token meanwhile is before or after.
        _ = try await transaction.query("SELECT id FROM users WHERE id = \(seen.user) FOR UPDATE")
        let before = try await transaction.lockedToken(id)
        guard before.revokedAt == nil else { return (before, []) }
        if before.kind == .workspace { try before.confirmUse("delete", with: confirmation, at: transaction.startedAt) }
        let now = transaction.startedAt
        transaction.narrow(.token(id))
        _ = try await transaction.query("UPDATE tokens SET revoked_at = \(now), version = version + 1 WHERE id = \(id)")
        var drafts = [
            AuditDraft(
                .tokenRevoked,
                .token(id),
                authority: .scope(.tokensWrite),
                after: ["revoked": true, "user": .string(before.user.description)],
                person: before.person
            )
        ]
        if before.kind == .workspace {
            transaction.narrow(.user(before.user))
            _ = try await transaction.query(
                """
                UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = \(now), updated_at = \(now)
                WHERE id = \(before.user) AND status = 'active'
                """
            )
            drafts.append(
                AuditDraft(
                    .userDeactivated,
                    .user(before.user),
                    reason: "token_deleted",
                    authority: .scope(.tokensWrite),
                    before: ["status": "active"],
                    after: ["status": "deactivated"]
                )
            )
        }
        let made = try await transaction.endTokens(madeWith: id, by: attribution)
        guard let after = try await transaction.token(id) else { throw ChangeRefusal.notFound }
        return (after, drafts.map { Recorded($0, by: attribution) } + made)
    }
}

extension OrganizationTransaction {
    /// Whether that is an active member who operates the organization.
    func isSecurityAdmin(_ user: UserID) async throws -> Bool {
        let rows = try await query(
            """
            SELECT id FROM users
            WHERE id = \(user) AND kind = 'member' AND role = \(Role.securityAdmin.rawValue) AND status = 'active'
            """
        )
        return !rows.isEmpty
    }
}

extension TokenView {
    /// Throws ``ChangeRefusal/confirmationRequired(value:detail:)`` where the token was used in the last days, unless
    /// `confirmation` says that exactly this was seen.
    func confirmUse(_ action: String, with confirmation: String?, at now: Timestamp) throws(ChangeRefusal) {
        guard let lastUsedAt, lastUsedAt > now - AddressUse.memory else { return }
        // The place and not the moment: a caller that goes on calling must not make every confirmation stale.
        let wanted = Confirmation(of: "\(action) \(id) \(issuedAt)", seeing: [lastUsedAddress ?? ""])
        guard confirmation != wanted.value else { return }
        throw .confirmationRequired(
            value: wanted.value,
            detail: "This cuts off what uses the token: last at \(lastUsedAt) from \(lastUsedAddress ?? "somewhere")."
        )
    }
}
