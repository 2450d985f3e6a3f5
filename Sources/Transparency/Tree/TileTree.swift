/// A Merkle tree that grows at its right edge, held as the tiles there that are not full: at most 255 hashes a level,
/// whatever its size. Whoever appends keeps the tiles that come out.
package struct TileTree: Hashable, Sendable {
    /// Leaves.
    package private(set) var size: Int
    /// By level, the hashes of the tile that is not full; fewer than `TileCoordinate.fullWidth` each.
    private var edge: [[MerkleHash]]

    /// Leaves of the largest tree.
    package static let largestSize = 1 << 62

    /// The tree without leaves.
    package init() {
        (size, edge) = (0, [])
    }

    /// A tree that was kept as its size and the tiles at its edge (`TileCoordinate.edge(ofSize:)`, or wider ones at the same
    /// places). Refuses a missing one. Whether they belong together shows in the root.
    package init(size: Int, edge tiles: [Tile]) throws(TreeError) {
        guard (0...Self.largestSize).contains(size) else { throw .outside(index: 0, size: size) }
        var edge = [[MerkleHash]](repeating: [], count: TileCoordinate.highestLevel + 1)
        for place in TileCoordinate.edge(ofSize: size) {
            let found = tiles.first { $0.coordinate.level == place.level && $0.coordinate.index == place.index }
            guard let tile = found?.narrowed(to: place.width) else { throw .tileMissing(place) }
            edge[place.level] = tile.hashes
        }
        while edge.last?.isEmpty == true { edge.removeLast() }
        (self.size, self.edge) = (size, edge)
    }

    /// The tiles that became full by this leaf, from the leaves up; mostly none. Refuses to outgrow `largestSize`.
    package mutating func append(_ leaf: MerkleHash) throws(TreeError) -> [Tile] {
        guard size < Self.largestSize else { throw .outside(index: size, size: size) }
        size += 1
        var full: [Tile] = []
        var hash = leaf
        for level in 0...TileCoordinate.highestLevel {
            if level == edge.count { edge.append([]) }
            edge[level].append(hash)
            guard edge[level].count == TileCoordinate.fullWidth else { break }
            let index = TileCoordinate.hashes(ofLevel: level, size: size) >> TileCoordinate.height - 1
            let tile = Tile(TileCoordinate(known: level, index, TileCoordinate.fullWidth), edge[level])
            full.append(tile)
            edge[level].removeAll(keepingCapacity: true)
            hash = tile.root
        }
        return full
    }

    /// The root over all leaves.
    package var root: MerkleHash {
        var right: MerkleHash?
        for hashes in edge {
            guard !hashes.isEmpty else { continue }
            right = MerkleHash.root(over: right.map { hashes + [$0] } ?? hashes)
        }
        return right ?? .empty
    }

    /// The tiles that are not full, from the leaves up.
    package var partialTiles: [Tile] {
        TileCoordinate.edge(ofSize: size).map { Tile($0, edge[$0.level]) }
    }
}
