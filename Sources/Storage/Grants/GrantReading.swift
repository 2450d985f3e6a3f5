package import Domain
import Postgres
import Transparency

/// What a grant allows, as an admin says it.
package struct GrantTerms: Sendable, Hashable {
    package var clientName: String
    package var expiresAt: Timestamp
    /// Within the ceiling of the user's integration; not empty.
    package var scopes: ScopeSet
    /// nil: unrestricted. Never empty.
    package var ipAllowList: [NetworkRange]?

    /// How far ahead a grant may expire.
    package static let longestLifetime = ISODuration.bounds.upperBound

    package init(clientName: String, expiresAt: Timestamp, scopes: ScopeSet, ipAllowList: [NetworkRange]?) {
        self.clientName = clientName
        self.expiresAt = expiresAt
        self.scopes = scopes
        self.ipAllowList = ipAllowList
    }

    /// What an entry tells of it.
    var entry: JSON.Object {
        var entry = PlanEntries.terms(scopes, ipAllowList)
        entry["client_name"] = .string(clientName)
        entry["expires_at"] = .string(expiresAt.description)
        return entry
    }
}

/// A grant as it stands, never with its secret.
package struct GrantView: Sendable {
    package let id: GrantID
    package let terms: GrantTerms
    package let status: GrantStatus
    package let state: State
    package let user: UserID
    package let username: String
    package let person: PersonID?
    package let integration: IntegrationID?
    package let integrationSlug: String?
    package let workspace: WorkspaceID
    package let workspaceSlug: Slug
    /// Whether an integration's rule made it: its scopes and addresses are then the integration's.
    package let isOfRule: Bool
    /// Those that work, oldest first; the last is the current one.
    package let secrets: [GrantSecretView]
    /// Whether it has public keys in place of a secret, and where they are fetched from, if they are.
    package let hasKeys: Bool
    package let keysURL: String?
    package let lastUsedAt: Timestamp?
    package let lastUsedAddress: String?
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let endedAt: Timestamp?
    /// When the current secret was claimed or regenerated; nil where there is none.
    package var secretClaimedAt: Timestamp? { secrets.last { $0.notAfter == nil }?.madeAt }
    /// Which of the secrets that work was used last.
    package var lastUsedSecret: GrantSecretID? {
        secrets.filter { $0.lastUsedAt != nil }.max { ($0.lastUsedAt ?? $0.madeAt) < ($1.lastUsedAt ?? $1.madeAt) }?.id
    }

    /// Scopes at most: the integration's.
    let ceiling: ScopeSet?

    /// What somebody sees who asks whether it works now.
    package enum State: String, Sendable, CaseIterable {
        case active
        case suspended
        case expired
        case ended
    }
}

extension OrganizationTransaction {
    /// The next grants behind `after`, oldest first; of one custodian, or of everybody.
    package func grants(keptBy custodian: UserID? = nil, after: GrantID?, most: Int) async throws -> [GrantView] {
        let kept: SQL = custodian.map { " AND u.custodian_id = \($0)" } ?? ""
        return try await grants(
            GrantView.selection + " WHERE g.id > \(after ?? .lowest)" + kept + " ORDER BY g.id LIMIT \(most)"
        )
    }

    /// nil where the organization has none of that id, or somebody else than `custodian` keeps its secret.
    package func grant(_ id: GrantID, keptBy custodian: UserID? = nil) async throws -> GrantView? {
        let kept: SQL = custodian.map { " AND u.custodian_id = \($0)" } ?? ""
        return try await grants(GrantView.selection + " WHERE g.id = \(id)" + kept).first
    }

    /// Grants that have not ended of users whose secrets that member keeps, oldest first; the first 200.
    package func grants(ofCustodian member: UserID) async throws -> [GrantView] {
        try await grants(
            GrantView.selection
                + " WHERE u.custodian_id = \(member) AND g.status <> 'ended' AND u.status = 'active' ORDER BY g.id LIMIT 200"
        )
    }

    private func grants(_ selection: SQL) async throws -> [GrantView] {
        let rows = try await query(selection)
        let secrets = try await secrets(of: rows.map { try $0.decode("id") })
        return try rows.map { row in
            try GrantView(row: row, secrets: secrets[row.decode("id")] ?? [], at: startedAt)
        }
    }

    /// The grant, locked until the transaction ends.
    func lockedGrant(_ id: GrantID) async throws -> GrantView {
        _ = try await query("SELECT id FROM grants WHERE id = \(id) FOR NO KEY UPDATE")
        guard let grant = try await grant(id) else { throw ChangeRefusal.notFound }
        return grant
    }
}

extension GrantView {
    fileprivate static let selection: SQL = """
        SELECT g.id, g.client_name, g.expires_at, g.scopes, g.ip_allow_list, g.status, g.user_id, u.username,
            u.person_id, u.integration_id, i.slug AS integration_slug, i.scopes AS ceiling, g.workspace_id,
            w.slug AS workspace_slug, g.rule_integration_id, g.last_used_at, g.last_used_address,
            g.version, g.created_at, g.updated_at, g.ended_at, k.grant_id IS NOT NULL AS has_keys, k.url AS keys_url
        FROM grants g
        JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
        JOIN workspaces w ON (w.organization_id, w.id) = (g.organization_id, g.workspace_id)
        LEFT JOIN integrations i ON (i.organization_id, i.id) = (u.organization_id, u.integration_id)
        LEFT JOIN grant_keys k ON (k.organization_id, k.grant_id) = (g.organization_id, g.id)
        """

    fileprivate init(row: PostgresRow, secrets: [GrantSecretView], at now: Timestamp) throws {
        let status = try row.word("status", as: GrantStatus.self)
        let expiresAt = try row.decode("expires_at", as: Timestamp.self)
        let integration = try row.decode("integration_id", as: IntegrationID?.self)
        let state: State =
            switch status {
            case .ended: .ended
            case _ where expiresAt <= now: .expired
            case .suspended: .suspended
            case .active: .active
            }
        self.init(
            id: try row.decode("id"),
            terms: GrantTerms(
                clientName: try row.decode("client_name"),
                expiresAt: expiresAt,
                scopes: try row.scopes("scopes"),
                ipAllowList: try row.networks("ip_allow_list")
            ),
            status: status,
            state: state,
            user: try row.decode("user_id"),
            username: try row.decode("username"),
            person: try row.decode("person_id"),
            integration: integration,
            integrationSlug: try row.decode("integration_slug"),
            workspace: try row.decode("workspace_id"),
            workspaceSlug: try row.parse("workspace_slug"),
            isOfRule: try row.decode("rule_integration_id", as: IntegrationID?.self) != nil,
            secrets: secrets,
            hasKeys: try row.decode("has_keys"),
            keysURL: try row.decode("keys_url"),
            lastUsedAt: try row.decode("last_used_at"),
            lastUsedAddress: try row.decode("last_used_address"),
            version: try row.decode("version"),
            createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at"),
            endedAt: try row.decode("ended_at"),
            ceiling: integration == nil ? nil : try row.scopes("ceiling")
        )
    }
}
