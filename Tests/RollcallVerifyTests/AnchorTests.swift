import Foundation
import Testing
import Transparency

@testable import rollcall_verify

/// What somebody does who has the log's key, under a policy that asks for a witness of the root log. Numbers are exit codes.
@Suite struct `Tampering with a log that the root log vouches for` {
    private typealias Attacks = `Tampering with an exported log`

    /// A log of 600 entries that the root log vouches for as it was of 500, with the arguments that believe it.
    private static func anchored() throws -> (ExportedLog, [String]) {
        let log = try ExportedLog(Attacks.entries)
        try log.sign(Array(Attacks.entries[..<500]), by: ExportedLog.key(), to: "then")
        let anchor = try log.anchor("then", witnesses: [ExportedLog.witness()])
        return (log, ["--policy", try log.anchoredPolicy(), "--anchor", anchor])
    }

    @Test func `an untouched one holds, as far as it is witnessed, and not without its anchor`() throws {
        let (log, trust) = try Self.anchored()
        let said = Said(["range", log.path] + trust + ["-o", "json"])
        #expect(said.code == 0, "\(said)")
        #expect(try said.json["anchored_size"] == 500)
        #expect(try said.json["cosigned_by"]?.array?.count == 1)
        #expect(Said(["range", log.path] + trust.prefix(2)).code == 16)
    }

    @Test func `a history rewritten and signed with the stolen key is a fork of what was witnessed`() throws {
        let (log, trust) = try Self.anchored()
        try log.write(Attacks.altered(300))
        try log.sign(Attacks.altered(300), by: ExportedLog.key())
        #expect(Said(["range", log.path] + trust).code == 18)
        // Behind what was witnessed only a later anchor shows it.
        try log.write(Attacks.altered(550))
        try log.sign(Attacks.altered(550), by: ExportedLog.key())
        #expect(Said(["range", log.path] + trust).code == 0)
        let (later, _) = try Self.anchored()
        let anchor = try later.anchor(witnesses: [ExportedLog.witness()])
        #expect(Said(["range", log.path] + trust.prefix(2) + ["--anchor", anchor]).code == 18)
    }

    @Test func `a root log that was rewritten too has no witness`() throws {
        let (log, trust) = try Self.anchored()
        try log.write(Attacks.altered(300))
        try log.sign(Attacks.altered(300), by: ExportedLog.key())
        try log.anchor(witnesses: [])
        #expect(Said(["range", log.path] + trust).code == 16)
        try log.anchor(witnesses: [ExportedLog.witness(8)])
        #expect(Said(["range", log.path] + trust).code == 16)
        try log.anchor(witnesses: [ExportedLog.witness()], rootKey: ExportedLog.rootKey(seed: 4))
        #expect(Said(["range", log.path] + trust).code == 14)
    }

    @Test func `an old backup that was put in place is a log that went back`() throws {
        let (log, trust) = try Self.anchored()
        let old = try ExportedLog(Array(Attacks.entries[..<450]))
        let said = withExtendedLifetime(log) { Said(["range", old.path] + trust) }
        #expect(said.code == 17)
        #expect(said.notes.contains("the log has 450 entries, and had 500"))
    }

    @Test func `another checkpoint of the same size is a fork`() throws {
        let (log, trust) = try Self.anchored()
        let other = try ExportedLog(Array(Attacks.altered(3)[..<500]))
        #expect(Said(["range", other.path] + trust).code == 18)
        let consistency = [
            "consistency", "\(log.path)/then", other.directory.checkpointPath, "--log", other.path,
        ]
        #expect(Said(consistency + trust).code == 16)
    }

    @Test func `two checkpoints taken out of the root log in a row are missed by who kept one of it`() throws {
        let (log, _) = try Self.anchored()
        let checkpoint = try SignedCheckpoint(parsing: log.bytes("then")).checkpoint
        let leaves = try ExportedLog.rootLeaves(holding: checkpoint)
        let root = try ExportedLog(leaves, signedBy: ExportedLog.rootKey(), witnesses: [ExportedLog.witness()])
        let vkey = ["--vkey", try ExportedLog.rootKey().verifier.text]
        let kept = try root.sign(leaves, by: ExportedLog.rootKey(), to: "kept")
        #expect(Said(["range", root.path, "--since", kept] + vkey).code == 0)
        var fewer = leaves
        fewer.removeSubrange(5...6)
        let less = try ExportedLog(fewer, signedBy: ExportedLog.rootKey())
        #expect(Said(["range", less.path] + vkey).code == 0)
        #expect(Said(["range", less.path, "--since", kept] + vkey).code == 17)
        let grown = fewer + leaves.suffix(4)
        let other = try ExportedLog(grown, signedBy: ExportedLog.rootKey())
        #expect(Said(["range", other.path, "--since", kept] + vkey).code == 18)
        // In the files alone.
        try root.put(EntryBundle.encode(fewer), "tile/entries/000.p/10")
        #expect(Said(["range", root.path] + vkey).code == 11)
    }

