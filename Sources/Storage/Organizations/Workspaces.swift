package import Domain
import Postgres
import Transparency

/// A part of an organization that grants are attributed to.
package struct WorkspaceView: Sendable {
    package let id: WorkspaceID
    package let slug: Slug
    package let name: String
    package let version: Int64
    package let createdAt: Timestamp
}

extension OrganizationTransaction {
    /// The next workspaces behind `after`, oldest first.
    package func workspaces(after: WorkspaceID?, most: Int) async throws -> [WorkspaceView] {
        let rows = try await query(
            """
            SELECT id, slug, name, version, created_at FROM workspaces
            WHERE id > \(after ?? .lowest)
            ORDER BY id LIMIT \(most)
            """
        )
        return try rows.map { try WorkspaceView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func workspace(_ id: WorkspaceID) async throws -> WorkspaceView? {
        let rows = try await query("SELECT id, slug, name, version, created_at FROM workspaces WHERE id = \(id)")
        return try rows.first.map { try WorkspaceView(row: $0) }
    }
}

extension WorkspaceView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            slug: try row.parse("slug"),
            name: try row.decode("name"),
            version: try row.decode("version"),
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
        let view = WorkspaceView(id: id, slug: slug, name: name, version: 1, createdAt: now)
        return (view, [Recorded(draft, by: attribution)])
    }
}

/// Changing slug or name of a workspace. Refused when it is another version than the caller has seen, and where the slug is
/// taken.
package struct WorkspaceUpdate: SingleChange {
    package typealias Output = WorkspaceView

    private let id: WorkspaceID
    private let expectedVersion: Int64
    private let slug: Slug
    private let name: String
    private let attribution: Attribution

    /// `version` is the one that the caller has seen.
    package init(of id: WorkspaceID, version: Int64, slug: Slug, name: String, by attribution: Attribution) {
        self.id = id
        expectedVersion = version
        self.slug = slug
        self.name = name
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (WorkspaceView, [Recorded]) {
        _ = try await transaction.query("SELECT id FROM workspaces WHERE id = \(id) FOR NO KEY UPDATE")
        guard let before = try await transaction.workspace(id) else { throw ChangeRefusal.notFound }
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        guard before.slug != slug || before.name != name else { return (before, []) }
        _ = try await transaction.query(
            """
            UPDATE workspaces SET slug = \(slug.description), name = \(name), version = version + 1 WHERE id = \(id)
            """
        )
        guard let after = try await transaction.workspace(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .workspaceUpdated,
            .workspace(id),
            authority: .scope(.integrationsWrite),
            before: ["slug": .string(before.slug.description), "name": .string(before.name)],
            after: ["slug": .string(slug.description), "name": .string(name)]
        )
        return (after, [Recorded(draft, by: attribution)])
    }
}

/// Removing a workspace that nothing is, or ever was, attributed to; refused for any other, because the log names it.
package struct WorkspaceRemoval: SingleChange {
    package typealias Output = Void

    private let id: WorkspaceID
    private let attribution: Attribution

    /// The tables that attribute something to it say whether it may go.
    package init(of id: WorkspaceID, by attribution: Attribution) {
        self.id = id
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let removed = try await transaction.query("DELETE FROM workspaces WHERE id = \(id) RETURNING slug, name")
        guard let row = removed.first else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .workspaceRemoved,
            .workspace(id),
            authority: .scope(.integrationsWrite),
            before: ["slug": .string(try row.decode("slug")), "name": .string(try row.decode("name"))]
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}
