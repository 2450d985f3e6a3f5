/// The entries of a log, up to 256 together (C2SP tlog-tiles, "Log entries"): each with its length before it, 16 bits
/// big-endian.
package enum EntryBundle {
    /// Bytes of the longest entry.
    package static let longestEntry = 0xFFFF
    /// Bytes of the largest bundle.
    package static let largestBytes = TileCoordinate.fullWidth * (2 + longestEntry)

    /// Refuses an entry that is too long, named by its place in the list.
    package static func encode(_ entries: [[UInt8]]) throws(TreeError) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(entries.reduce(0) { $0 + 2 + $1.count })
        for (place, entry) in entries.enumerated() {
            guard entry.count <= longestEntry else { throw .entryTooLong(entry: place, bytes: entry.count) }
            out.append(UInt8(entry.count >> 8))
            out.append(UInt8(entry.count & 0xFF))
            out += entry
        }
        return out
    }

    /// The entries in order. Refuses fewer or more than the coordinate's width, and bytes behind the last.
    package static func decode(_ bytes: [UInt8], at place: BundleCoordinate) throws(TreeError) -> [ArraySlice<UInt8>] {
        var entries: [ArraySlice<UInt8>] = []
        entries.reserveCapacity(place.width)
        var position = 0
        while position < bytes.count {
            guard entries.count < place.width, position + 2 <= bytes.count else {
                throw .bundleMalformed(place, entry: entries.count)
            }
            let start = position + 2
            let end = start + Int(bytes[position]) << 8 + Int(bytes[position + 1])
            guard end <= bytes.count else { throw .bundleMalformed(place, entry: entries.count) }
            entries.append(bytes[start..<end])
            position = end
        }
        guard entries.count == place.width else { throw .bundleMalformed(place, entry: entries.count) }
        return entries
    }

    /// The tile of leaf hashes over a bundle's bytes.
    package static func leafHashes(_ bytes: [UInt8], at place: BundleCoordinate) throws(TreeError) -> Tile {
        Tile(place.tile, try decode(bytes, at: place).map { MerkleHash.leaf($0) })
    }
}
