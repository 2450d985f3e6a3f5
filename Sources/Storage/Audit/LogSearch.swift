package import Domain
import Postgres

/// The two ways in which a log is searched. Raw values stand in addresses, cursors and saved queries.
package enum SearchMode: String, Sendable, CaseIterable {
    /// In the order of indexes, oldest first: complete, and without an end, because the log grows.
    case tail
    /// Newest first by time of recording, among the entries that a log of one size holds: the same answer whenever it is
    /// asked.
    case range
}

/// What of a question an index can answer. The rest is asked of each entry that is read.
package struct SearchNarrowing: Sendable, Hashable {
    package var target: IDBits?
    package var actor: UserID?
    package var person: PersonID?
    package var action: AuditAction?
    /// Recorded at or after.
    package var since: Timestamp?
    /// Recorded at or before.
    package var until: Timestamp?

    package init() {}
}

/// An entry that has an index.
package struct FoundEntry: Sendable {
    package let index: Int
    package var view: AuditEntryView
}

/// What one statement of a search looked at.
package struct SearchStep: Sendable {
    package let found: [FoundEntry]
    /// The index before which a tail has looked at everything; of a range nothing.
    package let next: Int
    /// Whether there was nothing more to look at.
    package let isEnd: Bool
}

extension OrganizationTransaction {
    /// Rows of the index that one statement of a tail looks at.
    package static let tailWindow = 2_000
    /// Entries that one statement of a range reads.
    package static let rangeStep = 500
    /// No statement of a search needs it: each reads a bounded number of rows by an index.
    private static let searchTimeout = Duration.seconds(5)

    /// How many entries of the log have an index.
    package func logSize() async throws -> Int {
        let rows = try await query("SELECT size FROM audit_logs WHERE organization_id = \(organization)")
        return Int(try rows.first?.decode("size", as: Int64.self) ?? 0)
    }

    /// Has the statements that follow in this transaction end after a time that none of a search needs.
    package func boundSearch() async throws {
        let milliseconds = String(Int(Self.searchTimeout / .milliseconds(1)))
        _ = try await query("SELECT set_config('statement_timeout', \(milliseconds), true)")
    }

    /// Entries from `index` on, in the order of indexes, out of at most ``tailWindow``.
    package func tail(from index: Int, _ narrowing: SearchNarrowing, size: Int) async throws -> SearchStep {
        let end = min(size, index + Self.tailWindow)
        guard index < end else { return SearchStep(found: [], next: index, isEnd: true) }
        let rows = try await query(Self.tailStatement(organization, from: index, to: end, narrowing))
        return SearchStep(found: try found(rows), next: end, isEnd: end == size)
    }

    /// Entries before `position`, newest first, at most ``rangeStep``, of a log of that size.
    package func range(
        before position: AuditPosition?,
        _ narrowing: SearchNarrowing,
        size: Int
    ) async throws -> SearchStep {
        let rows = try await query(Self.rangeStatement(organization, before: position, narrowing, size: size))
        return SearchStep(found: try found(rows), next: size, isEnd: rows.count < Self.rangeStep)
    }

    private func found(_ rows: PostgresRows) throws -> [FoundEntry] {
        try rows.map { row in
            FoundEntry(index: Int(try row.decode("leaf_index", as: Int64.self)), view: try AuditEntryView(row))
        }
    }

    /// The entry of a row of the index. `OFFSET 0` keeps it a look-up for each row: as a join the planner may choose to
    /// read all entries of a month, and cost then goes with the log and not with what is asked.
    static func leafOf(_ row: SQL) -> SQL {
        """
        SELECT q.id, q.recorded_at, q.leaf FROM audit_entries q
        WHERE (q.organization_id, q.id, q.recorded_at) = (\(row).organization_id, \(row).entry_id, \(row).recorded_at)
        OFFSET 0
        """
    }

    static func tailStatement(
        _ organization: OrganizationID,
        from: Int,
        to: Int,
        _ narrowing: SearchNarrowing
    ) -> SQL {
        """
        SELECT i.leaf_index, e.id, e.recorded_at, e.leaf FROM audit_index i
        CROSS JOIN LATERAL (\(leafOf("i"))) e
        WHERE i.organization_id = \(organization) AND i.leaf_index >= \(Int64(from)) AND i.leaf_index < \(Int64(to))
            AND \(narrowing.times) AND \(narrowing.columns)
        ORDER BY i.leaf_index
        """
    }

    /// One column at most narrows, that of the index which is read: two of them could make the statement read without end
    /// for entries that have both.
    static func rangeStatement(
        _ organization: OrganizationID,
        before position: AuditPosition?,
        _ narrowing: SearchNarrowing,
        size: Int
    ) -> SQL {
        let behind: SQL =
            position.map { "(i.recorded_at, i.entry_id) < (\($0.recordedAt), \($0.id))" } ?? "true"
        return """
            SELECT found.leaf_index, e.id, e.recorded_at, e.leaf FROM (
                SELECT i.organization_id, i.leaf_index, i.entry_id, i.recorded_at FROM audit_index i
                WHERE i.organization_id = \(organization) AND \(behind) AND \(narrowing.times)
                    AND \(narrowing.best) AND i.leaf_index < \(Int64(size))
                ORDER BY i.recorded_at DESC, i.entry_id DESC LIMIT \(Self.rangeStep)) AS found
            CROSS JOIN LATERAL (\(leafOf("found"))) e
            ORDER BY e.recorded_at DESC, e.id DESC
            """
    }
}

extension SearchNarrowing {
    fileprivate var times: SQL {
        var conditions: [SQL] = ["true"]
        if let since { conditions.append("i.recorded_at >= \(since)") }
        if let until { conditions.append("i.recorded_at <= \(until)") }
        return SQL.join(conditions, separator: " AND ")
    }

    /// In the order in which they leave least.
    private var each: [SQL] {
        var conditions: [SQL] = []
        if let target { conditions.append("i.target_id = \(target)") }
        if let person { conditions.append("i.person_id = \(person)") }
        if let actor { conditions.append("i.actor_id = \(actor)") }
        if let action { conditions.append("i.action = \(action.description)") }
        return conditions
    }

    fileprivate var columns: SQL { SQL.join(["true"] + each, separator: " AND ") }
    fileprivate var best: SQL { each.first ?? "true" }
}
