package import Domain
import Postgres
import Storage
import Transparency

/// An organization with its default workspace.
package struct TestOrganization: Sendable {
    package let id: OrganizationID
    package let slug: String
    package let workspace: WorkspaceID
}

/// An account with a good token.
package struct TestAccount: Sendable {
    package let user: UserID
    package let username: String
    package let token: OpaqueSecret
    package let caller: Caller

    package var bearer: String { "Bearer " + token.reveal() }
}

/// A source with one key.
package struct TestSource: Sendable {
    package let id: SourceID
    package let organization: OrganizationID
    package let slug: String
    package let user: UserID
    package let key: SourceKeyID
    /// `whsec_…`, as its sender holds it.
    package let secret: String
}

extension StoreFixture {
    package func organization(_ slug: String = "acme") async throws -> TestOrganization {
        let organization = TestOrganization(id: store.newID(), slug: slug, workspace: store.newID())
        let now = clock.now()
        _ = try await owner.pipeline([
            """
            INSERT INTO organizations (id, slug, name, created_at)
            VALUES (\(organization.id), \(slug), \(slug.uppercased()), \(now))
            """,
            """
            INSERT INTO workspaces (organization_id, id, slug, name, created_at)
            VALUES (\(organization.id), \(organization.workspace), 'default', 'Default', \(now))
            """,
        ])
        return organization
    }

    /// A member of that role with a personal token, good for a day by the database's clock.
    package func member(
        _ role: Role,
        in organization: TestOrganization,
        username: String? = nil,
        scopes: ScopeSet = .all
    ) async throws -> TestAccount {
        let user = store.newID(UserID.self)
        let username = username ?? "\(role.rawValue)@\(organization.slug).example"
        let now = clock.now()
        _ = try await owner.query(
            """
            INSERT INTO users (organization_id, id, kind, role, username, status, created_at, updated_at)
            VALUES (\(organization.id), \(user), 'member', \(role.rawValue), \(username), 'active', \(now), \(now))
            """
        )
        return try await account(user, username, in: organization.id, scopes: scopes)
    }

    package func securityAdmin(in organization: TestOrganization) async throws -> TestAccount {
        try await member(.securityAdmin, in: organization)
    }

    package func auditor(in organization: TestOrganization) async throws -> TestAccount {
        try await member(.auditor, in: organization)
    }

    /// Another token of the same account.
    package func token(of account: TestAccount, in organization: TestOrganization) async throws -> TestAccount {
        try await self.account(account.user, account.username, in: organization.id, scopes: .all)
    }

    private func account(
        _ user: UserID,
        _ username: String,
        in organization: OrganizationID,
        scopes: ScopeSet
    ) async throws -> TestAccount {
        let token = OpaqueSecret.make(.personal, using: randomness)
        _ = try await owner.query(
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, user_epoch, issued_at, expires_at, name)
            SELECT \(organization), \(store.newID(TokenID.self)), 'personal', \(keyring.digest(of: token)), u.id,
                \(scopes.names), u.epoch, clock_timestamp(), clock_timestamp() + interval '1 day', 'test'
            FROM users u WHERE u.id = \(user)
            """
        )
        guard let facts = try await store.facts(of: token) else { throw NotThere(what: "the token just made") }
        return TestAccount(user: user, username: username, token: token, caller: facts.caller)
    }

    /// A source with mapping `canonical`, its user and one key; without `secret` it is one of Standard Webhooks'.
    package func source(
        in organization: TestOrganization,
        slug: String = "hr",
        timeZone: String = "UTC",
        profile: String = "standard-webhooks",
        secret: String? = nil
    ) async throws -> TestSource {
        let source = TestSource(
            id: .unguessable(using: randomness),
            organization: organization.id,
            slug: slug,
            user: store.newID(),
            key: store.newID(),
            secret: secret ?? "whsec_" + Base64.standard.encode(randomness.bytes(24))
        )
        let now = clock.now()
        let place = SealedPlace(
            organization: organization.id,
            row: source.key.description,
            field: "source_keys.sealed"
        )
        let sealed = try keyring.seal(Array(source.secret.utf8), for: place, using: randomness)
        _ = try await owner.pipeline([
            """
            INSERT INTO users (organization_id, id, kind, role, username, source_id, status, created_at, updated_at)
            VALUES (\(organization.id), \(source.user), 'integration', 'source', \("source." + slug), \(source.id),
                'active', \(now), \(now))
            """,
            """
            INSERT INTO sources (organization_id, id, slug, profile, mapping, time_zone, user_id, status, created_at,
                updated_at)
            VALUES (\(organization.id), \(source.id), \(slug), \(profile), 'canonical', \(timeZone),
                \(source.user), 'active', \(now), \(now))
            """,
            """
            INSERT INTO source_keys (organization_id, id, source_id, label, sealed, created_at)
            VALUES (\(organization.id), \(source.key), \(source.id), 'first', \(sealed), \(now))
            """,
        ])
        return source
    }

    /// An active integration; `rule` nil gives it users by hand alone.
    package func integration(
        in organization: TestOrganization,
        slug: String = "crm",
        rule: String? = "department eq \"Finance\"",
        scopes: ScopeSet = ScopeSet([.peopleRead, .peopleReadSelf]),
        lifetime: String = "P90D",
        ipAllowList: [String]? = nil
    ) async throws -> IntegrationID {
        let id = store.newID(IntegrationID.self)
        let now = clock.now()
        _ = try await owner.query(
            """
            INSERT INTO integrations (organization_id, id, slug, name, contact_email, workspace_id, scopes, rule,
                grant_lifetime, ip_allow_list, status, created_at, updated_at)
            VALUES (\(organization.id), \(id), \(slug), \(slug.uppercased()), 'owner@example.com',
                \(organization.workspace), \(scopes.names), \(rule as String?), \(lifetime), \(ipAllowList as [String]?), 'active', \(now),
                \(now))
            """
        )
        return id
    }

    /// An active user of an integration, made for nobody.
    package func integrationUser(
        of integration: IntegrationID,
        in organization: TestOrganization,
        username: String = "crm.robot",
        custodian: UserID? = nil
    ) async throws -> UserID {
        let id = store.newID(UserID.self)
        let now = clock.now()
        _ = try await owner.query(
            """
            INSERT INTO users (organization_id, id, kind, role, username, integration_id, custodian_id, status, created_at,
                updated_at)
            VALUES (\(organization.id), \(id), 'integration', 'integration', \(username), \(integration),
                \(custodian as UserID?), 'active', \(now), \(now))
            """
        )
        return id
    }
}

/// What a fixture promised and did not find.
package struct NotThere: Error {
    package let what: String

    package init(what: String) { self.what = what }
}
