package import Domain
import Postgres
package import Transparency

extension Store {
    /// Takes what waits of an organization, at most ``Sequencer/largestBatch`` leaves in the order in which they were
    /// queued, and has `decide` say what is written of it. nil from `decide` undoes the taking, and so is nil returned.
    ///
    /// Leaves are taken by deletion in the transaction that gives them their index, under the locked row of the log: a
    /// leaf whose transaction commits late is taken later, and never skipped.
    package func sequence(
        of organization: OrganizationID,
        _ decide: (PendingBatch) throws -> SequencedBatch?
    ) async throws(LogRowBroken) -> SequencerOutcome? {
        var isWithdrawn = false
        let outcome = try await written(organization) { transaction in
            let taken = try await organization == .root ? nil : transaction.takePending()
            let takenOfRoot = try await organization == .root ? transaction.takeRootPending() : nil
            guard let pending = taken?.batch ?? takenOfRoot?.batch, let batch = try decide(pending) else {
                isWithdrawn = true
                throw Withdrawn()
            }
            let indexing =
                try taken.map { try transaction.indexing(batch, of: $0) }
                ?? transaction.rootIndexing(batch, takenOfRoot?.leaves ?? [:])
            try await transaction.write(batch, indexing)
        }
        return isWithdrawn ? nil : outcome
    }
}

/// Leaves that a transaction took, and which entry each is of.
private struct TakenLeaves {
    let batch: PendingBatch
    let entries: [Int64: (id: AuditEntryID, recordedAt: Timestamp)]
}

extension OrganizationTransaction {
    fileprivate func takePending() async throws -> TakenLeaves {
        let results = try await pipeline([
            """
            SELECT leadership, size, root FROM audit_logs WHERE organization_id = \(organization) FOR NO KEY UPDATE
            """,
            """
            DELETE FROM audit_pending
            WHERE organization_id = \(organization) AND id IN (
                SELECT id FROM audit_pending WHERE organization_id = \(organization)
                ORDER BY id LIMIT \(Int64(Sequencer.largestBatch)))
            RETURNING id, entry_id, recorded_at, leaf_hash
            """,
        ])
        let log = try results[0].only()
        var entries: [Int64: (id: AuditEntryID, recordedAt: Timestamp)] = [:]
        let leaves = try results[1].map { row in
            let position = try row.decode("id", as: Int64.self)
            entries[position] = (try row.decode("entry_id"), try row.decode("recorded_at"))
            return PendingLeaf(position: position, hash: try row.merkleHash("leaf_hash"))
        }
        let batch = PendingBatch(
            size: Int(try log.decode("size", as: Int64.self)),
            root: try log.merkleHash("root"),
            epoch: try log.decode("leadership"),
            leaves: leaves
        )
        return TakenLeaves(batch: batch, entries: entries)
    }

    /// What gives the batch's leaves their indexes, and search its columns.
    fileprivate func indexing(_ batch: SequencedBatch, of taken: TakenLeaves) throws -> SQL {
        let entries = try batch.positions.map { position in
            guard let entry = taken.entries[position] else { throw Fenced() }
            return entry
        }
        return """
            WITH written AS (
                INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, actor_id, action,
                    target_id, person_id, outcome)
                SELECT \(organization), \(Int64(batch.oldSize)) + n.place - 1, e.id, e.recorded_at, e.actor_id,
                    e.action, e.target_id, e.person_id, e.outcome
                FROM unnest(\(entries.map(\.id)), \(entries.map(\.recordedAt)))
                    WITH ORDINALITY AS n(entry_id, recorded_at, place)
                JOIN audit_entries e ON e.organization_id = \(organization) AND e.id = n.entry_id
                    AND e.recorded_at = n.recorded_at
                RETURNING 1)
            SELECT count(*) AS written FROM written
            """
    }

    fileprivate func write(_ batch: SequencedBatch, _ indexing: SQL) async throws {
        let results = try await pipeline([
            indexing,
            """
            INSERT INTO audit_tiles (organization_id, level, tile_index, hashes)
            SELECT \(organization), t.level, t.tile_index, t.hashes
            FROM unnest(\(batch.tiles.map { Int16($0.coordinate.level) }),
                \(batch.tiles.map { Int64($0.coordinate.index) }), \(batch.tiles.map(\.bytes)))
                AS t(level, tile_index, hashes)
            ON CONFLICT (organization_id, level, tile_index) DO UPDATE SET hashes = excluded.hashes
            """,
            """
            UPDATE audit_logs SET size = \(Int64(batch.size)), root = \(batch.root.bytes)
            WHERE organization_id = \(organization) AND leadership = \(batch.epoch)
                AND size = \(Int64(batch.oldSize)) AND root = \(batch.oldRoot.bytes)
            RETURNING organization_id
            """,
        ])
        let written = Int(try results[0].only().decode("written", as: Int64.self))
        guard written == batch.positions.count else {
            throw LogRowBroken(
                organization: organization,
                what: "\(batch.positions.count - written) waiting leaves have no entry"
            )
        }
        if results[2].isEmpty { throw Fenced() }
    }
}
