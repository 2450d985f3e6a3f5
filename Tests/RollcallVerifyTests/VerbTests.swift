import ArgumentParser
import Testing
import Transparency

@testable import rollcall_verify

@Suite struct `What holds` {
    @Test(arguments: [0, 1, 2, 255, 256, 257, 600])
    func `an untouched log of any size`(size: Int) throws {
        let log = try ExportedLog(ExportedLog.entries(size))
        let said = Said(["range", log.path, "--vkey", try ExportedLog.vkey()])
        #expect(said.code == 0, "\(said)")
        #expect(said.out.hasPrefix("holds: \(ExportedLog.origin), size \(size), root "))
        #expect(said.out.contains("entries: \(size)\n"))
        #expect(said.notes.isEmpty)
    }

    @Test func `a log whose partial tiles went when it grew`() throws {
        let entries = ExportedLog.entries(700)
        let log = try ExportedLog(entries)
        try log.sign(Array(entries[..<300]), by: ExportedLog.key())
        #expect(Said(["range", log.path, "--vkey", try ExportedLog.vkey()]).code == 11)
        // The upper tile of that size is no full one, and has to be kept.
        var tree = TileTree()
        for entry in entries[..<300] { _ = try tree.append(.leaf(entry)) }
        let upper = try #require(tree.partialTiles.last)
        try log.put(upper.bytes, .tile(upper.coordinate))
        #expect(Said(["range", log.path, "--vkey", try ExportedLog.vkey()]).code == 0)
    }

    @Test(arguments: [(256, 257), (257, 258), (257, 512), (250, 600), (0, 1)])
    func `entries behind the signed ones are named as not covered`(size: Int, more: Int) throws {
        let entries = ExportedLog.entries(more)
        let log = try ExportedLog(Array(entries[..<size]))
        let vkey = try ExportedLog.vkey()
        #expect(try Said(["range", log.path, "--vkey", vkey, "-o", "json"]).json["not_covered"] == [])
        let checkpoint = try log.bytes("checkpoint")
        try log.write(entries)
        try log.put(checkpoint, "checkpoint")
        let said = Said(["range", log.path, "--vkey", vkey, "-o", "json"])
        #expect(said.code == 0)
        #expect(try said.json["not_covered"]?.array?.isEmpty == false)
    }

    @Test func `a log whose key changed, and one with a witness`() throws {
        let entries = ExportedLog.entries(20)
        let log = try ExportedLog(entries, signedBy: ExportedLog.key(seed: 2), witnesses: [ExportedLog.witness()])
        let kept = try log.sign(Array(entries[..<10]), by: ExportedLog.key(), to: "kept")
        let keys = ["--vkey", try ExportedLog.vkey(), "--vkey", try ExportedLog.key(seed: 2).verifier.text]
        #expect(Said(["range", log.path, "--since", kept] + keys).code == 0)
        #expect(Said(["range", log.path, "--since", kept] + keys.suffix(2)).code == 14)
        let policy = try `Tampering with an exported log`.policy(in: log)
        try log.change("policy") { $0 = Array("log \(keys[3])\n".utf8) + $0 }
        let said = Said(["range", log.path, "--policy", policy, "-o", "json"])
        #expect(said.code == 0)
        #expect(try said.json["cosigned_by"] == [["name": "witness.example/w9", "time": 1_763_712_000]])
    }

    @Test func `whom the log says was erased is named when asked`() throws {
        let leaf: JSON = [
            "action": "person.erased", "reason": .null, "target": ["kind": "person", "id": "per_1"],
        ]
        let again: JSON = ["action": "person.erased", "reason": "unchanged", "target": ["id": "per_1"]]
        let other: JSON = ["action": "person.created", "after": ["_sd": ["…"]], "target": ["id": "per_2"]]
        let log = try ExportedLog(ExportedLog.entries(300) + [leaf, again, other].map { try $0.canonical() })
        let said = Said(["range", log.path, "--vkey", try ExportedLog.vkey(), "--erased", "-o", "json"])
        #expect(said.code == 0, "\(said)")
        #expect(try said.json["erased"] == ["per_1"])
        #expect(try said.json["erased_count"] == 1)
        let plain = try Said(["range", log.path, "--vkey", try ExportedLog.vkey(), "-o", "json"]).json
        #expect(plain["erased"] == nil)
    }

    @Test func `what it says is JSON when asked`() throws {
        let log = try ExportedLog(ExportedLog.entries(3))
        let vkey = try ExportedLog.vkey()
        let said = Said(["range", log.path, "--vkey", vkey, "-o", "json"])
        let json = try said.json
        #expect(json["verdict"] == "holds")
        #expect(json["origin"]?.string == ExportedLog.origin)
        #expect(json["size"] == 3)
        #expect(json["entries"] == 3)
        #expect(json["bytes"] == 39)
        #expect(json["signed_by"]?.array?.count == 1)
        #expect(json["goes_on_from"] == [])
        try log.change("tile/entries/000.p/3") { $0[20] ^= 1 }
        let fault = Said(["range", log.path, "--vkey", vkey, "--output=json"])
        #expect(fault.code == 12)
        #expect(fault.notes.isEmpty)
        #expect(try fault.json["verdict"] == "fault")
        #expect(try fault.json["fault"] == "altered")
        #expect(try fault.json["file"] == "tile/entries/000.p/3")
        #expect(try fault.json["entry"] == 1)
    }
}

