package import Domain
import Postgres

extension Store {
    /// What is known of a presented token, or nil where nobody ever got it. From the cache while that can prove to be
    /// fresh, else by one indexed read (``TokenCache``).
    package func facts(of secret: OpaqueSecret) async throws -> TokenFacts? {
        let digests = keyring.digests(of: secret)
        for digest in digests {
            if let facts = access.facts(of: digest) { return facts }
        }
        for digest in digests {
            let mark = access.mark
            let rows = try await pool.query(
                """
                SELECT organization_id, token_id, kind, scopes, audience, issued_at, expires_at, revoked, user_id,
                    user_kind, user_role, username, user_active, user_epoch_matches, person_id, integration_id,
                    integration_scopes, integration_active, grant_id, client_name, grant_status, grant_scopes,
                    grant_epoch_matches, grant_expires_at, ip_allow_list, workspace_id, checked_at,
                    authorization_id, authorization_active, authorization_epoch_matches, app_id, app_name, app_active,
                    app_scopes, app_client_name
                FROM token_of_digest(\(digest))
                """
            )
            guard let row = rows.first else { continue }
            let facts = try TokenFacts(row: row, digest: digest)
            access.keep(facts, of: digest, since: mark)
            return facts
        }
        return nil
    }
}

extension TokenFacts {
    init(row: PostgresRow, digest: [UInt8]) throws {
        let grant = try row.decode("grant_id", as: GrantID?.self)
        let role = try row.word("user_role", as: Role.self)
        let account = try Account(row: row, role: role)
        var scopes = role.bounding(try row.scopes("scopes"))
        if grant != nil { scopes = scopes.intersection(try row.scopes("grant_scopes")) }
        if account.integration != nil { scopes = scopes.intersection(try row.scopes("integration_scopes")) }
        let app = try row.decode("app_id", as: AppID?.self)
        if app != nil { scopes = scopes.intersection(try row.scopes("app_scopes")) }
        self.init(
            caller: Caller(
                organization: try row.decode("organization_id"),
                user: try row.decode("user_id"),
                kind: account.kind,
                role: role,
                username: try row.decode("username"),
                person: account.person,
                integration: account.integration,
                grant: grant,
                clientName: try row.decode(app == nil ? "client_name" : "app_name"),
                workspace: try row.decode("workspace_id"),
                credential: .init(token: try row.decode("token_id"), digestPrefix: CredentialDigest.prefix(of: digest)),
                scopes: scopes,
                tokenIssuedAt: try row.decode("issued_at"),
                tokenExpiresAt: try row.decode("expires_at")
            ),
            audience: try row.decode("audience"),
            isRevoked: try row.decode("revoked"),
            isUserActive: try row.decode("user_active"),
            matchesUserEpoch: try row.decode("user_epoch_matches"),
            grant: grant == nil ? nil : try GrantFacts(row: row),
            isIntegrationActive: try row.decode("integration_active"),
            checkedAt: try row.decode("checked_at")
        )
        guard let app else { return }
        caller.app = app
        caller.appName = try row.decode("app_client_name")
        caller.authorization = try row.decode("authorization_id")
        authorization = AuthorizationFacts(
            isActive: try row.decode("authorization_active"),
            matchesEpoch: try row.decode("authorization_epoch_matches"),
            isAppActive: try row.decode("app_active")
        )
    }

    private struct Account {
        let kind: UserKind
        let person: PersonID?
        let integration: IntegrationID?

        init(row: PostgresRow, role: Role) throws {
            kind = try row.word("user_kind")
            person = try row.decode("person_id")
            integration = try row.decode("integration_id")
        }
    }
}

extension TokenFacts.GrantFacts {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            status: try row.word("grant_status"),
            matchesEpoch: try row.decode("grant_epoch_matches"),
            expiresAt: try row.decode("grant_expires_at"),
            ipAllowList: try row.networks("ip_allow_list")
        )
    }
}

/// How a leaf names a credential.
enum CredentialDigest {
    static func prefix(of digest: [UInt8]) -> String {
        digest.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
