import Crypto
import Testing
import Transparency

@Suite struct `A tree of tiles` {
    @Test func `the published leaves, nodes and roots come out`() throws {
        var tree = TileTree()
        var leaves: [MerkleHash] = []
        var checked = 0
        for row in try Vectors.lines("rfc6962/tree.txt") {
            checked += 1
            switch row[0] {
            case "empty":
                #expect(MerkleHash.empty.bytes == Vectors.hex(row[1]))
                #expect(tree.root == .empty)
            case "leaf":
                leaves.append(MerkleHash.leaf(Vectors.hex(row[1])))
                #expect(leaves.last?.bytes == Vectors.hex(row[2]))
            case "node":
                // The published one is over texts of four bytes, and ours only ever over hashes.
                #expect(MerkleHash(Vectors.hex(row[1])) == nil)
                #expect(
                    Array(SHA256.hash(data: [1] + Vectors.hex(row[1]) + Vectors.hex(row[2]))) == Vectors.hex(row[3])
                )
            case "root":
                #expect(try tree.append(leaves[tree.size]).isEmpty)
                #expect(tree.size == Int(row[1]))
                #expect(tree.root.bytes == Vectors.hex(row[2]))
            default:
                Issue.record("unknown row \(row)")
            }
        }
        #expect(checked == 19)
    }

    @Test func `roots of all sizes are those of the definition, and come back from the edge`() throws {
        let leaves = NaiveTree.leaves(600)
        var tree = TileTree()
        for size in 0...leaves.count {
            let root = NaiveTree.root(leaves[..<size])
            #expect(tree.root == root, "size \(size)")
            #expect(MerkleHash.root(over: leaves[..<size]) == root, "size \(size)")
            #expect(try TileTree(size: size, edge: tree.partialTiles) == tree, "size \(size)")
            if size < leaves.count { _ = try tree.append(leaves[size]) }
        }
    }

    @Test func `roots of smaller sizes come from the tiles of a larger tree`() throws {
        let leaves = NaiveTree.leaves(520)
        let tiles = try KeptTiles(leaves).tiles
        for size in 0...leaves.count {
            let plan = try TilePlan.root(ofSize: size)
            #expect(try plan.hashes(from: tiles) == (size == 0 ? [] : [NaiveTree.root(leaves[..<size])]))
        }
    }

    @Test func `the tiles of 70,000 leaves are those of the specification's example`() throws {
        let full = (0...2).map { level in
            (0..<300).count { TileCoordinate.at(level: level, index: $0, size: 70_000)?.isFull == true }
        }
        #expect(full == [273, 1, 0])
        #expect(
            TileCoordinate.edge(ofSize: 70_000).map { LogFile.tile($0).path } == [
                "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1",
            ]
        )
        #expect(TileCoordinate.edge(ofSize: 256).map { LogFile.tile($0).path } == ["tile/1/000.p/1"])
        #expect(TileCoordinate.edge(ofSize: 0).isEmpty)
    }

    @Test func `a tile stands for its subtree, and comes back from its bytes`() throws {
        let leaves = NaiveTree.leaves(512)
        let kept = try KeptTiles(leaves)
        let first = try #require(kept.tiles.first)
        #expect(first.root == NaiveTree.root(leaves[..<256]))
        #expect(first.bytes.count == 8192)
        #expect(try Tile(first.coordinate, bytes: first.bytes) == first)
        for wrong in [first.bytes.dropLast(), first.bytes + [0], []] {
            #expect(throws: TreeError.tileMalformed(first.coordinate, bytes: wrong.count)) {
                try Tile(first.coordinate, bytes: wrong)
            }
        }
        #expect(first.narrowed(to: 3)?.hashes == Array(leaves[..<3]))
        #expect(first.narrowed(to: 3)?.narrowed(to: 4) == nil)
        #expect(first.narrowed(to: 0) == nil)
    }

    @Test func `an edge with a tile missing or too narrow is refused by name`() throws {
        let tiles = try KeptTiles(NaiveTree.leaves(300)).tree.partialTiles
        let level0 = try #require(TileCoordinate(level: 0, index: 1, width: 44))
        #expect(throws: TreeError.tileMissing(level0)) { try TileTree(size: 300, edge: Array(tiles.dropFirst())) }
        let wanted = try #require(TileCoordinate(level: 0, index: 1, width: 45))
        #expect(throws: TreeError.tileMissing(wanted)) { try TileTree(size: 301, edge: tiles) }
        #expect(throws: TreeError.outside(index: 0, size: -1)) { try TileTree(size: -1, edge: []) }
        #expect(throws: TreeError.outside(index: 0, size: .max)) { try TileTree(size: .max, edge: []) }
    }

    @Test(arguments: [
        (0, "tile/0/000"), (7, "tile/0/007"), (999, "tile/0/999"), (1000, "tile/0/x001/000"),
        (1_234_067, "tile/0/x001/x234/067"), (1_000_000, "tile/0/x001/x000/000"),
    ])
    func `paths are those of the specification`(index: Int, path: String) throws {
        let full = try #require(TileCoordinate(level: 0, index: index, width: 256))
        #expect(LogFile.tile(full).path == path)
        #expect(LogFile(path: path) == .tile(full))
        let partial = try #require(BundleCoordinate(index: index, width: 5))
        let entries = path.replacing("tile/0/", with: "tile/entries/") + ".p/5"
        #expect(LogFile.entries(partial).path == entries)
        #expect(LogFile(path: entries) == .entries(partial))
        #expect(LogFile(path: "checkpoint") == .checkpoint)
    }

    @Test(arguments: [
        "", "/checkpoint", "checkpoint/", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000",
        "tile/00/000", "tile/-1/000", "tile/8/000", "tile/64/000", "tile/0/x000/000", "tile/0/x001", "tile/0/001/000",
        "tile/0/x001/x000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/05", "tile/0/000.p/+5", "tile/0/000.p",
        "tile/0/000.p/", "tile/0/000.p/5/", "tile/0/000/5", "tile/0/+01", "tile/0/-01", "tile/entry/000",
        "tile/Entries/000", "tile/0/../0/000", "tile//000", "tile/0/٠٠٠", "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/000.p.p/5", "tile/0/xx01/000", "tile/7/x281/x474/x976/x710/656",
    ])
    func `a path written another way names no file`(path: String) {
        #expect(LogFile(path: path) == nil)
    }
}

