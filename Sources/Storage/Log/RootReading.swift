package import Domain
import Postgres
package import Transparency

/// A checkpoint of an organization's log, and that the root log holds it.
package struct AnchoredCheckpoint: Sendable {
    package let signed: SignedCheckpoint
    package let anchor: CheckpointAnchor
    /// The root checkpoint of the anchor.
    package let root: AttestedRoot
}

extension Store {
    /// How many checkpoints of an organization are looked at for the newest that a root checkpoint covers: as many as may be
    /// published while one is made.
    private static let mostCandidates = 64

    /// The newest checkpoint of the organization that the root log holds: by the newest root checkpoint that somebody vouched
    /// for, and where there is none, or `isLatest`, by the newest of all. nil where the root log holds none of it.
    ///
    /// As the organization what is its own, as nobody what is nobody's: no transaction sees both.
    package func anchoredCheckpoint(
        of organization: OrganizationID,
        isLatest: Bool = false
    ) async throws -> AnchoredCheckpoint? {
        if !isLatest, let root = try await read(as: .root, { try await $0.attestedRoot() }),
            let found = try await anchoredCheckpoint(of: organization, under: root)
        {
            return found
        }
        guard let root = try await rootHead() else { return nil }
        return try await anchoredCheckpoint(of: organization, under: root)
    }

    /// The newest checkpoint of the root log with what is kept of it.
    package func rootHead() async throws -> AttestedRoot? {
        try await read(as: .root) { transaction in
            guard let log = try await transaction.log(), let signed = log.signed, let at = log.publishedAt else {
                return nil
            }
            return try await transaction.attested(signed, publishedAt: at)
        }
    }

    /// A file of the root log; its checkpoint with the cosignatures that it has.
    package func rootFile(_ file: LogFile) async throws -> [UInt8]? {
        if file == .checkpoint { return try await rootHead()?.signed.note.bytes }
        return try await read(as: .root) { try await $0.logFile(file) }
    }

    private func anchoredCheckpoint(
        of organization: OrganizationID,
        under root: AttestedRoot
    ) async throws -> AnchoredCheckpoint? {
        let candidates = try await read(as: organization) { transaction in
            try await transaction.query(
                """
                SELECT note, salt, leaf_hash FROM audit_checkpoints
                WHERE organization_id = \(organization) AND published_at <= \(root.publishedAt)
                ORDER BY size DESC, published_at DESC LIMIT \(Int64(Self.mostCandidates))
                """
            ).map { row in
                (
                    signed: try row.signedCheckpoint("note"), salt: try row.decode("salt", as: [UInt8].self),
                    hash: try row.merkleHash("leaf_hash")
                )
            }
        }
        let size = root.signed.checkpoint.size
        return try await read(as: .root) { transaction in
            let rows = try await transaction.query(
                """
                SELECT leaf_index, leaf_hash FROM root_leaves
                WHERE organization_id = \(transaction.organization)
                    AND leaf_hash = ANY (\(candidates.map(\.hash.bytes))) AND leaf_index < \(Int64(size))
                """
            )
            var indexes: [MerkleHash: Int] = [:]
            for row in rows {
                indexes[try row.merkleHash("leaf_hash")] = Int(try row.decode("leaf_index", as: Int64.self))
            }
            for candidate in candidates {
                guard let index = indexes[candidate.hash], let signed = candidate.signed,
                    let binding = CheckpointBinding(salt: candidate.salt)
                else { continue }
                let tiles = try await transaction.tiles(TilePlan.inclusion(of: index, inSize: size).tiles)
                return AnchoredCheckpoint(
                    signed: signed,
                    anchor: try CheckpointAnchor(
                        signed.checkpoint,
                        by: binding,
                        index: index,
                        in: root.signed,
                        tiles: tiles
                    ),
                    root: root
                )
            }
            return nil
        }
    }
}
