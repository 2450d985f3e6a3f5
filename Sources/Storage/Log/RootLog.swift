package import Domain
import Postgres
package import Transparency

// The root log holds the checkpoints of all organizations' logs. Its rows are those of an organization that there is not:
// nobody's transaction sees them but one that names it.

extension OrganizationID {
    /// Whose the root log is: nobody's.
    package static let root = OrganizationID.lowest
}

extension OrganizationTransaction {
    /// Keeps a published checkpoint, and has it wait for the root log. Once for each checkpoint.
    func anchor(_ signed: SignedCheckpoint) async throws {
        guard let binding = CheckpointBinding(salt: store.randomness.bytes(CheckpointBinding.saltLength)) else {
            return
        }
        let leaf = binding.leaf(of: signed.checkpoint)
        _ = try await query(
            """
            WITH kept AS (
                INSERT INTO audit_checkpoints (organization_id, leaf_hash, size, note, salt, published_at)
                SELECT \(organization), \(MerkleHash.leaf(leaf).bytes), \(Int64(signed.checkpoint.size)),
                    \(signed.note.bytes), \(binding.salt), \(startedAt)
                WHERE NOT EXISTS (SELECT FROM audit_checkpoints c WHERE c.organization_id = \(organization)
                    AND c.size = \(Int64(signed.checkpoint.size)) AND c.note = \(signed.note.bytes))
                RETURNING 1)
            SELECT anchor_checkpoint(\(leaf)) FROM kept
            """
        )
    }

    /// A bundle of the root log's leaves.
    func rootBundle(_ place: BundleCoordinate) async throws -> [UInt8]? {
        let first = Int64(place.firstEntry)
        let rows = try await query(
            """
            SELECT leaf FROM root_leaves
            WHERE organization_id = \(organization) AND leaf_index >= \(first)
                AND leaf_index < \(first + Int64(place.width))
            ORDER BY leaf_index
            """
        )
        guard rows.count == place.width else {
            throw ImpossibleRows(description: "root_leaves has \(rows.count) leaves from \(first) on, more were signed")
        }
        return try EntryBundle.encode(try rows.map { try $0.decode("leaf") })
    }

    /// The root log's leaves from `first` on and before `end`, by their indexes; those that are not there are left out.
    package func rootLeaves(from first: Int, before end: Int) async throws -> [Int: [UInt8]] {
        let rows = try await query(
            """
            SELECT leaf_index, leaf FROM root_leaves
            WHERE organization_id = \(organization) AND leaf_index >= \(Int64(first)) AND leaf_index < \(Int64(end))
            """
        )
        var leaves: [Int: [UInt8]] = [:]
        for row in rows { leaves[Int(try row.decode("leaf_index", as: Int64.self))] = try row.decode("leaf") }
        return leaves
    }

    /// The leaves that wait, taken in the transaction that gives them their index.
    func takeRootPending() async throws -> (batch: PendingBatch, leaves: [Int64: [UInt8]]) {
        let results = try await pipeline([
            """
            SELECT leadership, size, root FROM audit_logs WHERE organization_id = \(organization) FOR NO KEY UPDATE
            """,
            """
            DELETE FROM root_pending
            WHERE organization_id = \(organization) AND id IN (
                SELECT id FROM root_pending WHERE organization_id = \(organization)
                ORDER BY id LIMIT \(Int64(Sequencer.largestBatch)))
            RETURNING id, leaf
            """,
        ])
        let log = try results[0].only()
        var leaves: [Int64: [UInt8]] = [:]
        let pending = try results[1].map { row in
            let position = try row.decode("id", as: Int64.self)
            let leaf = try row.decode("leaf", as: [UInt8].self)
            leaves[position] = leaf
            return PendingLeaf(position: position, hash: MerkleHash.leaf(leaf))
        }
        let batch = PendingBatch(
            size: Int(try log.decode("size", as: Int64.self)),
            root: try log.merkleHash("root"),
            epoch: try log.decode("leadership"),
            leaves: pending
        )
        return (batch, leaves)
    }

