package import Domain
import Postgres

/// An organization as it shows itself.
package struct OrganizationView: Sendable {
    package let id: OrganizationID
    package let slug: Slug
    package let name: String
}

extension OrganizationTransaction {
    /// The transaction's own organization; nil before its row is there.
    package func organization() async throws -> OrganizationView? {
        let rows = try await query("SELECT id, slug, name FROM organizations WHERE id = \(organization)")
        return try rows.first.map { row in
            OrganizationView(id: try row.decode("id"), slug: try row.parse("slug"), name: try row.decode("name"))
        }
    }
}
