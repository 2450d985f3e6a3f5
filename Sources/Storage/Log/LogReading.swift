package import Domain
import Postgres
package import Transparency

/// A log as those see it who may read it.
package struct LogView: Sendable {
    package let origin: String
    /// Entries that have an index; the checkpoint may cover fewer.
    package let size: Int
    package let root: MerkleHash
    /// nil before the first.
    package let signed: SignedCheckpoint?
    package let publishedAt: Timestamp?
    /// What the log says its keys are: whoever verifies gets them from somebody else.
    package let verifierKeys: [String]
    /// Why nothing is signed before an operator has looked.
    package let halted: String?
    /// The keys' word for one another: who believes a former key comes to believe the present one by them.
    package let endorsements: [KeyEndorsement]
}

/// What can be proved of an entry.
package enum EntryReceipt: Sendable {
    case proved(LogProof)
    /// It was committed, and the checkpoint that covers it is still to come.
    case notYet
}

extension OrganizationTransaction {
    /// nil before the log's first leaf has an index.
    package func log() async throws -> LogView? {
        let rows = try await query(
            """
            SELECT origin, size, root, checkpoint, published_at, verifier_keys, halted, key_endorsements FROM audit_logs
            WHERE organization_id = \(organization)
            """
        )
        return try rows.first.map { row in
            LogView(
                origin: try row.decode("origin"),
                size: Int(try row.decode("size", as: Int64.self)),
                root: try row.merkleHash("root"),
                signed: try row.signedCheckpoint("checkpoint"),
                publishedAt: try row.decode("published_at"),
                verifierKeys: try row.decode("verifier_keys"),
                halted: try row.decode("halted"),
                endorsements: try row.keyEndorsements("key_endorsements")
            )
        }
    }

    /// The bytes of a file of the log; nil for one that no checkpoint covers.
    package func logFile(_ file: LogFile) async throws -> [UInt8]? {
        guard let signed = try await log()?.signed else { return nil }
        let size = signed.checkpoint.size
        switch file {
        case .checkpoint: return signed.note.bytes
        case .tile(let place):
            guard let whole = TileCoordinate.at(level: place.level, index: place.index, size: size),
                place.width <= whole.width
            else { return nil }
            return try await tiles([place]).first?.bytes
        case .entries(let place):
            guard let whole = BundleCoordinate.at(index: place.index, size: size), place.width <= whole.width else {
                return nil
            }
            return try await organization == .root ? rootBundle(place) : bundle(place)
        }
    }

    private func bundle(_ place: BundleCoordinate) async throws -> [UInt8]? {
        let first = Int64(place.firstEntry)
        let rows = try await query(
            """
            SELECT e.leaf FROM audit_index i
            JOIN audit_entries e ON (e.organization_id, e.id, e.recorded_at)
                = (i.organization_id, i.entry_id, i.recorded_at)
            WHERE i.organization_id = \(organization)
                AND i.leaf_index >= \(first) AND i.leaf_index < \(first + Int64(place.width))
            ORDER BY i.leaf_index
            """
        )
        guard rows.count == place.width else {
            throw ImpossibleRows(
                description: "audit_index has \(rows.count) entries from \(first) on, \(organization) signed more"
            )
        }
        return try EntryBundle.encode(try rows.map { try $0.decode("leaf") })
    }

    /// The receipt of an entry in the tree that was signed last. nil where the organization has no such entry.
    package func receipt(of entry: AuditEntryID) async throws -> EntryReceipt? {
        let rows = try await query(
            """
            SELECT e.leaf, i.leaf_index FROM audit_entries e
            LEFT JOIN audit_index i ON (i.organization_id, i.entry_id) = (e.organization_id, e.id)
            WHERE e.organization_id = \(organization) AND e.id = \(entry)
            """
        )
        guard let row = rows.first else { return nil }
        guard let index = try row.decode("leaf_index", as: Int64?.self).map({ Int($0) }),
            let signed = try await log()?.signed, signed.checkpoint.size > index
        else { return .notYet }
        let plan = try TilePlan.inclusion(of: index, inSize: signed.checkpoint.size)
        return .proved(
            try LogProof(
                leaf: MerkleHash.leaf(try row.decode("leaf", as: [UInt8].self)),
                index: index,
                signed: signed,
                tiles: try await tiles(plan.tiles)
            )
        )
    }

    /// That the tree which was signed last begins with the one of `oldSize` entries. nil where no such tree was signed yet.
    package func consistency(from oldSize: Int) async throws -> (proof: ConsistencyProof, signed: SignedCheckpoint)? {
        guard let signed = try await log()?.signed, oldSize > 0, oldSize <= signed.checkpoint.size else { return nil }
        let plan = try TilePlan.consistency(from: oldSize, to: signed.checkpoint.size)
        let hashes = try plan.hashes(from: try await tiles(plan.tiles))
        return (ConsistencyProof(oldSize: oldSize, size: signed.checkpoint.size, hashes: hashes), signed)
    }
}
