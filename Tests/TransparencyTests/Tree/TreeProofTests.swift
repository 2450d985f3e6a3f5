import Testing
import Transparency

@Suite struct `Proofs from tiles` {
    /// The published leaves and their roots by size.
    static func published() throws -> (leaves: [MerkleHash], roots: [MerkleHash]) {
        let rows = try Vectors.lines("rfc6962/tree.txt")
        let leaves = rows.filter { $0[0] == "leaf" }.prefix(8).compactMap { MerkleHash(Vectors.hex($0[2])) }
        let roots = rows.filter { $0[0] == "root" }.compactMap { MerkleHash(Vectors.hex($0[2])) }
        return (leaves, [.empty] + roots)
    }

    @Test func `the published proofs are made from tiles, and hold`() throws {
        let (leaves, roots) = try Self.published()
        let rows = try Vectors.lines("rfc6962/proofs.txt")
        #expect(rows.count == 7)
        for row in rows {
            let first = try #require(Int(row[1]))
            let size = try #require(Int(row[2]))
            let hashes = row.dropFirst(3).compactMap { MerkleHash(Vectors.hex($0)) }
            let tiles = try KeptTiles(leaves[..<size]).tiles
            if row[0] == "inclusion" {
                let proof = try InclusionProof(index: first, size: size, tiles: tiles)
                #expect(proof.hashes == hashes)
                try proof.verify(leaf: leaves[first], root: roots[size])
            } else {
                let proof = try ConsistencyProof(oldSize: first, size: size, tiles: tiles)
                #expect(proof.hashes == hashes)
                try proof.verify(oldRoot: roots[first], root: roots[size])
            }
        }
    }

    @Test func `proofs of the upstream corpus hold or fail as they have to`() throws {
        let lines = String(decoding: try Vectors.bytes("rfc6962/consistency.jsonl"), as: UTF8.self).split(
            separator: "\n"
        )
        #expect(lines.count == 9)
        for line in lines {
            let vector = try JSON.parse(Array(line.utf8))
            let written = vector["proof"]?.array ?? []
            let hashes = written.compactMap { $0.string.flatMap { MerkleHash(base64: $0) } }
            let sizes = try (#require(vector["size1"]?.int64), #require(vector["size2"]?.int64))
            let roots = try ["root1", "root2"].map {
                try #require(vector[$0]?.string.flatMap { MerkleHash(base64: $0) })
            }
            // What is no hash cannot stand in a proof of ours.
            var holds = hashes.count == written.count
            do {
                try ConsistencyProof(oldSize: Int(sizes.0), size: Int(sizes.1), hashes: hashes)
                    .verify(oldRoot: roots[0], root: roots[1])
            } catch {
                holds = false
            }
            #expect(vector["wantErr"]?.bool == !holds, "\(line)")
        }
    }

    @Test func `all proofs of trees up to 70 leaves are those of the definition, and hold`() throws {
        let leaves = NaiveTree.leaves(70)
        for size in 1...leaves.count {
            let tree = leaves[..<size]
            let tiles = try KeptTiles(tree).tiles
            let root = NaiveTree.root(tree)
            for index in 0..<size {
                let proof = try InclusionProof(index: index, size: size, tiles: tiles)
                #expect(proof.hashes == NaiveTree.path(index, tree))
                try proof.verify(leaf: leaves[index], root: root)
                let consistency = try ConsistencyProof(oldSize: index + 1, size: size, tiles: tiles)
                #expect(consistency.hashes == NaiveTree.proof(index + 1, tree))
                try consistency.verify(oldRoot: NaiveTree.root(leaves[...index]), root: root)
            }
        }
    }

    @Test(arguments: [255, 256, 257, 511, 512, 513, 700, 1025])
    func `proofs over several tiles are those of the definition, and hold`(size: Int) throws {
        let leaves = NaiveTree.leaves(size)
        let kept = try KeptTiles(leaves)
        for index in [0, 1, 127, 128, 254, 255, 256, 257, 300, 511, 512, size - 2, size - 1] where index < size {
            let inclusion = try InclusionProof(index: index, size: size, tiles: kept.tiles)
            #expect(inclusion.hashes == NaiveTree.path(index, leaves[...]))
            try inclusion.verify(leaf: leaves[index], root: kept.tree.root)
            let consistency = try ConsistencyProof(oldSize: index + 1, size: size, tiles: kept.tiles)
            #expect(consistency.hashes == NaiveTree.proof(index + 1, leaves[...]))
            try consistency.verify(oldRoot: NaiveTree.root(leaves[...index]), root: kept.tree.root)
        }
    }

    @Test func `a large tree's proof needs few tiles`() throws {
        let size = 1_000_000_000
        let plan = try TilePlan.inclusion(of: 123_456_789, inSize: size)
        #expect(plan.tiles.count <= 6)
        #expect(try TilePlan.root(ofSize: size).tiles.count == 3)
        #expect(try TilePlan.consistency(from: 500_000_001, to: size).tiles.count <= 8)
    }

    @Test func `a tile that is missing is named`() throws {
        let tiles = try KeptTiles(NaiveTree.leaves(700)).tiles
        let plan = try TilePlan.inclusion(of: 3, inSize: 700)
        for wanted in plan.tiles {
            #expect(throws: TreeError.tileMissing(wanted)) {
                try plan.hashes(from: tiles.filter { $0.coordinate != wanted })
            }
        }
    }

