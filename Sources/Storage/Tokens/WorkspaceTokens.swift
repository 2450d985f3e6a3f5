package import Domain
import Postgres
import Transparency

/// Making a token of a workspace, by a security admin. It acts as a user of its own, which is made with it and ends with
/// it, so that the log tells what it did from what people did.
package struct WorkspaceTokenCreation: SingleChange {
    package typealias Output = MadeToken

    let workspace: WorkspaceID
    let name: String
    let scopes: ScopeSet
    let expiresAt: Timestamp?
    var authority = Authority.scope(.tokensWrite)
    private let maker: TokenMaker
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let id: TokenID
    private let user: UserID
    private let digest: [UInt8]

    /// How long it is good when nobody says so.
    package static let standardLifetime = Duration.seconds(7 * 86_400)

    /// Refused where `maker` is no security admin. `expiresAt` nil: ``standardLifetime``, or less where the maker's own
    /// credential ends before.
    package init(
        of workspace: WorkspaceID,
        name: String,
        scopes: ScopeSet,
        expiresAt: Timestamp?,
        maker: TokenMaker,
        by attribution: Attribution,
        in store: Store
    ) {
        self.workspace = workspace
        self.name = name
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.maker = maker
        self.attribution = attribution
        secret = .make(.workspace, using: store.randomness)
        id = store.newID()
        user = store.newID()
        digest = store.keyring.digest(of: secret)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (MadeToken, [Recorded]) {
        let now = transaction.startedAt
        let (bounds, slug, expiresAt) = try await check(in: transaction)
        let username = "\(slug).\(id)"
        _ = try await transaction.pipeline([
            """
            INSERT INTO users (organization_id, id, kind, role, username, custodian_id, status, created_at, updated_at)
            VALUES (\(transaction.organization), \(user), \(UserKind.integration.rawValue),
                \(Role.integration.rawValue), \(username), \(maker.user), 'active', \(now), \(now))
            """,
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, audience, user_epoch, issued_at,
                expires_at, name, workspace_id, created_by, made_with_id)
            VALUES (\(transaction.organization), \(id), 'workspace', \(digest), \(user), \(scopes.names),
                \(bounds.audience as String?), 1, \(now), \(expiresAt), \(name), \(workspace), \(maker.user),
                \(bounds.personal as TokenID?))
            """,
        ])
        guard let view = try await transaction.token(id) else {
            throw ImpossibleRows(description: "tokens has no row of \(id), just made")
        }
        let created = AuditDraft(
            .userCreated,
            .user(user),
            authority: authority,
            after: [
                "kind": "integration", "role": "integration", "username": .string(username), "status": "active",
                "workspace": .string(workspace.description), "token": .string(id.description),
            ]
        )
        let issued = view.issued(replacing: nil, authority: authority)
        return (MadeToken(secret: secret, token: view), [created, issued].map { Recorded($0, by: attribution) })
    }

    /// What bounds it, where it belongs and until when it is good, once nothing can be said against it.
    func check(
        in transaction: OrganizationTransaction
    ) async throws -> (bounds: TokenBounds, slug: String, expiresAt: Timestamp) {
        let now = transaction.startedAt
        let bounds = try await transaction.adminBounds(of: maker)
        let places = try await transaction.query("SELECT slug FROM workspaces WHERE id = \(workspace) FOR SHARE")
        guard let place = places.first else { throw ChangeRefusal.notFound }
        let expiresAt = expiresAt ?? min(now + Self.standardLifetime, bounds.latest)
        try bounds.check(scopes: scopes, expiresAt: expiresAt, audience: bounds.audience, at: now)
        try await transaction.hold(scopes)
        return (bounds, try place.decode("slug"), expiresAt)
    }
}

/// Giving a workspace token another value, by a security admin; the former value ends at once. Asks for a second look where
/// that was used in the last days. One that a second admin had to agree to ends when they agreed to, and not later.
package struct WorkspaceTokenRefresh: SingleChange {
    package typealias Output = MadeToken

    private let id: TokenID
    private let expiresAt: Timestamp?
    private let confirmation: String?
    private let maker: TokenMaker
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let digest: [UInt8]

    /// `expiresAt` nil as in ``WorkspaceTokenCreation``.
    package init(
        of id: TokenID,
        expiresAt: Timestamp?,
        confirmation: String?,
        maker: TokenMaker,
        by attribution: Attribution,
        in store: Store
    ) {
        self.id = id
        self.expiresAt = expiresAt
        self.confirmation = confirmation
        self.maker = maker
        self.attribution = attribution
        secret = .make(.workspace, using: store.randomness)
        digest = store.keyring.digest(of: secret)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (MadeToken, [Recorded]) {
        let now = transaction.startedAt
        let settings = try await transaction.settings(lock: "FOR SHARE")
        let bounds = try await transaction.adminBounds(of: maker)
        let before = try await transaction.lockedWorkspaceToken(id)
        try before.confirmUse("refresh", with: confirmation, at: now)
        let isTwosToDecide = settings.wantsApproval(of: before.scopes, after: nil)
        if isTwosToDecide { try before.refuseLonger(expiresAt, at: now) }
        let standard = isTwosToDecide ? before.expiresAt : now + WorkspaceTokenCreation.standardLifetime
        let expiresAt = expiresAt ?? min(standard, bounds.latest)
        // A wider token than one's own is not refreshed either: who does it sees its value.
        try bounds.check(scopes: before.scopes, expiresAt: expiresAt, audience: before.audience, at: now)
        transaction.narrow(.token(id))
        // Who knows the value is who answers for what it does: they are not the second admin of what it asks for.
        _ = try await transaction.query(
            "UPDATE users SET custodian_id = \(maker.user), updated_at = \(now) WHERE id = \(before.user)"
        )
        _ = try await transaction.query(
            """
            UPDATE tokens SET digest = \(digest), issued_at = \(now), expires_at = \(expiresAt), last_used_at = NULL,
                last_used_address = NULL, made_with_id = \(bounds.personal as TokenID?), version = version + 1
            WHERE id = \(id)
            """
        )
        guard let after = try await transaction.token(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .tokenRefreshed,
            .token(id),
            authority: .scope(.tokensWrite),
            before: ["expires_at": .string(before.expiresAt.description)],
            after: [
                "expires_at": .string(expiresAt.description), "custodian": .string(maker.user.description),
                "digest_prefix": .string(CredentialDigest.prefix(of: digest)),
            ]
        )
        return (MadeToken(secret: secret, token: after), [Recorded(draft, by: attribution)])
    }
}

extension TokenView {
    /// What needs a second admin is refreshed until it ends, and not beyond.
    fileprivate func refuseLonger(_ wanted: Timestamp?, at now: Timestamp) throws(ChangeRefusal) {
        guard expiresAt > now else {
            throw .conflict("It has ended, and a second admin has to agree to another one: make one.")
        }
        guard wanted.map({ $0 <= expiresAt }) ?? true else {
            let detail = "It ends at \(expiresAt). For longer, make another one, to which a second admin agrees."
            throw .invalid("/expires_at", detail)
        }
    }
}

/// Changing name or data accesses of a workspace token, by a security admin; its value stays. Refused when it is another
/// version than the caller has seen.
package struct WorkspaceTokenUpdate: SingleChange {
    package typealias Output = TokenView

    let id: TokenID
    let expectedVersion: Int64
    let name: String
    let scopes: ScopeSet
    var authority = Authority.scope(.tokensWrite)
    private let maker: TokenMaker
    private let attribution: Attribution

    /// `version` is the one that the caller has seen.
    package init(
        of id: TokenID,
        version: Int64,
        name: String,
        scopes: ScopeSet,
        maker: TokenMaker,
        by attribution: Attribution
    ) {
        self.id = id
        expectedVersion = version
        self.name = name
        self.scopes = scopes
        self.maker = maker
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (TokenView, [Recorded]) {
        let before = try await check(in: transaction)
        guard before.name != name || before.scopes != scopes else { return (before, []) }
        transaction.narrow(.token(id))
        _ = try await transaction.query(
            "UPDATE tokens SET name = \(name), scopes = \(scopes.names), version = version + 1 WHERE id = \(id)"
        )
        guard let after = try await transaction.token(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .tokenUpdated,
            .token(id),
            authority: authority,
            before: ["scopes": .array(before.scopes.names.map(JSON.string)), "name": .orNull(before.name)],
            after: ["scopes": .array(scopes.names.map(JSON.string)), "name": .string(name)]
        )
        return (after, [Recorded(draft, by: attribution)])
    }

    /// The token as it is, locked, once nothing can be said against the change.
    func check(in transaction: OrganizationTransaction) async throws -> TokenView {
        let bounds = try await transaction.adminBounds(of: maker)
        let before = try await transaction.lockedWorkspaceToken(id)
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        // What it has it may keep; what is added is bounded by who adds it.
        guard !scopes.isEmpty, scopes.subtracting(before.scopes).isSubset(of: bounds.scopes) else {
            throw ChangeRefusal.invalid("/scopes", "These have to be some of what you may do yourself.")
        }
        try await transaction.hold(scopes)
        return before
    }
}

extension OrganizationTransaction {
    /// As ``bounds(of:)``, refused for whoever is no security admin.
    fileprivate func adminBounds(of maker: TokenMaker) async throws -> TokenBounds {
        let bounds = try await bounds(of: maker)
        guard bounds.role == .securityAdmin else {
            throw ChangeRefusal.conflict("Only a security admin has to do with workspace tokens.")
        }
        return bounds
    }

    fileprivate func lockedWorkspaceToken(_ id: TokenID) async throws -> TokenView {
        let token = try await lockedToken(id)
        guard token.kind == .workspace else { throw ChangeRefusal.notFound }
        guard token.revokedAt == nil else { throw ChangeRefusal.conflict("The token was deleted.") }
        return token
    }
}
