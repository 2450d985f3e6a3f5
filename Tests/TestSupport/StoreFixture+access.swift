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

    /// Makes a claim link, claims it, and returns what the integration then signs in with.
    package func claimedSecret(
        of grant: GrantID,
        in organization: TestOrganization,
        by admin: TestAccount
    ) async throws -> OpaqueSecret {
        let link = try await store.perform(
            ClaimLinkCreation(for: grant, by: admin.caller, attribution(of: admin), in: store),
            in: organization.id
        )
        guard let claimed = try await store.claim(link.secret, from: .init()) else {
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
