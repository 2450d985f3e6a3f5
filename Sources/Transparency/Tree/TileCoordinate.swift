/// Which hashes of a tree a tile holds (C2SP tlog-tiles, "Merkle Tree"), and how many of them are there.
package struct TileCoordinate: Hashable, Sendable {
    /// 0 holds leaf hashes; each hash of a higher level stands for a full tile of the level below.
    package let level: Int
    /// Place of the tile within its level, from the left.
    package let index: Int
    /// Hashes that are there: `fullWidth`, or fewer at the right edge of a tree.
    package let width: Int

    /// Levels of the tree that one tile spans.
    package static let height = 8
    /// Hashes of a full tile.
    package static let fullWidth = 1 << height
    /// No tree within `TileTree.largestSize` reaches higher.
    package static let highestLevel = 7

    /// Refuses places that no tree within `TileTree.largestSize` has.
    package init?(level: Int, index: Int, width: Int) {
        guard (0...Self.highestLevel).contains(level), index >= 0, (1...Self.fullWidth).contains(width),
            index <= TileTree.largestSize >> (Self.height * (level + 1))
        else { return nil }
        self.init(known: level, index, width)
    }

    /// For places that are computed from a size within bounds.
    init(known level: Int, _ index: Int, _ width: Int) {
        (self.level, self.index, self.width) = (level, index, width)
    }

    package var isFull: Bool { width == Self.fullWidth }

    /// Hashes that a level has in a tree of that size.
    static func hashes(ofLevel level: Int, size: Int) -> Int { size >> (height * level) }

    /// The tile at that place as a tree of that size has it; nil where it has none.
    package static func at(level: Int, index: Int, size: Int) -> TileCoordinate? {
        guard (0...highestLevel).contains(level), index >= 0 else { return nil }
        let left = hashes(ofLevel: level, size: size) - index << height
        return TileCoordinate(level: level, index: index, width: min(left, fullWidth))
    }

    /// The tiles that are not full in a tree of that size, from the leaves up.
    package static func edge(ofSize size: Int) -> [TileCoordinate] {
        (0...highestLevel).compactMap { level in
            let hashes = hashes(ofLevel: level, size: size)
            return hashes % fullWidth == 0 ? nil : TileCoordinate(known: level, hashes >> height, hashes % fullWidth)
        }
    }
}

/// Which entries a bundle holds (C2SP tlog-tiles, "Log entries"): those whose hashes stand in the tile of level 0 of the
/// same place and width.
package struct BundleCoordinate: Hashable, Sendable {
    package let index: Int
    package let width: Int

    /// Refuses places that no tree within `TileTree.largestSize` has.
    package init?(index: Int, width: Int) {
        guard let tile = TileCoordinate(level: 0, index: index, width: width) else { return nil }
        self.init(besides: tile)
    }

    init(besides tile: TileCoordinate) {
        (index, width) = (tile.index, tile.width)
    }

    /// The tile of leaf hashes over the same entries.
    package var tile: TileCoordinate { TileCoordinate(known: 0, index, width) }

    /// Index in the log of the first entry.
    package var firstEntry: Int { index << TileCoordinate.height }

    /// The bundle at that place as a log of that size has it; nil where it has none.
    package static func at(index: Int, size: Int) -> BundleCoordinate? {
        TileCoordinate.at(level: 0, index: index, size: size).map(BundleCoordinate.init(besides:))
    }
}
