import Transparency

/// Goes through a whole log once, entry by entry, with one bundle in memory at a time.
struct LogWalk {
    let directory: LogDirectory
    let checkpoint: Checkpoint
    /// Checkpoints of this log that somebody held before, by size.
    let held: [(checkpoint: Checkpoint, file: String)]

    /// Entries and their bytes.
    struct Counts {
        var entries = 0
        var bytes = 0
    }

    init(directory: LogDirectory, checkpoint: Checkpoint, held: [(checkpoint: Checkpoint, file: String)]) {
        (self.directory, self.checkpoint) = (directory, checkpoint)
        self.held = held.sorted { $0.checkpoint.size < $1.checkpoint.size }
    }

    /// Refuses unless every entry is the one that its tile names, every tile is what those below it make, the whole has the
    /// checkpoint's root, and each held checkpoint is of a tree that this one begins with.
    func run() throws -> Counts {
        if let larger = held.last(where: { $0.checkpoint.size > checkpoint.size }) {
            throw Fault(
                .rolledBack,
                directory.checkpointPath,
                "the log has \(checkpoint.size) entries, and had \(larger.checkpoint.size) by \(larger.file)"
            )
        }
        var tree = TileTree()
        var waiting = held[...]
        var counts = Counts()
        try compare(tree, with: &waiting)
        var index = 0
        while let place = BundleCoordinate.at(index: index, size: checkpoint.size) {
            let (hashes, bytes) = try directory.leaves(place)
            try compare(hashes, with: directory.tile(place.tile), in: place)
            for hash in hashes {
                for tile in try tree.append(hash) where tile.coordinate.level > 0 { try compare(tile) }
                if tree.size == waiting.first?.checkpoint.size { try compare(tree, with: &waiting) }
            }
            counts.entries += hashes.count
            counts.bytes += bytes
            index += 1
        }
        for tile in tree.partialTiles where tile.coordinate.level > 0 { try compare(tile) }
        guard tree.root == checkpoint.root else {
            throw Fault(.tree, directory.checkpointPath, "the entries make another root than the one that was signed")
        }
        return counts
    }

    /// Entries against the hashes that the log names for them.
    private func compare(_ hashes: [MerkleHash], with tile: Tile, in place: BundleCoordinate) throws {
        guard hashes != tile.hashes else { return }
        guard let first = hashes.indices.first(where: { hashes[$0] != tile.hashes[$0] }) else { return }
        let isMoved = Set(hashes) == Set(tile.hashes)
        throw Fault(
            .altered,
            LogFile.entries(place).path,
            entry: place.firstEntry + first,
            isMoved
                ? "its entries are in another order than in the log"
                : "the entry does not have the hash that \(LogFile.tile(tile.coordinate).path) names for it"
        )
    }

    /// A tile above the leaves against the one that is made of those below it.
    private func compare(_ made: Tile) throws {
        let found = try directory.tile(made.coordinate)
        guard let first = made.hashes.indices.first(where: { made.hashes[$0] != found.hashes[$0] }) else { return }
        let below = (made.coordinate.index << TileCoordinate.height) + first
        let child = TileCoordinate(
            level: made.coordinate.level - 1,
            index: below,
            width: TileCoordinate.fullWidth
        )
        let name = child.map { LogFile.tile($0).path } ?? "the tile below"
        throw Fault(
            .tree,
            LogFile.tile(made.coordinate).path,
            entry: below << (TileCoordinate.height * made.coordinate.level),
            "its hash \(first) is not that of \(name)"
        )
    }

    /// The tree as far as it is against what was held of that size.
    private func compare(
        _ tree: TileTree,
        with waiting: inout ArraySlice<(checkpoint: Checkpoint, file: String)>
    ) throws {
        while let next = waiting.first, next.checkpoint.size == tree.size {
            guard next.checkpoint.root == tree.root else {
                throw Fault(
                    .forked,
                    next.file,
                    "the log's first \(tree.size) entries are not those that it signed before"
                )
            }
            waiting.removeFirst()
        }
    }
}
