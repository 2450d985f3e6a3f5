package import Domain
import Postgres

extension StoreFixture {
    /// Gives every waiting leaf its index, as the sequencer does, but without tiles and checkpoints; returns the log's size.
    @discardableResult
    package func index(_ organization: OrganizationID) async throws -> Int {
        _ = try await owner.query(
            """
            INSERT INTO audit_logs (organization_id, origin, leadership, root, created_at)
            VALUES (\(organization), \("rollcall.test/v1/audit/log/\(organization)"), 1, sha256(''), now())
            ON CONFLICT DO NOTHING
            """
        )
        _ = try await owner.query(
            """
            WITH taken AS (
                DELETE FROM audit_pending WHERE organization_id = \(organization) RETURNING id, entry_id, recorded_at),
            indexed AS (
                INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, actor_id, action, target_id,
                    person_id, outcome)
                SELECT \(organization), l.size + row_number() OVER (ORDER BY t.id) - 1, e.id, e.recorded_at, e.actor_id,
                    e.action, e.target_id, e.person_id, e.outcome
                FROM taken t JOIN audit_entries e ON (e.id, e.recorded_at) = (t.entry_id, t.recorded_at)
                    AND e.organization_id = \(organization)
                JOIN audit_logs l ON l.organization_id = \(organization)
                RETURNING 1)
            UPDATE audit_logs SET size = size + (SELECT count(*) FROM indexed) WHERE organization_id = \(organization)
            """
        )
        return try await number("SELECT size::bigint FROM audit_logs WHERE organization_id = \(organization)")
    }
}
