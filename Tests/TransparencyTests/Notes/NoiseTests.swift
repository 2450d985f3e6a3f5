import Testing
import Transparency

/// Files that somebody else wrote, with bytes changed, taken out and put in: refused or the same, and never the end of
/// the process.
@Suite struct `Files with noise in them` {
    static func changed(_ sound: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = sound
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Int.random(in: 0..<max(bytes.count, 1), using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where !bytes.isEmpty: bytes[place] ^= UInt8.random(in: 1...255, using: &random)
            case 1 where !bytes.isEmpty: bytes.remove(at: place)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default: bytes.insert(contentsOf: bytes.prefix(place).suffix(9), at: place)
            }
        }
        return bytes
    }

    /// Or not, but with no other error than its own.
    static func refused<Refusal: Error>(_ reading: () throws(Refusal) -> Void) {
        do throws(Refusal) {
            try reading()
        } catch {
            #expect(!"\(error)".isEmpty)
        }
    }

    @Test func `a receipt that still holds says the same`() throws {
        let (proof, leaf) = try Receipts.proof(5, of: 12, extra: [1, 2, 3])
        let policy = try LogPolicy(logs: [Signers.key("log.example").verifier])
        var random = SeededGenerator(seed: 6)
        var held = 0
        for _ in 0..<1500 {
            do {
                let read = try LogProof(parsing: Self.changed(proof.bytes, &random))
                try read.verify(leaf: leaf)
                _ = try policy.verify(read.signed)
                // Nobody vouches for what is besides, nor for further signatures.
                held += 1
                #expect(read.index == proof.index)
                #expect(read.hashes == proof.hashes)
                #expect(read.signed.checkpoint == proof.signed.checkpoint)
            } catch is NoteError {
                continue
            } catch is TreeError {
                continue
            }
        }
        #expect(held < 300)
    }

    @Test func `a policy, a bundle, a tile and a path are refused or read`() throws {
        var random = SeededGenerator(seed: 7)
        let policy = Array(try `A policy`.example().utf8)
        let place = try #require(BundleCoordinate(index: 2, width: 3))
        let bundle = try EntryBundle.encode([[1, 2, 3], [], [4]])
        for _ in 0..<1500 {
            let bytes = Self.changed(policy, &random)
            Self.refused { () throws(NoteError) in _ = try LogPolicy(parsing: bytes) }
            let entries = Self.changed(bundle, &random)
            Self.refused { () throws(TreeError) in
                let read = try EntryBundle.decode(entries, at: place)
                #expect(read.count == 3)
            }
            let hashes = Self.changed([UInt8](repeating: 7, count: 96), &random)
            Self.refused { () throws(TreeError) in _ = try Tile(place.tile, bytes: hashes) }
            let path = String(decoding: Self.changed(Array("tile/0/x001/234.p/56".utf8), &random), as: UTF8.self)
            if let file = LogFile(path: path) { #expect(file.path == path) }
        }
    }

    @Test func `places that no tree has are none, however large`() {
        for index in [Int.min, -(1 << 54), -1, 1 << 54, 1 << 60, .max] {
            for level in [Int.min, -1, 0, 7, 8, .max] {
                #expect(TileCoordinate.at(level: level, index: index, size: TileTree.largestSize) == nil)
            }
            #expect(BundleCoordinate.at(index: index, size: 1 << 62) == nil)
        }
        #expect(TileCoordinate.at(level: 7, index: 0, size: TileTree.largestSize)?.width == 64)
    }
}
