import Testing
import Transparency

@testable import rollcall_verify

/// What somebody does to an exported log of 600 entries, and what the program calls it. The numbers are exit codes.
@Suite struct `Tampering with an exported log` {
    static let entries = ExportedLog.entries(600)

    static func range(_ log: ExportedLog, _ more: [String] = []) throws -> Said {
        Said(["range", log.path, "--vkey", try ExportedLog.vkey()] + more)
    }

    static func altered(_ place: Int) -> [[UInt8]] {
        var changed = entries
        changed[place] = Array("{\"index\":999}".utf8)
        return changed
    }

    /// A policy that asks for witness 9.
    static func policy(in log: ExportedLog) throws -> String {
        let lines = [
            "log \(try ExportedLog.vkey())", "witness W \(try ExportedLog.witness().verifier.text)", "quorum W", "",
        ]
        try log.put(Array(lines.joined(separator: "\n").utf8), "policy")
        return "\(log.path)/policy"
    }

    @Test(arguments: [0, 255, 256, 511, 512, 599])
    func `an edited entry is found at its index`(place: Int) throws {
        let log = try ExportedLog(Self.entries)
        let bundle = try #require(BundleCoordinate.at(index: place / 256, size: 600))
        var part = Array(Self.entries[bundle.firstEntry..<(bundle.firstEntry + bundle.width)])
        part[place % 256][2] ^= 1
        try log.put(EntryBundle.encode(part), .entries(bundle))
        let said = try Self.range(log)
        #expect(said.code == 12)
        #expect(said.notes.contains("altered: \(LogFile.entries(bundle).path), entry \(place):"))
    }

    @Test func `an entry edited together with its tile is found by the tile above`() throws {
        let log = try ExportedLog(Self.entries)
        let above = try log.bytes("tile/1/000.p/2")
        try log.write(Self.altered(300))
        try log.put(above, "tile/1/000.p/2")
        let said = try Self.range(log)
        #expect(said.code == 13)
        #expect(said.notes.contains("tree: tile/1/000.p/2, entry 256: its hash 1 is not that of tile/0/001"))
    }

    @Test func `an entry edited together with all tiles is found by the root`() throws {
        let log = try ExportedLog(Self.entries)
        try log.write(Self.altered(300))
        let said = try Self.range(log)
        #expect(said.code == 13)
        #expect(said.notes.contains("the entries make another root than the one that was signed"))
    }

    @Test func `a history that was rewritten and signed by another key is found by the signature`() throws {
        let log = try ExportedLog(Self.altered(300), signedBy: ExportedLog.key(seed: 2))
        #expect(try Self.range(log).code == 14)
    }