    @Test func `proofs that cannot be are refused`() {
        #expect(throws: TreeError.outside(index: 5, size: 5)) { try TilePlan.inclusion(of: 5, inSize: 5) }
        #expect(throws: TreeError.outside(index: -1, size: 5)) { try TilePlan.inclusion(of: -1, inSize: 5) }
        #expect(throws: TreeError.outside(index: 0, size: 0)) { try TilePlan.inclusion(of: 0, inSize: 0) }
        #expect(throws: TreeError.outside(index: 0, size: 5)) { try TilePlan.consistency(from: 0, to: 5) }
        #expect(throws: TreeError.outside(index: 6, size: 5)) { try TilePlan.consistency(from: 6, to: 5) }
        #expect(throws: TreeError.outside(index: 0, size: .max)) { try TilePlan.root(ofSize: .max) }
    }
}

/// The ways in which the upstream corpus (transparency-dev/merkle, testdata) breaks proofs, tried on every proof of trees
/// up to 20 leaves: bits, lengths, sizes, roots, and what stands before and behind.
@Suite struct `Proofs that were tampered with` {
    static func broken(_ hashes: [MerkleHash], with more: [MerkleHash]) -> [[MerkleHash]] {
        var out: [[MerkleHash]] = []
        for place in hashes.indices {
            var bytes = hashes[place].bytes
            bytes[place % 32] ^= 0x10
            var changed = hashes
            if let hash = MerkleHash(bytes) { changed[place] = hash }
            out.append(changed)
        }
        if !hashes.isEmpty { out += [[], Array(hashes.dropLast()), Array(hashes.dropFirst())] }
        if hashes.count > 1, hashes.first != hashes.last { out.append(hashes.reversed()) }
        for hash in more + hashes.prefix(1) { out += [hashes + [hash], [hash] + hashes] }
        return out
    }

