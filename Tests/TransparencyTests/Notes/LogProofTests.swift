import Testing
import Transparency

@Suite struct `Receipts` {
    static func proof(_ index: Int, of size: Int, extra: [UInt8]? = nil) throws -> (proof: LogProof, leaf: MerkleHash) {
        let leaves = NaiveTree.leaves(size)
        let kept = try KeptTiles(leaves)
        let key = try Signers.key("log.example")
        let checkpoint = Checkpoint(origin: key.verifier.name, size: size, root: kept.tree.root)
        let signed = try SignedCheckpoint(checkpoint, signedBy: key)
        let proof = try LogProof(leaf: leaves[index], index: index, signed: signed, tiles: kept.tiles, extra: extra)
        return (proof, leaves[index])
    }

    @Test(arguments: [(0, 1), (0, 2), (5, 8), (255, 300), (299, 300), (511, 512)])
    func `a receipt comes back from its file and holds`(index: Int, size: Int) throws {
        let (proof, leaf) = try Self.proof(index, of: size)
        let read = try LogProof(parsing: proof.bytes)
        #expect(read == proof)
        try read.verify(leaf: leaf)
        #expect(try LogPolicy(logs: [Signers.key("log.example").verifier]).verify(read.signed).count == 1)
        #expect(throws: TreeError.rootDiffers(size: size)) { try read.verify(leaf: .leaf([0])) }
    }

    @Test func `its file has the lines of the specification`() throws {
        let (proof, _) = try Self.proof(2, of: 3, extra: [1, 2])
        let lines = String(decoding: proof.bytes, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        #expect(lines.prefix(3) == ["c2sp.org/tlog-proof@v1", "extra AQI=", "index 2"])
        #expect(lines[3] == Substring(proof.hashes[0].base64))
        #expect(lines[4].isEmpty)
        #expect(lines[5...6] == ["log.example", "3"])
        #expect(try LogProof(parsing: proof.bytes).extra == [1, 2])
    }

    @Test func `one that does not hold is not made`() throws {
        let leaves = NaiveTree.leaves(10)
        let kept = try KeptTiles(leaves)
        let key = try Signers.key("log.example")
        let signed = try SignedCheckpoint(
            Checkpoint(origin: key.verifier.name, size: 10, root: kept.tree.root),
            signedBy: key
        )
        #expect(throws: TreeError.rootDiffers(size: 10)) {
            try LogProof(leaf: leaves[4], index: 3, signed: signed, tiles: kept.tiles)
        }
        #expect(throws: TreeError.outside(index: 10, size: 10)) {
            try LogProof(leaf: leaves[4], index: 10, signed: signed, tiles: kept.tiles)
        }
    }

    @Test func `a receipt for another index, with a hash less or more, or of another tree does not hold`() throws {
        let (proof, leaf) = try Self.proof(5, of: 8)
        let text = String(decoding: proof.bytes, as: UTF8.self)
        let first = proof.hashes[0].base64
        for changed in [
            text.replacing("index 5", with: "index 4"), text.replacing("index 5", with: "index 8"),
            text.replacing(first + "\n", with: ""), text.replacing(first, with: first + "\n" + first),
            text.replacing(first, with: MerkleHash.empty.base64), text.replacing("\n8\n", with: "\n9\n"),
        ] {
            #expect(throws: TreeError.self, "\(changed)") {
                try LogProof(parsing: Array(changed.utf8)).verify(leaf: leaf)
            }
        }
    }

    @Test func `what is written another way is refused by its line`() throws {
        let text = String(decoding: try Self.proof(5, of: 8, extra: [9]).proof.bytes, as: UTF8.self)
        for (changed, line) in [
            ("", 1), ("c2sp.org/tlog-proof@v2\n", 1), (text.replacing("@v1\n", with: "@v1 \n"), 1),
            (text.replacing("extra ", with: "extra  "), 2), (text.replacing("extra CQ==", with: "extra CQ"), 2),
            (text.replacing("extra", with: "Extra"), 2), (text.replacing("index 5", with: "index 05"), 3),
            (text.replacing("index 5", with: "index +5"), 3), (text.replacing("index 5", with: "index "), 3),
            (text.replacing("index 5\n", with: ""), 3), (text.replacing("index 5\n", with: "index 5\nx\n"), 4),
            (
                text.replacing(
                    "index 5\n",
                    with: "index 5\n" + String(repeating: MerkleHash.empty.base64 + "\n", count: 63)
                ), 66
            ),
        ] {
            #expect(throws: NoteError.malformed(.proof, line: line), "\(changed)") {
                try LogProof(parsing: Array(changed.utf8))
            }
        }
        #expect(throws: NoteError.tooLarge(.proof)) {
            try LogProof(parsing: [UInt8](repeating: 0x61, count: LogProof.largestBytes + 1))
        }
    }
}
