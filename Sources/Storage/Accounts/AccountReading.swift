package import Domain
import Postgres

/// A member's account as sign-in needs it.
package struct AccountFacts: Sendable {
    package let organization: OrganizationID
    package let user: UserID
    package let username: String
    package let role: Role
    package let person: PersonID?
    package let isActive: Bool
    package let epoch: Int64
    /// nil until a link was used.
    package let password: PasswordHash?
    package let passwordSetAt: Timestamp?
    package let hasSecondFactor: Bool
    package let claimingBlockedUntil: Timestamp?
}

extension OrganizationTransaction {
    /// The active member of that name; nil where there is none, or it belongs to an integration or a source.
    package func account(named username: String) async throws -> AccountFacts? {
        try await account(
            where: "lower(u.username) = lower(\(username)) AND u.status = 'active' AND u.kind = 'member'"
        )
    }

    /// The account of a member, whether or not it has a password yet.
    package func account(of user: UserID) async throws -> AccountFacts? {
        try await account(where: "u.id = \(user) AND u.kind = 'member'")
    }

    private func account(where condition: SQL) async throws -> AccountFacts? {
        let rows = try await query(
            """
            SELECT u.organization_id, u.id, u.username, u.role, u.person_id, u.status = 'active' AS active, u.epoch,
                a.password, a.password_set_at, a.totp_secret IS NOT NULL AS second_factor, a.claiming_blocked_until
            FROM users u LEFT JOIN accounts a ON (a.organization_id, a.user_id) = (u.organization_id, u.id)
            WHERE
            """ + " " + condition
        )
        return try rows.first.map { row in
            AccountFacts(
                organization: try row.decode("organization_id"),
                user: try row.decode("id"),
                username: try row.decode("username"),
                role: try row.word("role"),
                person: try row.decode("person_id"),
                isActive: try row.decode("active"),
                epoch: try row.decode("epoch"),
                password: try row.parseIfPresent("password"),
                passwordSetAt: try row.decode("password_set_at"),
                hasSecondFactor: try row.decode("second_factor"),
                claimingBlockedUntil: try row.decode("claiming_blocked_until")
            )
        }
    }
}

extension SealedPlace {
    /// Where a member's second factor is kept.
    static func secondFactor(of user: UserID, in organization: OrganizationID) -> SealedPlace {
        SealedPlace(organization: organization, row: user.description, field: "accounts.totp")
    }
}
