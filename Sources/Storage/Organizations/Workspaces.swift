package import Domain
import Postgres
import Transparency

/// A part of an organization that grants are attributed to.
package struct WorkspaceView: Sendable {
    package let id: WorkspaceID
    package let slug: Slug
    package let name: String
    package let createdAt: Timestamp
}

extension OrganizationTransaction {
    /// The next workspaces behind `after`, oldest first.
    package func workspaces(after: WorkspaceID?, most: Int) async throws -> [WorkspaceView] {
        let rows = try await query(
            """
            SELECT id, slug, name, created_at FROM workspaces
            WHERE id > \(after ?? .lowest)
            ORDER BY id LIMIT \(most)
            """
        )
        return try rows.map { try WorkspaceView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func workspace(_ id: WorkspaceID) async throws -> WorkspaceView? {
        let rows = try await query("SELECT id, slug, name, created_at FROM workspaces WHERE id = \(id)")
        return try rows.first.map { try WorkspaceView(row: $0) }
    }
}

extension WorkspaceView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            slug: try row.parse("slug"),
            name: try row.decode("name"),
            createdAt: try row.decode("created_at")
        )
    }
}

/// Adding a workspace. Refused where the slug is taken.
package struct WorkspaceCreation: SingleChange {
    package typealias Output = WorkspaceView

    private let id: WorkspaceID
    private let slug: Slug
    private let name: String
    private let attribution: Attribution

    /// Refused where the organization has a workspace of that slug.
    package init(slug: Slug, name: String, by attribution: Attribution, in store: Store) {
        id = store.newID()
        self.slug = slug
        self.name = name
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (WorkspaceView, [Recorded]) {
        let now = transaction.startedAt
        _ = try await transaction.query(
            """
            INSERT INTO workspaces (organization_id, id, slug, name, created_at)
            VALUES (\(transaction.organization), \(id), \(slug.description), \(name), \(now))
            """
        )
        let draft = AuditDraft(
            .workspaceCreated,
            .workspace(id),
            authority: .scope(.integrationsWrite),
            after: ["slug": .string(slug.description), "name": .string(name)]
        )
        return (WorkspaceView(id: id, slug: slug, name: name, createdAt: now), [Recorded(draft, by: attribution)])
    }
}
