/// A tile with its hashes. Its bytes are the hashes one after the other.
package struct Tile: Hashable, Sendable {
    package let coordinate: TileCoordinate
    /// As many as the coordinate's width.
    package let hashes: [MerkleHash]

    /// For hashes that were counted.
    init(_ coordinate: TileCoordinate, _ hashes: [MerkleHash]) {
        (self.coordinate, self.hashes) = (coordinate, hashes)
    }

    /// Refuses any other number of bytes than the coordinate's width asks for.
    package init(_ coordinate: TileCoordinate, bytes: some RandomAccessCollection<UInt8>) throws(TreeError) {
        guard bytes.count == coordinate.width * MerkleHash.length else {
            throw .tileMalformed(coordinate, bytes: bytes.count)
        }
        var rest = bytes[...]
        var hashes: [MerkleHash] = []
        hashes.reserveCapacity(coordinate.width)
        while let hash = MerkleHash(rest.prefix(MerkleHash.length)) {
            hashes.append(hash)
            rest = rest.dropFirst(MerkleHash.length)
        }
        self.init(coordinate, hashes)
    }

    package var bytes: [UInt8] { hashes.flatMap(\.bytes) }

    /// The root of the subtree that the tile spans; of a full tile this is one hash of the level above.
    package var root: MerkleHash { MerkleHash.root(over: hashes) }

    /// The tile as a smaller tree had it; nil where that had more or none of it.
    package func narrowed(to width: Int) -> Tile? {
        guard width <= coordinate.width,
            let narrow = TileCoordinate(level: coordinate.level, index: coordinate.index, width: width)
        else { return nil }
        return width == coordinate.width ? self : Tile(narrow, Array(hashes.prefix(width)))
    }
}
