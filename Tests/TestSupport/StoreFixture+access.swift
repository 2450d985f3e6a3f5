package import Domain
import Postgres
package import Storage

extension StoreFixture {
    /// A call of that account, as an entry attributes it.
    package func attribution(of account: TestAccount) -> Attribution {
        Attribution(
            caller: account.caller,
            origin: .init(request: store.newID(), address: IPAddress("192.0.2.1"), userAgent: "test/1"),
            receivedAt: clock.now()
        )
    }

    /// The newest grant of an organization.
    package func grant(in organization: TestOrganization) async throws -> GrantID {
        let rows = try await owner.query(
            "SELECT id FROM grants WHERE organization_id = \(organization.id) ORDER BY created_at DESC, id DESC LIMIT 1"
        )
        guard let row = rows.first else { throw NotThere(what: "a grant") }
        return try row.decode("id")
    }

    /// Who keeps that grant's secret, as if they had signed in.
    package func custodian(of grant: GrantID) async throws -> SessionCaller {
        let rows = try await owner.query(
            """
            SELECT c.organization_id, o.name, c.id, c.role, c.username, c.person_id FROM grants g
            JOIN users u ON u.id = g.user_id JOIN users c ON c.id = u.custodian_id
            JOIN organizations o ON o.id = c.organization_id WHERE g.id = \(grant)
            """
        )
        guard let row = rows.first else { throw NotThere(what: "a custodian") }
        let now = clock.now()
        guard let role = Role(rawValue: try row.decode("role")) else { throw NotThere(what: "a role") }
        return SessionCaller(
            organization: try row.decode("organization_id"),
            organizationName: try row.decode("name"),
            user: try row.decode("id"),
            role: role,
            username: try row.decode("username"),
            person: try row.decode("person_id"),
            session: store.newID(),
            digestPrefix: "00000000",
            authenticatedAt: now,
            expiresAt: now + SessionTerms.absolute,
            hasSecondFactor: false,
            claimingBlockedUntil: nil
        )
    }

    /// Claims a link of that grant as its custodian; nil where it opens nothing.
    package func claim(_ link: OpaqueSecret, of grant: GrantID) async throws -> SecretClaim.Claimed? {
        try await store.claim(link, from: .init(), by: try await custodian(of: grant))
    }

    /// Makes a claim link, claims it as the custodian, and returns what the integration then signs in with.
    package func claimedSecret(
        of grant: GrantID,
        in organization: TestOrganization,
        by admin: TestAccount
    ) async throws -> OpaqueSecret {
        let link = try await store.perform(
            ClaimLinkCreation(for: grant, by: admin.caller, attribution(of: admin), in: store),
            in: organization.id
        )
        guard let claimed = try await claim(link.secret, of: grant) else {
            throw NotThere(what: "the link just made")
        }
        return claimed.secret
    }

    /// Changes terms of an integration as that admin.
    package func change(
        _ integration: IntegrationID,
        in organization: TestOrganization,
        by admin: TestAccount,
        _ edit: (inout IntegrationTerms) -> Void
    ) async throws {
        guard let current = try await store.read(as: organization.id, { try await $0.integration(integration) }) else {
            throw NotThere(what: "the integration")
        }
        var terms = current.terms
        edit(&terms)
        _ = try await store.perform(
            IntegrationUpdate(of: integration, version: current.version, to: terms, by: attribution(of: admin)),
            in: organization.id
        )
    }
}

extension StoreFixture {
    /// The database's clock, by which everything is judged.
    package func databaseNow() async throws -> Timestamp {
        try await owner.query("SELECT clock_timestamp() AS now")[0].decode("now")
    }
}
