package import Domain
import Postgres
import Transparency

/// A place in a log, as somebody says it.
package enum LogPlace: Sendable, Hashable {
    /// An index.
    case index(Int)
    /// The first entry that was recorded at or after.
    case time(Timestamp)
}

/// Entries of a log that follow one another: from an index to before another.
package struct LogStretch: Sendable, Hashable {
    package let from: Int
    package let to: Int
    /// As the log's checkpoints say it.
    package let origin: String

    package init(from: Int, to: Int, origin: String) {
        self.from = from
        self.to = to
        self.origin = origin
    }

    /// The same from and to somewhere within.
    package func cut(to count: Int) -> LogStretch {
        LogStretch(from: from, to: min(to, from + count), origin: origin)
    }
}

/// An entry at its index.
package struct IndexedEntry: Sendable {
    package let index: Int
    package let recordedAt: Timestamp
    /// The exact bytes that were hashed.
    package let leaf: [UInt8]
}

extension OrganizationTransaction {
    /// How far an entry may stand in the log before those that were recorded before it. They differ by what one
    /// transaction is slower than others; nothing comes near it.
    private static let mostDisplaced: Int64 = 10_000

    /// The stretch of the log between two places, as far as the log has indexes now. Empty where `to` is not behind `from`;
    /// nil before the log's first entry has its index.
    ///
    /// A time is where the first entry that was recorded then stands. Entries get their indexes in the order in which
    /// they were committed, so some within may have been recorded before: whoever asked by time leaves those out.
    package func stretch(from: LogPlace?, to: LogPlace?) async throws -> LogStretch? {
        let rows = try await query("SELECT origin, size FROM audit_logs WHERE organization_id = \(organization)")
        guard let row = rows.first else { return nil }
        let size = Int(try row.decode("size", as: Int64.self))
        let first = try await index(of: from ?? .index(0), isEnd: false, size: size)
        let last = try await index(of: to ?? .index(size), isEnd: true, size: size)
        return LogStretch(from: min(first, size), to: max(min(first, size), last), origin: try row.decode("origin"))
    }

    private func index(of place: LogPlace, isEnd: Bool, size: Int) async throws -> Int {
        switch place {
        case .index(let index): return min(index, size)
        case .time(let time): return try await index(at: time, isEnd: isEnd) ?? (isEnd ? 0 : size)
        }
    }

    /// The first index of what was recorded at or after `time`; with `isEnd` the one behind the last of what was recorded
    /// before. One look-up by time, and one among its neighbours for those that were overtaken.
    private func index(at time: Timestamp, isEnd: Bool) async throws -> Int? {
        let anchor: SQL =
            isEnd
            ? """
            (SELECT leaf_index FROM audit_index
             WHERE organization_id = \(organization) AND recorded_at < \(time)
             ORDER BY recorded_at DESC, entry_id DESC LIMIT 1)
            """
            : """
            (SELECT leaf_index FROM audit_index
             WHERE organization_id = \(organization) AND recorded_at >= \(time)
             ORDER BY recorded_at, entry_id LIMIT 1)
            """
        let found = try await query("SELECT \(anchor) AS anchor").only().decode("anchor", as: Int64?.self)
        guard let found else { return nil }
        let wanted: SQL = isEnd ? "max(leaf_index) + 1" : "min(leaf_index)"
        let side: SQL = isEnd ? "recorded_at < \(time)" : "recorded_at >= \(time)"
        let row = try await query(
            """
            SELECT \(wanted) AS place FROM audit_index
            WHERE organization_id = \(organization) AND \(side)
                AND leaf_index BETWEEN \(found - Self.mostDisplaced) AND \(found + Self.mostDisplaced)
            """
        ).only()
        return Int(try row.decode("place", as: Int64.self))
    }

    /// The entries of a stretch. Throws where one is missing: a log has no gaps.
    package func entries(of stretch: LogStretch) async throws -> [IndexedEntry] {
        guard stretch.to > stretch.from else { return [] }
        let rows = try await query(
            """
            SELECT i.leaf_index, i.recorded_at, e.leaf FROM audit_index i
            CROSS JOIN LATERAL (\(Self.leafOf("i"))) e
            WHERE i.organization_id = \(organization)
                AND i.leaf_index >= \(Int64(stretch.from)) AND i.leaf_index < \(Int64(stretch.to))
            ORDER BY i.leaf_index
            """
        )
        guard rows.count == stretch.to - stretch.from else {
            let what = "\(rows.count) entries from \(stretch.from) to \(stretch.to)"
            throw ImpossibleRows(description: "audit_index of \(organization) has \(what)")
        }
        return try rows.map { row in
            IndexedEntry(
                index: Int(try row.decode("leaf_index", as: Int64.self)),
                recordedAt: try row.decode("recorded_at"),
                leaf: try row.decode("leaf")
            )
        }
    }
}