    @Test func `one that was signed with the stolen key is found by the witness who is missing`() throws {
        let log = try ExportedLog(Self.altered(300))
        let policy = try Self.policy(in: log)
        #expect(Said(["range", log.path, "--policy", policy]).code == 16)
        // A cosignature of what was there before does not fit, and a stranger's does not count.
        let honest = try ExportedLog(Self.entries, witnesses: [ExportedLog.witness()])
        #expect(Said(["range", honest.path, "--policy", policy]).code == 0)
        let cosignature = try #require(
            String(decoding: honest.bytes("checkpoint"), as: UTF8.self).split(separator: "\n").last
        )
        try log.change("checkpoint") { $0 += Array((cosignature + "\n").utf8) }
        #expect(Said(["range", log.path, "--policy", policy]).code == 14)
        try log.sign(Self.altered(300), by: ExportedLog.key(), witnesses: [ExportedLog.witness(8)])
        #expect(Said(["range", log.path, "--policy", policy]).code == 16)
    }

    @Test func `one that was signed with the stolen key is found by a checkpoint that somebody kept`() throws {
        let log = try ExportedLog(Self.altered(300))
        let kept = try log.sign(Array(Self.entries[..<400]), by: ExportedLog.key(), to: "kept")
        let said = try Self.range(log, ["--since", kept])
        #expect(said.code == 18)
        #expect(said.notes.contains("forked: \(kept): the log's first 400 entries"))
        let before = try log.sign(Array(Self.entries[..<300]), by: ExportedLog.key(), to: "before")
        #expect(try Self.range(log, ["--since", before]).code == 0)
        #expect(try Self.range(log, ["--since", before, "--since", kept]).code == 18)
        let consistency = Said([
            "consistency", kept, log.directory.checkpointPath, "--log", log.path, "--vkey", try ExportedLog.vkey(),
        ])
        #expect(consistency.code == 18)
    }

    @Test func `a removed entry is missed, whether or not those behind it moved up`() throws {
        let log = try ExportedLog(Self.entries)
        var fewer = Self.entries
        fewer.remove(at: 100)
        try log.put(EntryBundle.encode(Array(fewer[..<255])), "tile/entries/000")
        var said = try Self.range(log)
        #expect(said.code == 11)
        #expect(said.notes.contains("missing: tile/entries/000, entry 255:"))
        try log.put(EntryBundle.encode(Array(fewer[..<256])), "tile/entries/000")
        said = try Self.range(log)
        #expect(said.code == 12)
        #expect(said.notes.contains("entry 100:"))
    }

    @Test func `the last entries removed, with a checkpoint of before, are a log that went back`() throws {
        let log = try ExportedLog(Array(Self.entries[..<550]))
        let kept = try log.sign(Self.entries, by: ExportedLog.key(), to: "kept")
        #expect(try Self.range(log).code == 0)
        let said = try Self.range(log, ["--since", kept])
        #expect(said.code == 17)
        #expect(said.notes.contains("rolled-back:"))
        #expect(said.notes.contains("the log has 550 entries, and had 600"))
        let consistency = Said([
            "consistency", kept, log.directory.checkpointPath, "--log", log.path, "--vkey", try ExportedLog.vkey(),
        ])
        #expect(consistency.code == 17)
    }

    @Test func `the last entries removed from the files only are missed`() throws {
        let log = try ExportedLog(Self.entries)
        try log.remove("tile/entries/002.p/88")
        var said = try Self.range(log)
        #expect(said.code == 11)
        #expect(said.notes.contains("missing: tile/entries/002.p/88, entry 512:"))
        try log.put(EntryBundle.encode(Array(Self.entries[512..<599])), "tile/entries/002.p/88")
        said = try Self.range(log)
        #expect(said.code == 11)
        #expect(said.notes.contains("entry 599: it ends before this entry does"))
    }

    @Test func `two entries in each other's place are another order`() throws {
        let log = try ExportedLog(Self.entries)
        var swapped = Array(Self.entries[..<256])
        swapped.swapAt(7, 200)
        try log.put(EntryBundle.encode(swapped), "tile/entries/000")
        let said = try Self.range(log)
        #expect(said.code == 12)
        #expect(said.notes.contains("entry 7: its entries are in another order than in the log"))
    }

    @Test func `an entry put in between, and one that is there twice, are found`() throws {
        for inserted in [Array("{\"index\":1e9}".utf8), Self.entries[99]] {
            let log = try ExportedLog(Self.entries)
            var more = Self.entries
            more.insert(inserted, at: 100)
            try log.put(EntryBundle.encode(Array(more[..<256])), "tile/entries/000")
            #expect(try Self.range(log).notes.contains("altered: tile/entries/000, entry 100:"))
            try log.put(EntryBundle.encode(Array(more[..<257])), "tile/entries/000")
            #expect(try Self.range(log).code == 10)
            // Everything that follows from it is rewritten as well: the last bundle is another.
            try log.write(more)
            try log.remove("tile/entries/002.p/88")
            #expect(try Self.range(log).code == 11)
        }
    }

    @Test func `bundles and tiles in each other's place are found`() throws {
        var log = try ExportedLog(Self.entries)
        try log.swap("tile/0/000", "tile/0/001")
        #expect(try Self.range(log).notes.contains("altered: tile/entries/000, entry 0:"))
        try log.swap("tile/entries/000", "tile/entries/001")
        let said = try Self.range(log)
        #expect(said.code == 13)
        #expect(said.notes.contains("tree: tile/1/000.p/2, entry 0:"))
        log = try ExportedLog(Self.entries)
        try log.swap("tile/entries/000", "tile/entries/001")
        #expect(try Self.range(log).code == 12)
    }

    @Test func `partial tiles that lie are found on every level`() throws {
        for (file, code) in [("tile/0/002.p/88", 12), ("tile/1/000.p/2", 13)] as [(String, Int32)] {
            let log = try ExportedLog(Self.entries)
            try log.change(file) { $0[40] ^= 1 }
            #expect(try Self.range(log).code == code)
            try log.change(file) { $0.removeLast() }
            #expect(try Self.range(log).code == 10)
            try log.change(file) { $0 += [UInt8](repeating: 0, count: 9000) }
            #expect(try Self.range(log).code == 10)
            try log.remove(file)
            let said = try Self.range(log)
            #expect(said.code == 11)
            #expect(said.notes.contains("missing: \(file)"))
        }
    }

    @Test func `a cut, lengthened or swollen bundle is found`() throws {
        let log = try ExportedLog(Self.entries)
        let sound = try log.bytes("tile/entries/001")
        for cut in [1, 5, sound.count - 1] {
            try log.put(sound.dropLast(cut), "tile/entries/001")
            #expect(try Self.range(log).code == 11)
        }
        try log.put(sound + [0, 0], "tile/entries/001")
        #expect(try Self.range(log).notes.contains("malformed: tile/entries/001, entry 512:"))
        try log.put([UInt8](repeating: 0, count: EntryBundle.largestBytes + 1), "tile/entries/001")
        #expect(try Self.range(log).code == 10)
    }

    @Test func `a checkpoint that is cut, changed, of another log or by a stranger is found`() throws {
        let log = try ExportedLog(Self.entries)
        let sound = try log.bytes("checkpoint")
        try log.put(sound.dropLast(), "checkpoint")
        #expect(try Self.range(log).code == 10)
        try log.put(
            Array(String(decoding: sound, as: UTF8.self).replacing("\n600\n", with: "\n599\n").utf8),
            "checkpoint"
        )
        #expect(try Self.range(log).code == 14)
        try log.sign(Self.entries, by: ExportedLog.key("log.example/audit/other"))
        #expect(try Self.range(log).code == 15)
        try log.sign(Self.entries, by: ExportedLog.key(seed: 3))
        #expect(try Self.range(log).code == 14)
        try log.remove("checkpoint")
        #expect(try Self.range(log).code == 11)
        try log.put(sound, "checkpoint")
        #expect(try Self.range(log).code == 0)
        #expect(try Self.range(log, ["--origin", "log.example/audit/other"]).code == 15)
        #expect(try Self.range(log, ["--origin", ExportedLog.origin]).code == 0)
    }

    @Test func `two checkpoints of one size are a fork`() throws {
        let log = try ExportedLog(Self.entries)
        let other = try log.sign(Self.altered(3), by: ExportedLog.key(), to: "other")
        #expect(try Self.range(log, ["--since", other]).code == 18)
        let said = Said([
            "consistency", other, log.directory.checkpointPath, "--log", log.path, "--vkey", try ExportedLog.vkey(),
        ])
        #expect(said.code == 18)
    }

    @Test func `checkpoints that were removed in between hide nothing`() throws {
        let log = try ExportedLog(Self.entries)
        let vkey = try ExportedLog.vkey()
        for size in [0, 1, 255, 256, 257, 512, 599, 600] {
            let kept = try log.sign(Array(Self.entries[..<size]), by: ExportedLog.key(), to: "kept")
            let arguments = ["consistency", kept, log.directory.checkpointPath, "--log", log.path, "--vkey", vkey]
            #expect(Said(arguments).code == 0, "size \(size)")
            #expect(try Self.range(log, ["--since", kept]).code == 0, "size \(size)")
        }
    }

    @Test func `tiles that lie to a consistency check are told from a fork`() throws {
        let log = try ExportedLog(Self.entries)
        let kept = try log.sign(Array(Self.entries[..<300]), by: ExportedLog.key(), to: "kept")
        let arguments = [
            "consistency", kept, log.directory.checkpointPath, "--log", log.path, "--vkey", try ExportedLog.vkey(),
        ]
        try log.change("tile/0/001") { $0[8000] ^= 1 }
        #expect(Said(arguments).code == 13)
        try log.remove("tile/0/001")
        #expect(Said(arguments).code == 11)
    }
}
