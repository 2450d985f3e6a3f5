package import Domain
import Postgres
package import Transparency

/// A worker as their source knows them.
package struct PersonView: Sendable {
    package let id: PersonID
    package let source: SourceID
    package let status: PersonStatus
    /// The canonical person, SCIM's names.
    package let attributes: JSON.Object
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    /// Since when nothing is known of them.
    package let erasedAt: Timestamp?
}

/// Whose data a caller may see.
package enum PeopleReach: Sendable, Hashable {
    case organization
    /// People for whom an integration of the workspace has an active user, and one more where there is one.
    case workspace(WorkspaceID, and: PersonID?)
    case only(PersonID)
    case nobody
}

extension OrganizationTransaction {
    /// The next people behind `after` within reach, in the order in which they became known.
    package func people(within reach: PeopleReach, after: PersonID?, most: Int) async throws -> [PersonView] {
        let rows = try await query(
            Self.people(within: reach) + " AND p.id > \(after ?? .lowest) ORDER BY p.id LIMIT \(most)"
        )
        return try rows.map { try PersonView(row: $0) }
    }

    /// nil where the organization has none of that id, and where it is out of reach: the two cannot be told apart.
    package func person(_ id: PersonID, within reach: PeopleReach) async throws -> PersonView? {
        let rows = try await query(Self.people(within: reach) + " AND p.id = \(id)")
        return try rows.first.map { try PersonView(row: $0) }
    }

    private static func people(within reach: PeopleReach) -> SQL {
        let columns: SQL = """
            SELECT p.id, p.source_id, p.status, p.attributes, p.version, p.created_at, p.updated_at, p.erased_at
            FROM people p WHERE
            """
        switch reach {
        case .organization: return columns + " true"
        case .only(let person): return columns + " p.id = \(person)"
        case .nobody: return columns + " false"
        case .workspace(let workspace, let person):
            return columns + """
                 (p.id = \(person as PersonID?) OR EXISTS (
                    SELECT 1 FROM users u
                    JOIN integrations i ON (i.organization_id, i.id) = (u.organization_id, u.integration_id)
                    WHERE (u.organization_id, u.person_id) = (p.organization_id, p.id) AND u.status = 'active'
                        AND i.workspace_id = \(workspace)))
                """
        }
    }
}

extension PersonView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            source: try row.decode("source_id"),
            status: try row.word("status"),
            attributes: try row.jsonObject("attributes"),
            version: try row.decode("version"),
            createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at"),
            erasedAt: try row.decode("erased_at")
        )
    }
}