    @Test func `an anchor that was tampered with is named by its fault`() throws {
        let (log, trust) = try Self.anchored()
        let sound = String(decoding: try log.bytes("anchor/anchor.tlog-proof"), as: UTF8.self)
        let extra = try #require(sound.split(separator: "\n").first { $0.hasPrefix("extra ") })
        for (changed, code) in [
            (sound.replacing("index 3", with: "index 4"), 12), (sound.replacing(extra + "\n", with: ""), 10),
            (sound.replacing(extra, with: "extra " + Base64.standard.encode(Array(repeating: 8, count: 32))), 12),
            (sound.replacing("\n10\n", with: "\n11\n"), 14), ("", 10),
        ] as [(String, Int32)] {
            try log.put(Array(changed.utf8), "anchor/anchor.tlog-proof")
            #expect(Said(["range", log.path] + trust).code == code, "\(changed)")
        }
        try log.put(Array(sound.utf8), "anchor/anchor.tlog-proof")
        // The anchor of another checkpoint of the same log, signed as well.
        try log.sign(Array(Attacks.entries[..<499]), by: ExportedLog.key(), to: "anchor/checkpoint")
        #expect(Said(["range", log.path] + trust).code == 12)
        try log.remove("anchor/checkpoint")
        #expect(Said(["range", log.path] + trust).code == 11)
    }

    @Test func `a time stamp is checked by the certificate that is given, and has to be there`() throws {
        let (log, trust) = try Self.anchored()
        let vectors = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/rfc3161").path
        let stamped = ["range", log.path] + trust + ["--tsa", "\(vectors)/ca.pem"]
        #expect(Said(stamped).code == 19)
        try log.put(Array(Data(contentsOf: URL(filePath: "\(vectors)/anchored.token"))), "anchor/timestamps/0.token")
        let said = Said(stamped + ["-o", "json"])
        #expect(said.code == 0, "\(said)")
        #expect(try said.json["stamped_at"]?.array?.count == 1)
        #expect(Said(["range", log.path] + trust + ["--tsa", "\(vectors)/rsa.pem"]).code == 19)
        // Of another checkpoint, and no stamp at all.
        try log.put(Array(Data(contentsOf: URL(filePath: "\(vectors)/ecdsa.token"))), "anchor/timestamps/0.token")
        #expect(Said(stamped).code == 19)
        try log.put([1, 2, 3], "anchor/timestamps/0.token")
        #expect(Said(stamped).code == 10)
        #expect(Said(["range", log.path] + trust.prefix(2) + ["--tsa", "\(vectors)/ca.pem"]).code != 0)
        #expect(Said(["range", log.path] + trust + ["--tsa", "\(log.path)/none"]).code == 2)
    }

    @Test func `a key that a believed one vouched for is believed, and no other`() throws {
        let log = try ExportedLog(Attacks.entries, signedBy: ExportedLog.key(seed: 2))
        let vkey = ["--vkey", try ExportedLog.vkey()]
        #expect(Said(["range", log.path] + vkey).code == 14)
        let word = try KeyEndorsement(of: ExportedLog.key(seed: 2).verifier, by: ExportedLog.key())
        try log.put(word.note.bytes, "word")
        #expect(Said(["range", log.path, "--endorsement", "\(log.path)/word"] + vkey).code == 0)
        let stranger = try KeyEndorsement(of: ExportedLog.key(seed: 2).verifier, by: ExportedLog.key(seed: 5))
        try log.put(stranger.note.bytes, "word")
        #expect(Said(["range", log.path, "--endorsement", "\(log.path)/word"] + vkey).code == 14)
        let forged = String(decoding: word.note.bytes, as: UTF8.self)
            .replacing(try ExportedLog.key(seed: 2).verifier.text, with: try ExportedLog.key(seed: 6).verifier.text)
        try log.put(Array(forged.utf8), "word")
        #expect(Said(["range", log.path, "--endorsement", "\(log.path)/word"] + vkey).code == 14)
        try log.put([0x0A], "word")
        #expect(Said(["range", log.path, "--endorsement", "\(log.path)/word"] + vkey).code == 10)
    }
}