    /// What gives the batch's leaves their indexes.
    func rootIndexing(_ batch: SequencedBatch, _ leaves: [Int64: [UInt8]]) throws -> SQL {
        let ordered = try batch.positions.map { position in
            guard let leaf = leaves[position] else { throw Fenced() }
            return leaf
        }
        return """
            WITH written AS (
                INSERT INTO root_leaves (organization_id, leaf_index, leaf, leaf_hash)
                SELECT \(organization), \(Int64(batch.oldSize)) + n.place - 1, n.leaf, sha256('\\x00'::bytea || n.leaf)
                FROM unnest(\(ordered)) WITH ORDINALITY AS n(leaf, place)
                RETURNING 1)
            SELECT count(*) AS written FROM written
            """
    }
}

/// What somebody else said of a root checkpoint.
package enum RootAttestation: Hashable, Sendable {
    /// A witness' signature line, and when it says it signed.
    case cosignature(NoteSignature, seconds: Int)
    /// A time stamp, by the name under which the authority is configured.
    case timestamp(TimestampToken, authority: String)
}

/// A root checkpoint with all that is kept of it.
package struct AttestedRoot: Sendable {
    /// With the cosignatures.
    package let signed: SignedCheckpoint
    package let publishedAt: Timestamp
    package let timestamps: [(authority: String, token: TimestampToken)]
}

extension Store {
    /// Keeps what an attester said of a root checkpoint that this deployment signed. Whoever calls has verified it.
    package func keep(_ attestation: RootAttestation, of signed: SignedCheckpoint, publishedAt: Timestamp) async throws
    {
        let (kind, name, content, seconds) =
            switch attestation {
            case .cosignature(let line, let seconds):
                ("cosignature", line.name.text, Array(line.line.utf8), Int64(seconds))
            case .timestamp(let token, let authority): ("timestamp", authority, token.bytes, Int64(token.time))
            }
        let size = Int64(signed.checkpoint.size)
        try await read(as: .root) { transaction in
            _ = try await transaction.pipeline([
                """
                INSERT INTO root_checkpoints (size, note, published_at)
                VALUES (\(size), \(signed.note.bytes), \(publishedAt)) ON CONFLICT DO NOTHING
                """,
                """
                INSERT INTO root_attestations (size, kind, attester, content, attested_at)
                VALUES (\(size), \(kind), \(name), \(content), to_timestamp(\(seconds))) ON CONFLICT DO NOTHING
                """,
            ])
        }
    }

    /// The size of the newest root checkpoint that this attester vouched for; 0 for none.
    package func attestedSize(of kind: String, by attester: String) async throws -> Int {
        try await read(as: .root) { transaction in
            let row = try await transaction.query(
                """
                SELECT coalesce(max(size), 0) AS size FROM root_attestations
                WHERE organization_id = \(transaction.organization) AND kind = \(kind) AND attester = \(attester)
                """
            ).only()
            return Int(try row.decode("size", as: Int64.self))
        }
    }
}

extension OrganizationTransaction {
    /// The newest root checkpoint that somebody vouched for, as the root's transaction sees it; nil where nobody did.
    func attestedRoot(ofSize size: Int? = nil) async throws -> AttestedRoot? {
        let rows = try await query(
            """
            SELECT c.size, c.note, c.published_at FROM root_checkpoints c
            WHERE c.organization_id = \(organization)
                AND (\(size.map { Int64($0) } as Int64?) IS NULL OR c.size = \(size.map { Int64($0) } as Int64?))
            ORDER BY c.size DESC LIMIT 1
            """
        )
        guard let row = rows.first, let signed = try row.signedCheckpoint("note") else { return nil }
        return try await attested(signed, publishedAt: try row.decode("published_at"))
    }

    /// The checkpoint with what is kept of it.
    func attested(_ signed: SignedCheckpoint, publishedAt: Timestamp) async throws -> AttestedRoot {
        let rows = try await query(
            """
            SELECT kind, attester, content FROM root_attestations
            WHERE organization_id = \(organization) AND size = \(Int64(signed.checkpoint.size))
            ORDER BY kind, attester
            """
        )
        var note = signed.note
        var timestamps: [(authority: String, token: TimestampToken)] = []
        for row in rows {
            let content = try row.decode("content", as: [UInt8].self)
            if try row.decode("kind", as: String.self) == "timestamp" {
                timestamps.append((try row.decode("attester"), try TimestampToken(parsing: content)))
            } else {
                let lines = try SignedNote(parsing: note.text + [0x0A] + content)
                for signature in lines.signatures { note = try note.adding(signature) }
            }
        }
        return AttestedRoot(signed: try SignedCheckpoint(note), publishedAt: publishedAt, timestamps: timestamps)
    }
}
