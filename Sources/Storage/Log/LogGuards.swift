import Domain
import Postgres

/// What in the database keeps entries from being rewritten and organizations from seeing each other: speed bumps for who
/// has the database, and a sign that somebody stepped over them where they are not as a migration left them.
package struct LogGuards: Sendable {
    /// What is not as it has to be, in words; empty where all is.
    package let missing: [String]

    /// Tables with the triggers that refuse rewriting them.
    private static let triggers: [(table: String, trigger: String, function: String)] = [
        ("audit_entries", "audit_entries_append_only", "refuse_rewriting"),
        ("audit_entries", "audit_entries_not_truncated", "refuse_rewriting"),
        ("audit_blobs", "audit_blobs_append_only", "refuse_rewriting"),
        ("audit_blobs", "audit_blobs_not_truncated", "refuse_rewriting"),
        ("audit_index", "audit_index_append_only", "refuse_rewriting"),
        ("audit_index", "audit_index_not_truncated", "refuse_rewriting"),
        ("audit_tiles", "audit_tiles_grow", "refuse_regrown_tile"),
        ("audit_checkpoints", "audit_checkpoints_append_only", "refuse_rewriting"),
        ("audit_checkpoints", "audit_checkpoints_not_truncated", "refuse_rewriting"),
        ("root_leaves", "root_leaves_append_only", "refuse_rewriting"),
        ("root_leaves", "root_leaves_not_truncated", "refuse_rewriting"),
        ("root_attestations", "root_attestations_append_only", "refuse_rewriting"),
        ("root_attestations", "root_attestations_not_truncated", "refuse_rewriting"),
    ]
    /// What the functions of those triggers raise; one that does not is another function under the name.
    private static let refusals = [
        ("refuse_rewriting", "RAISE EXCEPTION 'audit entries are never changed or removed'"),
        ("refuse_regrown_tile", "substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes"),
    ]
}

extension Store {
    /// Of the whole database, whichever organization.
    package func logGuards() async throws -> LogGuards {
        try await transaction { transaction, _ in
            let results = try await transaction.pipeline([
                LogGuards.missingTriggers, LogGuards.bareTables, LogGuards.writablePartitions,
            ])
            return LogGuards(missing: try results.flatMap { try $0.map { try $0.decode("missing") } })
        }
    }
}

extension LogGuards {
    /// Each wanted trigger, also on every partition, if it is not there, not enabled, or calls what refuses nothing.
    fileprivate static var missingTriggers: SQL {
        """
        SELECT format('trigger %s on %s does not refuse', wanted.trigger, guarded.oid::regclass) AS missing
        FROM unnest(\(triggers.map(\.table)), \(triggers.map(\.trigger)), \(triggers.map(\.function)))
            AS wanted(on_table, trigger, calls)
        JOIN unnest(\(refusals.map(\.0)), \(refusals.map(\.1))) AS refusal(calls, says) USING (calls)
        CROSS JOIN LATERAL (
            SELECT to_regclass(wanted.on_table)::oid AS oid
            UNION ALL
            SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(wanted.on_table)) AS guarded
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
            WHERE t.tgrelid = guarded.oid AND t.tgname = wanted.trigger AND t.tgenabled IN ('O', 'A')
                AND f.proname = wanted.calls AND strpos(f.prosrc, refusal.says) > 0)
        ORDER BY 1
        """
    }

    /// Tables of organizations that do not keep organizations apart, for everybody.
    fileprivate static var bareTables: SQL {
        """
        SELECT format('row-level security of %s is off', c.oid::regclass) AS missing
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        ORDER BY 1
        """
    }

    /// Rights over the log that a migration does not give.
    fileprivate static var writablePartitions: SQL {
        """
        SELECT format('%s may %s %s', coalesce(grantee.rolname, 'everybody'), acl.privilege_type, c.oid::regclass) AS missing
        FROM pg_class c
        CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
        LEFT JOIN pg_roles grantee ON grantee.oid = acl.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND acl.grantee <> c.relowner
            AND (c.relname LIKE 'audit\\_entries%' OR c.relname IN ('audit_index', 'audit_blobs', 'audit_checkpoints',
                'root_leaves', 'root_checkpoints', 'root_attestations'))
            AND acl.privilege_type NOT IN ('SELECT', 'INSERT')
        ORDER BY 1
        """
    }
}
