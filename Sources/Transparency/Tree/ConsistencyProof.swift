/// That a tree is another one with leaves appended (RFC 9162 section 2.1.4).
package struct ConsistencyProof: Hashable, Sendable {
    package let oldSize: Int
    package let size: Int
    package let hashes: [MerkleHash]

    /// More hashes than any two trees within `TileTree.largestSize` ask for are no proof.
    package static let mostHashes = 63

    /// Nothing is checked before `verify`.
    package init(oldSize: Int, size: Int, hashes: [MerkleHash]) {
        (self.oldSize, self.size, self.hashes) = (oldSize, size, hashes)
    }

    /// From the tiles that `TilePlan.consistency` asks for.
    package init(oldSize: Int, size: Int, tiles: [Tile]) throws(TreeError) {
        self.init(
            oldSize: oldSize,
            size: size,
            hashes: try TilePlan.consistency(from: oldSize, to: size).hashes(from: tiles)
        )
    }

    /// Refuses unless the tree with `root` begins with all leaves of the tree with `oldRoot`. An old size of 0 is refused:
    /// about the empty tree there is nothing to prove. Between equal sizes the proof has no hashes.
    package func verify(oldRoot: MerkleHash, root: MerkleHash) throws(TreeError) {
        guard oldSize > 0, oldSize <= size else { throw .outside(index: oldSize, size: size) }
        guard hashes.count <= Self.mostHashes else { throw .proofLength(hashes.count) }
        guard oldSize < size else {
            guard hashes.isEmpty else { throw .proofLength(hashes.count) }
            guard oldRoot == root else { throw .rootDiffers(size: size) }
            return
        }
        guard !hashes.isEmpty else { throw .proofLength(0) }
        // Names and steps of RFC 9162 section 2.1.4.2.
        var path = hashes[...]
        if oldSize & (oldSize - 1) == 0 { path = [oldRoot] + path }
        var (fn, sn) = (oldSize - 1, size - 1)
        while fn & 1 == 1 { (fn, sn) = (fn >> 1, sn >> 1) }
        guard let first = path.popFirst() else { throw .proofLength(0) }
        var (fr, sr) = (first, first)
        for c in path {
            guard sn != 0 else { throw .proofLength(hashes.count) }
            if fn & 1 == 1 || fn == sn {
                (fr, sr) = (.node(c, fr), .node(c, sr))
                while fn & 1 == 0, fn != 0 { (fn, sn) = (fn >> 1, sn >> 1) }
            } else {
                sr = .node(sr, c)
            }
            (fn, sn) = (fn >> 1, sn >> 1)
        }
        guard sn == 0 else { throw .proofLength(hashes.count) }
        // The new root first: hashes that do not make it say nothing about the old one.
        guard sr == root else { throw .rootDiffers(size: size) }
        guard fr == oldRoot else { throw .rootDiffers(size: oldSize) }
    }
}
