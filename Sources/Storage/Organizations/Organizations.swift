package import Domain
import Postgres

/// An organization as it shows itself.
package struct OrganizationView: Sendable {
    package let id: OrganizationID
    package let slug: Slug
    package let terms: OrganizationTerms
    package let version: Int64
    package let createdAt: Timestamp

    package var name: String { terms.name }
}

extension OrganizationTransaction {
    /// The transaction's own organization; nil before its row is there.
    package func organization() async throws -> OrganizationView? {
        let rows = try await query(
            """
            SELECT id, slug, name, approvals, longest_token_lifetime, outside_apps, version, created_at
            FROM organizations WHERE id = \(organization)
            """
        )
        return try rows.first.map { row in
            OrganizationView(
                id: try row.decode("id"),
                slug: try row.parse("slug"),
                terms: try OrganizationTerms(row: row),
                version: try row.decode("version"),
                createdAt: try row.decode("created_at")
            )
        }
    }
}