@Suite struct `Receipts by the command` {
    /// A log of 300 entries with the receipt of one of them.
    private static func receipt(of index: Int, witnesses: [NoteSigningKey] = []) throws -> (ExportedLog, [String]) {
        let entries = ExportedLog.entries(300)
        let log = try ExportedLog(entries, witnesses: witnesses)
        let signed = try SignedCheckpoint(parsing: log.bytes("checkpoint"))
        let tiles = try TilePlan.inclusion(of: index, inSize: 300).tiles.map { try log.directory.tile($0) }
        let proof = try LogProof(leaf: .leaf(entries[index]), index: index, signed: signed, tiles: tiles)
        try log.put(proof.bytes, "entry.tlog-proof")
        try log.put(entries[index], "entry.json")
        return (log, ["entry", "\(log.path)/entry.tlog-proof", "\(log.path)/entry.json"])
    }

    @Test(arguments: [0, 255, 256, 299])
    func `a receipt holds for its entry and no other`(index: Int) throws {
        let (log, arguments) = try Self.receipt(of: index)
        let vkey = ["--vkey", try ExportedLog.vkey()]
        let said = Said(arguments + vkey + ["-o", "json"])
        #expect(said.code == 0)
        #expect(try said.json["index"] == .integer(index))
        try log.change("entry.json") { $0.append(0x0A) }
        let fault = Said(arguments + vkey)
        #expect(fault.code == 12)
        #expect(fault.notes.contains("entry \(index):"))
    }

    @Test func `a receipt that was tampered with is named by its fault`() throws {
        let (log, arguments) = try Self.receipt(of: 7)
        let vkey = ["--vkey", try ExportedLog.vkey()]
        let sound = String(decoding: try log.bytes("entry.tlog-proof"), as: UTF8.self)
        for (changed, code) in [
            (sound.replacing("index 7", with: "index 6"), 12), (sound.replacing("index 7", with: "index 300"), 10),
            (sound.replacing("index 7", with: "index 07"), 10), (sound.replacing("\n300\n", with: "\n299\n"), 14),
            (String(sound.dropLast()), 10), ("", 10),
        ] as [(String, Int32)] {
            try log.put(Array(changed.utf8), "entry.tlog-proof")
            #expect(Said(arguments + vkey).code == code, "\(changed)")
        }
        try log.remove("entry.tlog-proof")
        #expect(Said(arguments + vkey).code == 11)
    }

    @Test func `a receipt asks for key, origin and witness as a log does`() throws {
        let (log, arguments) = try Self.receipt(of: 7)
        let policy = try `Tampering with an exported log`.policy(in: log)
        #expect(Said(arguments + ["--policy", policy]).code == 16)
        #expect(Said(arguments + ["--vkey", try ExportedLog.key(seed: 2).verifier.text]).code == 14)
        #expect(Said(arguments + ["--vkey", try ExportedLog.key("log.other").verifier.text]).code == 15)
        let (cosigned, others) = try Self.receipt(of: 7, witnesses: [ExportedLog.witness()])
        #expect(Said(others + ["--policy", try `Tampering with an exported log`.policy(in: cosigned)]).code == 0)
    }
}

@Suite struct `Usage` {
    @Test func `misuse is told from faults`() throws {
        let log = try ExportedLog(ExportedLog.entries(1))
        let vkey = try ExportedLog.vkey()
        try log.put(Array("quorum somebody\n".utf8), "policy")
        for arguments in [
            ["range", log.path], ["range", log.path, "--vkey", "x"],
            ["range", log.path, "--vkey", vkey, "--policy", "x"],
            ["range", log.path, "--policy", "\(log.path)/policy"], ["range", log.path, "--policy", "\(log.path)/none"],
            ["range", "--vkey", vkey], ["range", log.path, "--vkey", vkey, "-o", "xml"], ["prove"],
            ["range", log.path, "--vkey", try ExportedLog.witness().verifier.text],
        ] {
            let said = Said(arguments)
            #expect(said.code == 2, "\(arguments)")
            #expect(!said.notes.isEmpty)
            #expect(said.out.isEmpty)
        }
        let directory = Said(["range", log.path, "--vkey", vkey, "--since", log.path])
        #expect(directory.code == 1)
    }

    @Test func `help names every fault with its code, and every verb has an example`() throws {
        let help = Said(["--help"])
        #expect(help.code == 0)
        for kind in FaultKind.allCases { #expect(help.out.contains("\(kind.rawValue) \(kind.word): ")) }
        #expect(Said([]).out == help.out)
        for verb in RollcallVerify.configuration.subcommands {
            let name = try #require(verb.configuration.commandName)
            #expect(verb.configuration.discussion.contains("EXAMPLES\n  rollcall-verify \(name) "))
            for line in verb.configuration.discussion.split(separator: "\n") where line.hasPrefix("  ") {
                #expect(line.count <= 80, "\(line)")
            }
        }
        #expect(Said(["--version"]).out == "0.1.0\n")
    }
}
