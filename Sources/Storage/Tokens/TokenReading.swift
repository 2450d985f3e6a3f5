package import Domain
import Postgres

/// What a token is that a person made: for themselves, or for a workspace.
package enum TokenKind: String, Sendable, CaseIterable {
    case personal
    case workspace
}

/// A token that a person made, never its value.
package struct TokenView: Sendable {
    package let id: TokenID
    package let kind: TokenKind
    /// As whom it acts.
    package let user: UserID
    package let username: String
    package let person: PersonID?
    package let name: String?
    package let scopes: ScopeSet
    package let audience: String?
    package let workspace: WorkspaceID?
    package let createdBy: UserID?
    package let issuedAt: Timestamp
    package let expiresAt: Timestamp
    package let lastUsedAt: Timestamp?
    package let lastUsedAddress: String?
    package let revokedAt: Timestamp?
    package let state: State
    package let version: Int64

    /// What somebody sees who asks whether it works now.
    package enum State: String, Sendable, CaseIterable {
        case active
        case expired
        case revoked
        /// Its user was deactivated, or got another role.
        case ended
    }
}

extension OrganizationTransaction {
    /// The next personal and workspace tokens behind `after`, oldest first; `owner` nil for everybody's.
    package func tokens(of owner: UserID?, after: TokenID?, most: Int) async throws -> [TokenView] {
        let rows = try await query(
            TokenView.selection
                + """
                AND t.id > \(after ?? .lowest) AND (\(owner as UserID?) IS NULL OR t.user_id = \(owner as UserID?))
                ORDER BY t.id LIMIT \(most)
                """
        )
        return try rows.map { try TokenView(row: $0, at: startedAt) }
    }

    /// nil where the organization has no personal or workspace token of that id.
    package func token(_ id: TokenID) async throws -> TokenView? {
        try await query(TokenView.selection + " AND t.id = \(id)").first.map { try TokenView(row: $0, at: startedAt) }
    }

    /// The token, locked until the transaction ends.
    func lockedToken(_ id: TokenID) async throws -> TokenView {
        _ = try await query("SELECT id FROM tokens WHERE id = \(id) FOR NO KEY UPDATE")
        guard let token = try await token(id) else { throw ChangeRefusal.notFound }
        return token
    }
}

extension TokenView {
    fileprivate static let selection: SQL = """
        SELECT t.id, t.kind, t.user_id, u.username, u.person_id, t.name, t.scopes, t.audience, t.workspace_id,
            t.created_by, t.issued_at, t.expires_at, t.last_used_at, t.last_used_address, t.revoked_at, t.version,
            u.status = 'active' AND u.epoch = t.user_epoch AS is_owner_good
        FROM tokens t JOIN users u ON (u.organization_id, u.id) = (t.organization_id, t.user_id)
        WHERE t.kind IN ('personal', 'workspace')

        """

    fileprivate init(row: PostgresRow, at now: Timestamp) throws {
        let expiresAt = try row.decode("expires_at", as: Timestamp.self)
        let revokedAt = try row.decode("revoked_at", as: Timestamp?.self)
        let isOwnerGood = try row.decode("is_owner_good", as: Bool.self)
        let state: State =
            if revokedAt != nil { .revoked } else if !isOwnerGood { .ended } else if expiresAt <= now { .expired } else
            {
                .active
            }
        self.init(
            id: try row.decode("id"),
            kind: try row.word("kind"),
            user: try row.decode("user_id"),
            username: try row.decode("username"),
            person: try row.decode("person_id"),
            name: try row.decode("name"),
            scopes: try row.scopes("scopes"),
            audience: try row.decode("audience"),
            workspace: try row.decode("workspace_id"),
            createdBy: try row.decode("created_by"),
            issuedAt: try row.decode("issued_at"),
            expiresAt: expiresAt,
            lastUsedAt: try row.decode("last_used_at"),
            lastUsedAddress: try row.decode("last_used_address"),
            revokedAt: revokedAt,
            state: state,
            version: try row.decode("version")
        )
    }
}
