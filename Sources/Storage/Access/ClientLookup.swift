package import Domain
import Postgres

/// An OAuth client whose id and secret were right: what the issue of a token checks and needs.
package struct ClientFacts: Sendable {
    package let grant: GrantID
    package let organization: OrganizationID
    package let user: UserID
    package let kind: UserKind
    package let role: Role
    package let username: String
    package let person: PersonID?
    package let integration: IntegrationID?
    package let clientName: String
    package let workspace: WorkspaceID
    package let userEpoch: Int64
    package let grantEpoch: Int64
    package let isUserActive: Bool
    package let isIntegrationActive: Bool?
    package let terms: TokenFacts.GrantFacts
    /// Grant ∩ integration's ceiling ∩ the account's own permissions.
    package let scopes: ScopeSet
    package let checkedAt: Timestamp
    /// The secret by which the client proved who it is, once it did.
    package var presented: GrantSecretID?
    /// Public keys in place of a secret; nil where none are registered.
    package let keys: RegisteredKeys?
    /// Digests of the secrets that work.
    let secrets: [(id: GrantSecretID, digest: [UInt8], endsAt: Timestamp)]

    /// When the credential ends by which the client proved who it is: an overlap may be over before the grant is.
    var credentialEndsAt: Timestamp {
        secrets.first { $0.id == presented }.map { min($0.endsAt, terms.expiresAt) } ?? terms.expiresAt
    }

    /// The registration of keys by which the client proved who it is; nil where it was by a secret.
    var presentedKeys: GrantSecretID? { presented == nil ? keys?.id : nil }

    /// The first reason to issue nothing, or nil.
    package func refusal(from address: IPAddress?) -> AccessRefusal? {
        if !isUserActive { return .userDeactivated }
        if let refusal = TokenFacts.refusal(of: terms, at: checkedAt, from: address) { return refusal }
        return isIntegrationActive == false ? .integrationDisabled : nil
    }
}

extension Store {
    /// The client of that id, whether or not its secret is right: a wrong secret of a known client is an entry.
    package func client(_ grant: GrantID) async throws -> ClientFacts? {
        let rows = try await pool.query(
            """
            SELECT organization_id, user_id, user_kind, user_role, username, user_active, user_epoch, person_id,
                integration_id, integration_scopes, integration_active, client_name, status, scopes, epoch, expires_at,
                ip_allow_list, workspace_id, secret_ids, secret_digests, secret_ends,
                keys_id, keys_url,
                keys, keys_fetched_at, checked_at
            FROM grant_of_client(\(grant))
            """
        )
        return try rows.first.map { try ClientFacts(grant: grant, row: $0) }
    }

    /// Which of the client's secrets that is, or nil. Does the same for an unknown client and for one without a secret as
    /// for one with one.
    package func secret(_ presented: OpaqueSecret, of client: ClientFacts?) -> GrantSecretID? {
        let none = [
            (id: GrantSecretID.lowest, digest: [UInt8](repeating: 0, count: 32), endsAt: Timestamp(seconds: 0))
        ]
        let secrets = client?.secrets ?? []
        var found: GrantSecretID?
        for secret in secrets.isEmpty ? none : secrets where keyring.matches(presented, secret.digest) {
            found = secret.id
        }
        return secrets.isEmpty || presented.kind != .client ? nil : found
    }

    /// Whether that is one of the client's secrets.
    package func isSecret(_ secret: OpaqueSecret, of client: ClientFacts) -> Bool {
        self.secret(secret, of: client) != nil
    }
}

extension ClientFacts {
    init(grant: GrantID, row: PostgresRow) throws {
        let role = try row.word("user_role", as: Role.self)
        let integration = try row.decode("integration_id", as: IntegrationID?.self)
        let granted = role.bounding(try row.scopes("scopes"))
        self.init(
            grant: grant,
            organization: try row.decode("organization_id"),
            user: try row.decode("user_id"),
            kind: try row.word("user_kind"),
            role: role,
            username: try row.decode("username"),
            person: try row.decode("person_id"),
            integration: integration,
            clientName: try row.decode("client_name"),
            workspace: try row.decode("workspace_id"),
            userEpoch: try row.decode("user_epoch"),
            grantEpoch: try row.decode("epoch"),
            isUserActive: try row.decode("user_active"),
            isIntegrationActive: try row.decode("integration_active"),
            terms: .init(
                status: try row.word("status"),
                matchesEpoch: true,
                expiresAt: try row.decode("expires_at"),
                ipAllowList: try row.networks("ip_allow_list")
            ),
            scopes: integration == nil ? granted : granted.intersection(try row.scopes("integration_scopes")),
            checkedAt: try row.decode("checked_at"),
            keys: try RegisteredKeys(row: row),
            secrets: Array(
                zip(
                    zip(
                        try row.decode("secret_ids", as: [GrantSecretID]?.self) ?? [],
                        try row.decode("secret_digests", as: [[UInt8]]?.self) ?? []
                    ),
                    try row.decode("secret_ends", as: [Timestamp]?.self) ?? []
                )
            ).map { (id: $0.0, digest: $0.1, endsAt: $1) }
        )
    }
}