@Suite struct `Entry bundles` {
    let place = BundleCoordinate(index: 3, width: 4)

    @Test func `entries come back as they were, and hash as leaves`() throws {
        let place = try #require(place)
        let entries: [[UInt8]] = [[], [1], Array(repeating: 7, count: 0xFFFF), [0, 0]]
        let bytes = try EntryBundle.encode(entries)
        #expect(bytes.prefix(5) == [0, 0, 0, 1, 1])
        #expect(try EntryBundle.decode(bytes, at: place).map(Array.init) == entries)
        let tile = try EntryBundle.leafHashes(bytes, at: place)
        #expect(tile.hashes == entries.map { MerkleHash.leaf($0) })
        #expect(LogFile.tile(tile.coordinate).path == "tile/0/003.p/4")
        #expect(place.firstEntry == 768)
    }

    @Test func `an entry too long is refused by its place`() {
        let entries: [[UInt8]] = [[1], Array(repeating: 7, count: 0x10000)]
        #expect(throws: TreeError.entryTooLong(entry: 1, bytes: 0x10000)) { try EntryBundle.encode(entries) }
    }

    @Test func `cut, lengthened and miscounted bundles are refused by the entry`() throws {
        let place = try #require(place)
        let bytes = try EntryBundle.encode([[1], [2, 2], [3], [4, 4]])
        for (broken, entry) in [
            (Array(bytes.dropLast()), 3), (Array(bytes.dropLast(4)), 3), (Array(bytes.dropLast(3)), 3),
            (bytes + [0], 4), (bytes + [0, 0], 4), ([], 0),
        ] {
            #expect(throws: TreeError.bundleMalformed(place, entry: entry)) {
                try EntryBundle.decode(broken, at: place)
            }
        }
    }
}
