/// That a leaf stands at an index of a tree (RFC 9162 section 2.1.3).
package struct InclusionProof: Hashable, Sendable {
    package let index: Int
    package let size: Int
    /// From the leaf's sibling to the child of the root.
    package let hashes: [MerkleHash]

    /// More hashes than any tree within `TileTree.largestSize` asks for are no proof.
    package static let mostHashes = 62

    /// Nothing is checked before `verify`.
    package init(index: Int, size: Int, hashes: [MerkleHash]) {
        (self.index, self.size, self.hashes) = (index, size, hashes)
    }

    /// From the tiles that `TilePlan.inclusion` asks for.
    package init(index: Int, size: Int, tiles: [Tile]) throws(TreeError) {
        self.init(
            index: index,
            size: size,
            hashes: try TilePlan.inclusion(of: index, inSize: size).hashes(from: tiles)
        )
    }

    /// Refuses unless the leaf stands at the index of the tree with that root; a hash too many or too few is refused too.
    package func verify(leaf: MerkleHash, root: MerkleHash) throws(TreeError) {
        guard index >= 0, index < size else { throw .outside(index: index, size: size) }
        guard hashes.count <= Self.mostHashes else { throw .proofLength(hashes.count) }
        // Names and steps of RFC 9162 section 2.1.3.2.
        var (fn, sn) = (index, size - 1)
        var r = leaf
        for p in hashes {
            guard sn != 0 else { throw .proofLength(hashes.count) }
            if fn & 1 == 1 || fn == sn {
                r = .node(p, r)
                while fn & 1 == 0, fn != 0 { (fn, sn) = (fn >> 1, sn >> 1) }
            } else {
                r = .node(r, p)
            }
            (fn, sn) = (fn >> 1, sn >> 1)
        }
        guard sn == 0 else { throw .proofLength(hashes.count) }
        guard r == root else { throw .rootDiffers(size: size) }
    }
}
