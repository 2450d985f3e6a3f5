/// Why something is no part of a tree, or proves nothing about it. Each names its place.
package enum TreeError: Error, Hashable, Sendable {
    /// No tree of that size has that leaf, or no tree is that large.
    case outside(index: Int, size: Int)
    /// A tile that the tree needs was not given.
    case tileMissing(TileCoordinate)
    /// The bytes are not the hashes of that tile.
    case tileMalformed(TileCoordinate, bytes: Int)
    /// The bytes are not the entries of that bundle; what is wrong begins with the entry of that place in it.
    case bundleMalformed(BundleCoordinate, entry: Int)
    /// An entry of more bytes than a bundle can hold.
    case entryTooLong(entry: Int, bytes: Int)
    /// A proof has another number of hashes than its sizes ask for.
    case proofLength(Int)
    /// The hashes of a proof lead to another root than that of the tree of this size.
    case rootDiffers(size: Int)
}

extension TreeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .outside(let index, let size): "index \(index) is outside of a tree of size \(size)"
        case .tileMissing(let tile): "\(LogFile.tile(tile).path) is missing"
        case .tileMalformed(let tile, let bytes): "\(LogFile.tile(tile).path) cannot have \(bytes) bytes"
        case .bundleMalformed(let bundle, let entry): "\(LogFile.entries(bundle).path) is broken at its entry \(entry)"
        case .entryTooLong(let entry, let bytes): "entry \(entry) has \(bytes) bytes, more than a bundle can hold"
        case .proofLength(let hashes): "no proof between these sizes has \(hashes) hashes"
        case .rootDiffers(let size): "the proof leads to another root than that of size \(size)"
        }
    }
}
