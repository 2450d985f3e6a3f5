import Transparency

/// RFC 6962 section 2.1 as it is written, by recursion over all leaves: what the tiles are held against.
enum NaiveTree {
    static func leaves(_ count: Int) -> [MerkleHash] {
        (0..<count).map { MerkleHash.leaf(Array("leaf \($0)".utf8)) }
    }

    static func root(_ leaves: ArraySlice<MerkleHash>) -> MerkleHash {
        guard leaves.count > 1 else { return leaves.first ?? .empty }
        let middle = leaves.startIndex + split(leaves.count)
        return .node(root(leaves[..<middle]), root(leaves[middle...]))
    }

    static func path(_ index: Int, _ leaves: ArraySlice<MerkleHash>) -> [MerkleHash] {
        guard leaves.count > 1 else { return [] }
        let half = split(leaves.count)
        let (left, right) = (leaves[..<(leaves.startIndex + half)], leaves[(leaves.startIndex + half)...])
        return index < half ? path(index, left) + [root(right)] : path(index - half, right) + [root(left)]
    }

    static func proof(_ old: Int, _ leaves: ArraySlice<MerkleHash>, whole: Bool = true) -> [MerkleHash] {
        guard old < leaves.count else { return whole ? [] : [root(leaves)] }
        let half = split(leaves.count)
        let (left, right) = (leaves[..<(leaves.startIndex + half)], leaves[(leaves.startIndex + half)...])
        return old <= half
            ? proof(old, left, whole: whole) + [root(right)]
            : proof(old - half, right, whole: false) + [root(left)]
    }

    private static func split(_ count: Int) -> Int {
        var split = 1
        while split * 2 < count { split *= 2 }
        return split
    }
}

/// A log in memory: everything that a sequencer would have kept.
struct KeptTiles {
    private(set) var tree = TileTree()
    private var full: [Tile] = []

    init(_ leaves: some Sequence<MerkleHash>) throws {
        for leaf in leaves { full += try tree.append(leaf) }
    }

    var tiles: [Tile] { full + tree.partialTiles }
}
