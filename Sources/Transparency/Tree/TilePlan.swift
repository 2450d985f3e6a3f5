/// Which tiles a proof or a root is made of. Reading them is the caller's: from a table, a directory, over HTTP.
package struct TilePlan: Hashable, Sendable {
    /// Size of the tree that the tiles belong to.
    package let size: Int
    /// What has to be read, each once. A wider tile of the same place will do.
    package let tiles: [TileCoordinate]
    /// Leaves under each hash that is wanted.
    private let ranges: [Range<Int>]

    /// The root of a tree of that size, from the tiles of that or a larger tree.
    package static func root(ofSize size: Int) throws(TreeError) -> TilePlan {
        guard (0...TileTree.largestSize).contains(size) else { throw .outside(index: 0, size: size) }
        return TilePlan(size: size, ranges: size == 0 ? [] : [0..<size])
    }

    /// The inclusion proof of a leaf (RFC 9162 section 2.1.3.1), sibling first.
    package static func inclusion(of index: Int, inSize size: Int) throws(TreeError) -> TilePlan {
        guard (0...TileTree.largestSize).contains(size), (0..<size).contains(index) else {
            throw .outside(index: index, size: size)
        }
        var (low, high) = (0, size)
        var ranges: [Range<Int>] = []
        while high - low > 1 {
            let middle = low + split(high - low)
            if index < middle {
                ranges.append(middle..<high)
                high = middle
            } else {
                ranges.append(low..<middle)
                low = middle
            }
        }
        return TilePlan(size: size, ranges: ranges.reversed())
    }

    /// The consistency proof between two sizes (RFC 9162 section 2.1.4.1). Refuses to prove from the empty tree, with
    /// which every tree is consistent, and backwards.
    package static func consistency(from old: Int, to size: Int) throws(TreeError) -> TilePlan {
        guard old > 0, old <= size, size <= TileTree.largestSize else { throw .outside(index: old, size: size) }
        var (low, high) = (0, size)
        var ranges: [Range<Int>] = []
        while old != high {
            let middle = low + split(high - low)
            if old <= middle {
                ranges.append(middle..<high)
                high = middle
            } else {
                ranges.append(low..<middle)
                low = middle
            }
        }
        // The old tree as a whole is what the verifier brings along.
        if low > 0 { ranges.append(low..<high) }
        return TilePlan(size: size, ranges: ranges.reversed())
    }

    private init(size: Int, ranges: [Range<Int>]) {
        (self.size, self.ranges) = (size, ranges)
        var seen: Set<TileCoordinate> = []
        tiles = ranges.flatMap { Self.subtrees(of: $0) }.map { $0.place(inSize: size).tile }
            .filter { seen.insert($0).inserted }
    }

    /// The hashes that are wanted, in the order of the proof. Refuses a missing tile.
    package func hashes(from tiles: [Tile]) throws(TreeError) -> [MerkleHash] {
        var held: [TileCoordinate: Tile] = [:]
        for wanted in self.tiles {
            let found = tiles.first { $0.coordinate.level == wanted.level && $0.coordinate.index == wanted.index }
            guard let tile = found?.narrowed(to: wanted.width) else { throw .tileMissing(wanted) }
            held[wanted] = tile
        }
        var out: [MerkleHash] = []
        for range in ranges {
            var right: MerkleHash?
            for subtree in Self.subtrees(of: range).reversed() {
                let (wanted, places) = subtree.place(inSize: size)
                guard let tile = held[wanted] else { throw .tileMissing(wanted) }
                let hash = MerkleHash.root(over: tile.hashes[places])
                right = right.map { MerkleHash.node(hash, $0) } ?? hash
            }
            out.append(right ?? .empty)
        }
        return out
    }

    /// The largest power of two below `count`, which is 2 or more.
    private static func split(_ count: Int) -> Int { 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount) }

    /// The full subtrees that leaves consist of, largest first. Leaves of proofs begin where a full one can.
    private static func subtrees(of range: Range<Int>) -> [Subtree] {
        var out: [Subtree] = []
        var low = range.lowerBound
        while low < range.upperBound {
            let level = Int.bitWidth - 1 - (range.upperBound - low).leadingZeroBitCount
            out.append(Subtree(level: level, index: low >> level))
            low += 1 << level
        }
        return out
    }

    /// A full subtree over 2^level leaves.
    private struct Subtree {
        let level: Int
        let index: Int

        /// Its tile, and which hashes there are its leaves.
        func place(inSize size: Int) -> (tile: TileCoordinate, places: Range<Int>) {
            let (tileLevel, above) = level.quotientAndRemainder(dividingBy: TileCoordinate.height)
            let first = index << above
            let tileIndex = first >> TileCoordinate.height
            let left = TileCoordinate.hashes(ofLevel: tileLevel, size: size) - tileIndex << TileCoordinate.height
            let start = first - tileIndex << TileCoordinate.height
            return (
                TileCoordinate(known: tileLevel, tileIndex, min(left, TileCoordinate.fullWidth)),
                start..<(start + 1 << above)
            )
        }
    }
}
