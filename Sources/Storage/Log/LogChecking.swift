package import Domain
import Postgres
import Transparency

/// What the database has under one index of a log.
package struct CheckedEntry: Sendable {
    package let index: Int
    /// As search knows it: columns of `audit_index`.
    package let searched: LeafColumns
    /// nil where `audit_entries` has no such entry.
    package let entry: Entry?

    /// The row of `audit_entries`.
    package struct Entry: Sendable {
        package let leaf: [UInt8]
        /// The columns beside the leaf.
        package let columns: LeafColumns
    }
}

/// An entry that is not in its place between commit and index.
package enum StrayEntry: Hashable, Sendable {
    /// It is in no log, and waits for none: what would have put it there was taken away.
    case waitsNowhere(AuditEntryID)
    /// It waits under a hash that is not its leaf's.
    case waitsAltered(AuditEntryID)
    /// Something waits that is no entry, or has its index already.
    case waitsForNothing(AuditEntryID)
    /// An index that the log does not have.
    case beyond(AuditEntryID, index: Int)
}

extension OrganizationTransaction {
    /// What is under the indexes from `first` on and before `end`, in their order; those that are not there are left out.
    package func indexedEntries(from first: Int, before end: Int) async throws -> [CheckedEntry] {
        let rows = try await query(
            """
            SELECT i.leaf_index, i.entry_id, i.recorded_at, i.actor_id, i.action, i.target_id, i.person_id, i.outcome,
                e.leaf, e.actor_id AS entry_actor_id, e.action AS entry_action, e.target_id AS entry_target_id,
                e.person_id AS entry_person_id, e.outcome AS entry_outcome
            FROM audit_index i
            LEFT JOIN audit_entries e ON (e.organization_id, e.id, e.recorded_at)
                = (i.organization_id, i.entry_id, i.recorded_at)
            WHERE i.organization_id = \(organization)
                AND i.leaf_index >= \(Int64(first)) AND i.leaf_index < \(Int64(end))
            ORDER BY i.leaf_index
            """
        )
        return try rows.map { row in
            CheckedEntry(
                index: Int(try row.decode("leaf_index", as: Int64.self)),
                searched: try row.leafColumns(""),
                entry: try row.decode("leaf", as: [UInt8]?.self).map {
                    CheckedEntry.Entry(leaf: $0, columns: try row.leafColumns("entry_"))
                }
            )
        }
    }

    /// Which of these digests name no blob, or one that is something else.
    package func missingBlobs(of digests: [[UInt8]]) async throws -> [[UInt8]] {
        let rows = try await query(
            """
            SELECT n.digest FROM unnest(\(digests)) AS n(digest)
            WHERE NOT EXISTS (SELECT FROM audit_blobs b WHERE b.organization_id = \(organization)
                AND b.digest = n.digest AND sha256(b.bytes) = n.digest)
            """
        )
        return try rows.map { try $0.decode("digest") }
    }

    /// Entries, places in the queue and indexes that nobody would have left so, at most `most` of each kind. Reads every
    /// entry once.
    package func strayEntries(most: Int) async throws -> [StrayEntry] {
        let results = try await pipeline([
            """
            SELECT e.id, p.entry_id IS NULL AS is_nowhere FROM audit_entries e
            LEFT JOIN audit_pending p ON p.organization_id = e.organization_id AND p.entry_id = e.id
            WHERE e.organization_id = \(organization)
                AND NOT EXISTS (SELECT FROM audit_index i
                    WHERE i.organization_id = e.organization_id AND i.entry_id = e.id)
                AND (p.entry_id IS NULL OR p.leaf_hash <> sha256('\\x00'::bytea || e.leaf))
            ORDER BY e.id LIMIT \(most)
            """,
            """
            SELECT p.entry_id AS id FROM audit_pending p
            WHERE p.organization_id = \(organization) AND (
                NOT EXISTS (SELECT FROM audit_entries e
                    WHERE (e.organization_id, e.id, e.recorded_at) = (p.organization_id, p.entry_id, p.recorded_at))
                OR EXISTS (SELECT FROM audit_index i
                    WHERE i.organization_id = p.organization_id AND i.entry_id = p.entry_id))
            ORDER BY p.id LIMIT \(most)
            """,
            """
            SELECT i.entry_id AS id, i.leaf_index FROM audit_index i
            JOIN audit_logs l ON l.organization_id = i.organization_id
            WHERE i.organization_id = \(organization) AND (i.leaf_index >= l.size OR i.leaf_index < 0)
            ORDER BY i.leaf_index LIMIT \(most)
            """,
        ])
        return try results[0].map {
            try $0.decode("is_nowhere") ? .waitsNowhere(try $0.decode("id")) : .waitsAltered(try $0.decode("id"))
        } + results[1].map { .waitsForNothing(try $0.decode("id")) }
            + results[2].map {
                .beyond(try $0.decode("id"), index: Int(try $0.decode("leaf_index", as: Int64.self)))
            }
    }
}

extension PostgresRow {
    /// The columns of an entry under names with this prefix; id and time have none.
    fileprivate func leafColumns(_ prefix: String) throws -> LeafColumns {
        LeafColumns(
            id: try decode("entry_id"),
            recordedAt: try decode("recorded_at"),
            actor: try decode(prefix + "actor_id"),
            action: try decode(prefix + "action"),
            target: try decode(prefix + "target_id"),
            person: try decode(prefix + "person_id"),
            outcome: try decode(prefix + "outcome")
        )
    }
}
