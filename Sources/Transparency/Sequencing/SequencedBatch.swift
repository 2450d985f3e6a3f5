/// A log as its row and tiles in the database have it.
package struct DatabaseLog: Hashable, Sendable {
    package let size: Int
    package let root: MerkleHash
    /// The tiles of `TileCoordinate.edge(ofSize: size)`.
    package let edge: [Tile]
    /// Whose turn it is.
    package let epoch: Int64
    /// The checkpoint that is served; nil before the first.
    package let published: SignedCheckpoint?

    package init(size: Int, root: MerkleHash, edge: [Tile], epoch: Int64, published: SignedCheckpoint?) {
        (self.size, self.root, self.edge) = (size, root, edge)
        (self.epoch, self.published) = (epoch, published)
    }
}

/// The last checkpoint, as it is kept outside the database in a store that all sequencers share. A store that cannot be
/// reached is no `missing`: then there is nothing to begin with.
package enum OutsideCopy: Hashable, Sendable {
    case missing
    case held(SignedCheckpoint)
}

/// A leaf that waits for its index.
package struct PendingLeaf: Hashable, Sendable {
    /// Its place in the queue: unique for ever, and in no order with the time of its commit.
    package let position: Int64
    package let hash: MerkleHash

    package init(position: Int64, hash: MerkleHash) {
        self.position = position
        self.hash = hash
    }
}

/// Leaves of one log that were taken in an open transaction, and the row of the log that this transaction has locked.
package struct PendingBatch: Hashable, Sendable {
    package let size: Int
    package let root: MerkleHash
    package let epoch: Int64
    package let leaves: [PendingLeaf]

    package init(size: Int, root: MerkleHash, epoch: Int64, leaves: [PendingLeaf]) {
        (self.size, self.root) = (size, root)
        (self.epoch, self.leaves) = (epoch, leaves)
    }
}

/// What one transaction adds to a log.
package struct SequencedBatch: Hashable, Sendable {
    /// What the row of the log has to have for the batch to be written.
    package let epoch: Int64
    package let oldSize: Int
    package let oldRoot: MerkleHash
    /// What it has afterwards.
    package let size: Int
    package let root: MerkleHash
    /// Positions of the leaves; the first gets index `oldSize`, and so on without a gap.
    package let positions: [Int64]
    /// The tiles that are new or wider: full ones, then the edge.
    package let tiles: [Tile]

    /// By position, so that what becomes of a batch does not hang on the order in which it was read.
    static func appending(_ pending: PendingBatch, to old: TileTree) throws(TreeError) -> (SequencedBatch, TileTree) {
        let leaves = pending.leaves.sorted { $0.position < $1.position }
        var tree = old
        var tiles: [Tile] = []
        for leaf in leaves { tiles += try tree.append(leaf.hash) }
        tiles += tree.partialTiles.filter { tile in
            let level = tile.coordinate.level
            return TileCoordinate.hashes(ofLevel: level, size: old.size)
                < TileCoordinate.hashes(ofLevel: level, size: tree.size)
        }
        let batch = SequencedBatch(
            epoch: pending.epoch,
            oldSize: old.size,
            oldRoot: old.root,
            size: tree.size,
            root: tree.root,
            positions: leaves.map(\.position),
            tiles: tiles
        )
        return (batch, tree)
    }
}
