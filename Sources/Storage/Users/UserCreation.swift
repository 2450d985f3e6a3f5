package import Domain
import Postgres
import Transparency

/// Adding a user of an integration that is made for no person. Refused where the integration is not there or the
/// custodian is no active member.
package struct IntegrationUserCreation: SingleChange {
    package typealias Output = UserView

    private let id: UserID
    private let integration: IntegrationID
    private let username: String
    private let custodian: UserID
    private let attribution: Attribution

    /// Refused also where the organization has an active user of that name.
    package init(
        of integration: IntegrationID,
        username: String,
        custodian: UserID,
        by attribution: Attribution,
        in store: Store
    ) {
        id = store.newID()
        self.integration = integration
        self.username = username
        self.custodian = custodian
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (UserView, [Recorded]) {
        try await refuseUnlessThere(in: transaction)
        let now = transaction.startedAt
        _ = try await transaction.query(
            """
            INSERT INTO users (organization_id, id, kind, role, username, integration_id, custodian_id, status, created_at,
                updated_at)
            VALUES (\(transaction.organization), \(id), \(UserKind.integration.rawValue),
                \(Role.integration.rawValue), \(username), \(integration), \(custodian), 'active', \(now), \(now))
            """
        )
        guard let user = try await transaction.user(id) else {
            throw ImpossibleRows(description: "users has no row of \(id), just made")
        }
        let draft = AuditDraft(
            .userCreated,
            .user(id),
            authority: .scope(.usersWrite),
            after: [
                "kind": "integration", "role": "integration", "username": .string(username), "status": "active",
                "integration": .string(integration.description), "custodian": .string(custodian.description),
            ]
        )
        return (user, [Recorded(draft, by: attribution)])
    }

    /// Both locked until the commit: a custodian who leaves at this moment leaves before or after, not in between.
    private func refuseUnlessThere(in transaction: OrganizationTransaction) async throws {
        let results = try await transaction.pipeline([
            "SELECT status FROM integrations WHERE id = \(integration) FOR SHARE",
            "SELECT kind, status FROM users WHERE id = \(custodian) FOR SHARE",
        ])
        var reasons: [ChangeRefusal.Reason] = []
        if results[0].isEmpty { reasons.append(.init("/integration", "There is no such integration.")) }
        let isActiveMember = try results[1].contains { row in
            try row.word("kind", as: UserKind.self) == .member
                && row.word("status", as: UserStatus.self) == .active
        }
        if !isActiveMember { reasons.append(.init("/custodian", "There is no such active member.")) }
        guard reasons.isEmpty else { throw ChangeRefusal.invalid(reasons) }
    }
}
