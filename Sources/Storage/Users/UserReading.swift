package import Domain
import Postgres

/// An account that acts: a person's own, or one of an integration or a source.
package struct UserView: Sendable {
    package let id: UserID
    package let kind: UserKind
    package let role: Role
    package let username: String
    /// Whose account it is, or for whom it exists.
    package let person: PersonID?
    package let integration: IntegrationID?
    package let source: SourceID?
    /// The member who may claim the secrets of its grants.
    package let custodian: UserID?
    package let status: UserStatus
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let deactivatedAt: Timestamp?
}

extension OrganizationTransaction {
    /// The next users behind `after`, oldest first.
    package func users(after: UserID?, most: Int) async throws -> [UserView] {
        let rows = try await query(Self.userColumns + " WHERE id > \(after ?? .lowest) ORDER BY id LIMIT \(most)")
        return try rows.map { try UserView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func user(_ id: UserID) async throws -> UserView? {
        let rows = try await query(Self.userColumns + " WHERE id = \(id)")
        return try rows.first.map { try UserView(row: $0) }
    }

    private static var userColumns: SQL {
        """
        SELECT id, kind, role, username, person_id, integration_id, source_id, custodian_id, status, created_at, updated_at,
            deactivated_at
        FROM users
        """
    }
}

extension UserView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            kind: try row.word("kind"),
            role: try row.word("role"),
            username: try row.decode("username"),
            person: try row.decode("person_id"),
            integration: try row.decode("integration_id"),
            source: try row.decode("source_id"),
            custodian: try row.decode("custodian_id"),
            status: try row.word("status"),
            createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at"),
            deactivatedAt: try row.decode("deactivated_at")
        )
    }
}
