package import Domain
import Postgres
import Transparency

/// A question to the log that is asked again.
package struct SavedQuery: Sendable {
    package let id: AuditQueryID
    package let name: String
    package let mode: SearchMode
    /// As it was written; nil selects everything.
    package let filter: String?
    package let createdBy: UserID
    package let createdAt: Timestamp

    /// Saved queries of an organization at most.
    package static let most: Int64 = 500
}

extension OrganizationTransaction {
    private static let columns: SQL = "id, name, mode, filter, created_by, created_at"

    /// nil where the organization has none of that id.
    package func savedQuery(_ id: AuditQueryID) async throws -> SavedQuery? {
        let rows = try await query(
            "SELECT \(Self.columns) FROM audit_queries WHERE organization_id = \(organization) AND id = \(id)"
        )
        return try rows.first.map { try SavedQuery($0) }
    }

    /// In the order in which they were saved, the first of them behind `after`.
    package func savedQueries(after: AuditQueryID?, most: Int) async throws -> [SavedQuery] {
        let rows = try await query(
            """
            SELECT \(Self.columns) FROM audit_queries
            WHERE organization_id = \(organization) AND id > \(after ?? .lowest)
            ORDER BY id LIMIT \(most)
            """
        )
        return try rows.map { try SavedQuery($0) }
    }
}

extension SavedQuery {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.decode("id")
        name = try row.decode("name")
        guard let mode = SearchMode(rawValue: try row.decode("mode")) else {
            throw row.refusal(of: "mode", because: .malformed("no mode of a search"))
        }
        self.mode = mode
        filter = try row.decode("filter")
        createdBy = try row.decode("created_by")
        createdAt = try row.decode("created_at")
    }
}

/// Saving a question. Refused where there is one of that name.
package struct QuerySaving: SingleChange {
    package typealias Output = SavedQuery

    private let id: AuditQueryID
    private let name: String
    private let mode: SearchMode
    private let filter: String?
    /// What the filter asks for, without the values, which may be personal.
    private let attributes: [String]
    private let caller: UserID
    private let attribution: Attribution

    /// `filter` is one that can be read; `attributes` are what it asks for.
    package init(
        _ name: String,
        mode: SearchMode,
        filter: String?,
        attributes: [String],
        by caller: Caller,
        _ attribution: Attribution,
        in store: Store
    ) {
        id = store.newID()
        self.name = name
        self.mode = mode
        self.filter = filter
        self.attributes = attributes
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (SavedQuery, [Recorded]) {
        let results = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            "SELECT count(*) AS known FROM audit_queries WHERE organization_id = \(transaction.organization)",
            """
            INSERT INTO audit_queries (organization_id, id, name, mode, filter, created_by, created_at)
            VALUES (\(transaction.organization), \(id), \(name), \(mode.rawValue), \(filter as String?), \(caller),
                \(transaction.startedAt))
            """,
        ])
        guard try results[1].only().decode("known", as: Int64.self) < SavedQuery.most else {
            throw ChangeRefusal.conflict("There are \(SavedQuery.most) saved queries already.")
        }
        let draft = AuditDraft(
            .auditQuerySaved,
            .auditQuery(id),
            authority: .scope(.auditRead),
            after: [
                "mode": .string(mode.rawValue), "filter": .array(attributes.map(JSON.string)),
            ]
        )
        let saved = SavedQuery(
            id: id,
            name: name,
            mode: mode,
            filter: filter,
            createdBy: caller,
            createdAt: transaction.startedAt
        )
        return (saved, [Recorded(draft, by: attribution)])
    }
}

/// Forgetting a saved question.
package struct QueryRemoval: SingleChange {
    package typealias Output = Void

    private let id: AuditQueryID
    private let attribution: Attribution

    package init(of id: AuditQueryID, by attribution: Attribution) {
        self.id = id
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let removed = try await transaction.query(
            """
            DELETE FROM audit_queries WHERE organization_id = \(transaction.organization) AND id = \(id)
            RETURNING mode
            """
        )
        guard let row = removed.first else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .auditQueryRemoved,
            .auditQuery(id),
            authority: .scope(.auditRead),
            before: ["mode": .string(try row.decode("mode"))]
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}
