package import Domain
import Postgres
import Transparency

/// Granting access to a user of an integration, by an admin. Its secret is claimed by a claim link.
package struct GrantCreation: SingleChange {
    package typealias Output = GrantView

    private let id: GrantID
    private let user: UserReference
    private let workspace: WorkspaceReference
    let terms: GrantTerms
    var authority = Authority.scope(.grantsWrite)
    private let attribution: Attribution

    /// `user` is an active user of an integration; whether it is that is checked when the change is made.
    package init(
        _ terms: GrantTerms,
        to user: UserReference,
        in workspace: WorkspaceReference,
        by attribution: Attribution,
        store: Store
    ) {
        id = store.newID()
        self.terms = terms
        self.user = user
        self.workspace = workspace
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (GrantView, [Recorded]) {
        let now = transaction.startedAt
        let (user, workspace) = try await check(in: transaction)
        _ = try await transaction.query(
            """
            INSERT INTO grants (organization_id, id, user_id, client_name, workspace_id, scopes, ip_allow_list,
                expires_at, status, created_at, updated_at)
            VALUES (\(transaction.organization), \(id), \(user), \(terms.clientName), \(workspace),
                \(terms.scopes.names), \(terms.ipAllowList?.map(\.description) as [String]?), \(terms.expiresAt), 'active',
                \(now), \(now))
            """
        )
        guard let view = try await transaction.grant(id) else { throw ChangeRefusal.notFound }
        var after = terms.entry
        after["status"] = "active"
        after["user"] = .string(user.description)
        after["workspace"] = .string(workspace.description)
        let draft = AuditDraft(
            .grantCreated,
            .grant(id),
            authority: authority,
            after: after,
            person: view.person
        )
        return (view, [Recorded(draft, by: attribution)])
    }

    /// Everything that can be said against it; the user is held until the commit.
    func check(in transaction: OrganizationTransaction) async throws -> (user: UserID, workspace: WorkspaceID) {
        let user = try await transaction.integrationUser(user)
        try terms.check(within: user.ceiling, at: transaction.startedAt)
        try await transaction.hold(terms.scopes)
        return (user.id, try await transaction.resolve(workspace, at: "/workspace"))
    }
}

extension OrganizationTransaction {
    /// The active user of an integration, held so that a leaver who is committed meanwhile ends this grant too, or makes
    /// it refused.
    fileprivate func integrationUser(_ user: UserReference) async throws -> (id: UserID, ceiling: ScopeSet) {
        let named: SQL =
            switch user {
            case .id(let id): "u.id = \(id)"
            case .username(let name): "lower(u.username) = lower(\(name))"
            }
        let rows = try await query(
            """
            SELECT u.id, i.scopes FROM users u
            JOIN integrations i ON (i.organization_id, i.id) = (u.organization_id, u.integration_id)
            WHERE \(named) AND u.kind = 'integration' AND u.status = 'active'
            FOR SHARE OF u
            """
        )
        guard let row = rows.first else {
            throw ChangeRefusal.invalid("/username", "No integration has an active user of this name.")
        }
        return (try row.decode("id"), try row.scopes("scopes"))
    }
}

/// Changing what a grant allows, or whose it is. Refused when it is another version than the caller has seen, when it has
/// ended, and, for scopes, addresses and user, when an integration's rule made it: those follow from the integration.
///
/// Another user ends its secrets, tokens and claim links. A list of addresses that leaves out where the grant was used in
/// the last days asks for a second look.
package struct GrantUpdate: SingleChange {
    package typealias Output = GrantView

    let id: GrantID
    let expectedVersion: Int64
    let terms: GrantTerms
    let user: UserReference?
    private let caller: GrantID?
    let confirmation: String?
    var authority = Authority.scope(.grantsWrite)
    private let attribution: Attribution

    /// `version` is the one that the caller has seen, `user` nil for the user that it has, `caller` the grant by
    /// which the caller calls.
    package init(
        of id: GrantID,
        version: Int64,
        to terms: GrantTerms,
        user: UserReference? = nil,
        caller: GrantID? = nil,
        confirmation: String? = nil,
        by attribution: Attribution
    ) {
        self.id = id
        expectedVersion = version
        self.terms = terms
        self.user = user
        self.caller = caller
        self.confirmation = confirmation
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (GrantView, [Recorded]) {
        let (before, user) = try await check(in: transaction)
        guard before.terms != terms || user != nil else { return (before, []) }
        transaction.narrow(.grant(id))
        _ = try await transaction.query(
            """
            UPDATE grants SET client_name = \(terms.clientName), expires_at = \(terms.expiresAt),
                scopes = \(terms.scopes.names), ip_allow_list = \(terms.ipAllowList?.map(\.description) as [String]?),
                user_id = \(user ?? before.user), version = version + 1, updated_at = \(transaction.startedAt)
            WHERE id = \(id)
            """
        )
        let links = user == nil ? [] : try await transaction.endCredentials(of: id)
        guard let after = try await transaction.grant(id) else { throw ChangeRefusal.notFound }
        var former = before.terms.entry
        var next = terms.entry
        former["user"] = .string(before.user.description)
        next["user"] = .string(after.user.description)
        let draft = AuditDraft(
            .grantUpdated,
            .grant(id),
            authority: authority,
            before: former.differing(from: next),
            after: next.differing(from: former),
            person: before.person
        )
        let ended = links.map { AuditDraft.ended($0, because: "user_changed", person: before.person) }
        return (after, ([draft] + ended).map { Recorded($0, by: attribution) })
    }

    /// Whether it names another user than the grant has.
    func movesUser(of grant: GrantView) -> Bool {
        switch user {
        case nil: false
        case .id(let id): id != grant.user
        case .username(let name): name.lowercased() != grant.username.lowercased()
        }
    }

    /// Everything that can be said against it, with the grant as it is, locked, and its new user, where it gets one.
    func check(in transaction: OrganizationTransaction) async throws -> (before: GrantView, user: UserID?) {
        guard let seen = try await transaction.grant(id) else { throw ChangeRefusal.notFound }
        // The user before the grant, as everybody locks them.
        var next: (id: UserID, ceiling: ScopeSet)?
        if let user, movesUser(of: seen) { next = try await transaction.integrationUser(user) }
        let before = try await transaction.lockedGrant(id)
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        guard before.status != .ended else { throw ChangeRefusal.conflict("The grant has ended.") }
        guard before.terms != terms || next != nil else { return (before, nil) }
        try checkChange(from: before, ceiling: next?.ceiling ?? before.ceiling, at: transaction.startedAt)
        if terms.scopes != before.terms.scopes { try await transaction.hold(terms.scopes) }
        if terms.ipAllowList != before.terms.ipAllowList {
            try await transaction.confirmCutOff(
                of: "SELECT \(id)",
                allowing: terms.ipAllowList,
                for: id.description,
                caller: caller == id ? attribution.origin.address : nil,
                confirmation: confirmation
            )
        }
        return (before, next?.id)
    }

    private func checkChange(
        from before: GrantView,
        ceiling: ScopeSet?,
        at now: Timestamp
    ) throws(ChangeRefusal) {
        if before.isOfRule {
            guard terms.scopes == before.terms.scopes, terms.ipAllowList == before.terms.ipAllowList,
                !movesUser(of: before)
            else {
                throw .conflict("A rule made this grant: its user, scopes and addresses follow from its integration.")
            }
        }
        // What is left as it is need not be acceptable anew: an expiry that is over, a ceiling that was lowered.
        if terms.expiresAt != before.terms.expiresAt { try terms.checkExpiry(at: now) }
        if terms.scopes != before.terms.scopes || ceiling != before.ceiling { try terms.checkScopes(within: ceiling) }
    }
}

extension GrantTerms {
    func check(within ceiling: ScopeSet?, at now: Timestamp) throws(ChangeRefusal) {
        try checkExpiry(at: now)
        try checkScopes(within: ceiling)
    }

    func checkExpiry(at now: Timestamp) throws(ChangeRefusal) {
        guard expiresAt > now, expiresAt <= now + Self.longestLifetime else {
            throw .invalid("/expires_at", "This has to be in the future, and at most ten years ahead.")
        }
    }

    func checkScopes(within ceiling: ScopeSet?) throws(ChangeRefusal) {
        guard !scopes.isEmpty, let ceiling, scopes.isSubset(of: ceiling) else {
            throw .invalid("/scopes", "These have to be some of the scopes of the user's integration.")
        }
    }
}

/// Stopping a grant, letting it go on, or ending it for good. What is so already changes nothing and has no entry.
/// Suspending and resuming what has ended is refused.
package struct GrantStateChange: SingleChange {
    package typealias Output = GrantView

    private let id: GrantID
    private let wanted: GrantStatus
    private let attribution: Attribution

    package init(of id: GrantID, to wanted: GrantStatus, by attribution: Attribution) {
        self.id = id
        self.wanted = wanted
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (GrantView, [Recorded]) {
        let before = try await transaction.lockedGrant(id)
        guard before.status != wanted else { return (before, []) }
        guard before.status != .ended else { throw ChangeRefusal.conflict("The grant has ended.") }
        transaction.narrow(.grant(id))
        let ended = try await write(in: transaction)
        guard let after = try await transaction.grant(id) else { throw ChangeRefusal.notFound }
        let action: ActionCode =
            switch wanted {
            case .active: .grantResumed
            case .suspended: .grantSuspended
            case .ended: .grantEnded
            }
        let changed = AuditDraft(
            action,
            .grant(id),
            authority: .scope(.grantsWrite),
            before: ["status": .string(before.status.rawValue)],
            after: ["status": .string(wanted.rawValue)],
            person: before.person
        )
        let links = ended.map { AuditDraft.ended($0, because: "grant_ended", person: before.person) }
        return (after, ([changed] + links).map { Recorded($0, by: attribution) })
    }

    /// Returns the claim links that ended with it.
    private func write(in transaction: OrganizationTransaction) async throws -> [ClaimLinkID] {
        let now = transaction.startedAt
        guard wanted == .ended else {
            _ = try await transaction.query(
                """
                UPDATE grants SET status = \(wanted.rawValue), version = version + 1, updated_at = \(now)
                WHERE id = \(id)
                """
            )
            return []
        }
        let results = try await transaction.pipeline([
            """
            UPDATE grants SET status = 'ended', epoch = epoch + 1, ended_at = \(now),
                version = version + 1, updated_at = \(now)
            WHERE id = \(id)
            """,
            """
            UPDATE claim_links SET ended_at = \(now)
            WHERE grant_id = \(id) AND claimed_at IS NULL AND ended_at IS NULL RETURNING id
            """,
        ])
        return try results[1].map { try $0.decode("id") }
    }
}