    @Test func `no inclusion proof survives`() throws {
        let leaves = NaiveTree.leaves(40)
        let other = MerkleHash.leaf([9])
        for size in 1...20 {
            let tiles = try KeptTiles(leaves[..<size]).tiles
            let root = NaiveTree.root(leaves[..<size])
            for index in 0..<size {
                let good = try InclusionProof(index: index, size: size, tiles: tiles)
                for hashes in Self.broken(good.hashes, with: [other, root, leaves[index], .empty]) {
                    #expect(throws: TreeError.self) {
                        try InclusionProof(index: index, size: size, hashes: hashes)
                            .verify(leaf: leaves[index], root: root)
                    }
                }
                for wrong in [index - 1, index + 1, index ^ 2, -1, size, Int.max] where wrong != index {
                    #expect(throws: TreeError.self) {
                        try InclusionProof(index: wrong, size: size, hashes: good.hashes)
                            .verify(leaf: leaves[index], root: root)
                    }
                }
                #expect(throws: TreeError.rootDiffers(size: size)) { try good.verify(leaf: other, root: root) }
                #expect(throws: TreeError.rootDiffers(size: size)) { try good.verify(leaf: leaves[index], root: other) }
            }
        }
    }

    @Test func `no inclusion proof holds for a size whose path is another`() throws {
        let leaves = NaiveTree.leaves(8)
        let good = try InclusionProof(index: 5, size: 8, tiles: KeptTiles(leaves).tiles)
        for size in [0, 1, 4, 5, 6, 9, 16, 1 << 40, Int.max] {
            #expect(throws: TreeError.self) {
                try InclusionProof(index: 5, size: size, hashes: good.hashes)
                    .verify(leaf: leaves[5], root: NaiveTree.root(leaves[...]))
            }
        }
    }

    @Test func `no consistency proof survives`() throws {
        let leaves = NaiveTree.leaves(20)
        let other = MerkleHash.leaf([9])
        for size in 1...20 {
            let tiles = try KeptTiles(leaves[..<size]).tiles
            let root = NaiveTree.root(leaves[..<size])
            for old in 1...size {
                let good = try ConsistencyProof(oldSize: old, size: size, tiles: tiles)
                let oldRoot = NaiveTree.root(leaves[..<old])
                for hashes in Self.broken(good.hashes, with: [other, root, oldRoot]) {
                    #expect(throws: TreeError.self) {
                        try ConsistencyProof(oldSize: old, size: size, hashes: hashes)
                            .verify(oldRoot: oldRoot, root: root)
                    }
                }
                #expect(throws: TreeError.self) { try good.verify(oldRoot: other, root: root) }
                #expect(throws: TreeError.self) { try good.verify(oldRoot: oldRoot, root: other) }
                if oldRoot != root {
                    #expect(throws: TreeError.self) { try good.verify(oldRoot: root, root: oldRoot) }
                }
                let sizes = [
                    (0, size), (-1, size), (size + 1, size), (old, old - 1), (old + 1, size), (old - 1, size),
                    (old ^ 2, size), (old, size * 2), (old, size / 2),
                ]
                // From 0 to 2 as from 2 to 2 there is nothing to hash.
                for (wrong, to) in sizes where wrong != old || to != size {
                    #expect(throws: TreeError.self) {
                        try ConsistencyProof(oldSize: wrong, size: to, hashes: good.hashes)
                            .verify(oldRoot: oldRoot, root: root)
                    }
                }
            }
        }
    }

    @Test func `nothing is proved from the empty tree, and equal sizes need equal roots and no hashes`() throws {
        let root = MerkleHash.leaf([1])
        #expect(throws: TreeError.outside(index: 0, size: 1)) {
            try ConsistencyProof(oldSize: 0, size: 1, hashes: []).verify(oldRoot: .empty, root: root)
        }
        #expect(throws: TreeError.proofLength(1)) {
            try ConsistencyProof(oldSize: 1, size: 1, hashes: [root]).verify(oldRoot: root, root: root)
        }
        #expect(throws: TreeError.proofLength(0)) {
            try ConsistencyProof(oldSize: 1, size: 2, hashes: []).verify(oldRoot: root, root: root)
        }
        try ConsistencyProof(oldSize: 1, size: 1, hashes: []).verify(oldRoot: root, root: root)
    }

    @Test func `a proof longer than any tree is refused before it is hashed`() {
        let hashes = [MerkleHash](repeating: .empty, count: 64)
        #expect(throws: TreeError.proofLength(64)) {
            try InclusionProof(index: 0, size: .max, hashes: hashes).verify(leaf: .empty, root: .empty)
        }
        #expect(throws: TreeError.proofLength(64)) {
            try ConsistencyProof(oldSize: 1, size: .max, hashes: hashes).verify(oldRoot: .empty, root: .empty)
        }
    }
}
