import Crypto
import Evidence
import Foundation
import Testing
import Transparency

@testable import rollcall_verify

/// What somebody does to a bundle of evidence. Numbers are exit codes.
@Suite struct `Tampering with a bundle of evidence` {
    private static let indexes = [2, 7, 8, 299]
    private static let salt = "AAAAAAAAAAAAAAAAAAAAAA"
    private static let side = Array("{\"large\":true}".utf8)

    private static func disclosure(_ value: String) throws -> Disclosure {
        try Disclosure(salt: salt, name: "title", value: .string(value))
    }

    /// 300 entries, of which the seventh and the eighth hold digests, and the eighth names a side.
    private static func entries() throws -> [[UInt8]] {
        var entries = ExportedLog.entries(300)
        let digest = Base64.standard.encode(Array(SHA256.hash(data: side)))
        entries[7] = try JSON.object(["after": ["_sd": [.string(try disclosure("Clerk").digest)]]]).canonical()
        entries[8] = try JSON.object([
            "after": ["_sd": [.string(try disclosure("Chief").digest)]],
            "before": ["_blob": ["bytes": .integer(side.count), "sha256": .string(digest)]],
        ]).canonical()
        return entries
    }

    /// A bundle with its log, and the arguments that believe it.
    private static func bundle() throws -> (ExportedLog, [String]) {
        let entries = try entries()
        let log = try ExportedLog(entries)
        try log.put(try list(disclosure("Clerk")), "bundle/" + BundleFile.disclosures(7))
        try log.put(try list(disclosure("Chief")), "bundle/" + BundleFile.disclosures(8))
        try log.put(side, "bundle/" + BundleFile.side(8, "before"))
        let path = try log.bundle(indexes, of: entries)
        return (log, ["bundle", path, "--vkey", try ExportedLog.vkey()])
    }

    private static func list(_ disclosures: Disclosure...) throws -> [UInt8] {
        try JSON.array(disclosures.map { .string($0.encoded) }).canonical()
    }

    @Test func `an untouched one holds, and says what was asked`() throws {
        let (log, arguments) = try Self.bundle()
        let said = withExtendedLifetime(log) { Said(arguments + ["-o", "json"]) }
        #expect(said.code == 0, "\(said)")
        #expect(try said.json["entries"] == 4)
        #expect(try said.json["filter"] == "outcome eq \"done\"")
        #expect(try said.json["size"] == 300)
        #expect(try said.json["manifest_sha256"]?.string?.count == 44)
    }

    @Test func `a file that was changed, removed or added is named`() throws {
        for file in ["checkpoint", BundleFile.leaf(7), BundleFile.receipt(7), BundleFile.disclosures(7)] {
            let (log, arguments) = try Self.bundle()
            try log.change("bundle/" + file) { $0[$0.count / 2] ^= 1 }
            #expect(Said(arguments).code == 12)
            try log.remove("bundle/" + file)
            let said = Said(arguments)
            #expect(said.code == 11)
            #expect(said.notes.contains(file))
        }
        let (log, arguments) = try Self.bundle()
        try log.put([1], "bundle/entries/5.json")
        #expect(Said(arguments).notes.contains("malformed: entries/5.json: the manifest does not name it"))
        try log.change("bundle/manifest.json") { $0.removeLast() }
        #expect(Said(arguments).code == 10)
        try log.remove("bundle/manifest.json")
        #expect(Said(arguments).code == 11)
    }

    /// As above by one who writes the manifest anew.
    private static func tampered(_ change: (ExportedLog) throws -> Void) throws -> Said {
        let (log, arguments) = try bundle()
        try change(log)
        try log.seal("bundle", indexes)
        return Said(arguments)
    }

    @Test func `an edited entry does not lead to the root, also under a new manifest`() throws {
        let said = try Self.tampered { log in try log.change("bundle/" + BundleFile.leaf(2)) { $0[2] ^= 1 } }
        #expect(said.code == 12)
        #expect(said.notes.contains("altered: entries/2.json, entry 2:"))
    }

    @Test func `two entries in each other's place are found, with their receipts or without`() throws {
        let without = try Self.tampered { log in
            try log.swap("bundle/" + BundleFile.leaf(2), "bundle/" + BundleFile.leaf(299))
        }
        #expect(without.code == 12)
        let with = try Self.tampered { log in
            try log.swap("bundle/" + BundleFile.leaf(2), "bundle/" + BundleFile.leaf(299))
            try log.swap("bundle/" + BundleFile.receipt(2), "bundle/" + BundleFile.receipt(299))
        }
        #expect(with.code == 12)
        #expect(with.notes.contains("it is the receipt of entry 299"))
    }

    @Test func `an index that is there twice, or that the log does not have, is no manifest`() throws {
        for indexes in [[2, 7, 7, 8, 299], [2, 7, 8, 300], [7, 2, 8, 299], [-1, 2]] {
            let (log, arguments) = try Self.bundle()
            try log.seal("bundle", indexes)
            #expect(Said(arguments).code == 10, "\(indexes)")
        }
    }

    @Test func `an entry that was put in from elsewhere has no receipt`() throws {
        let (log, arguments) = try Self.bundle()
        try log.put(try Self.entries()[9], "bundle/" + BundleFile.leaf(9))
        try log.put(log.bytes("bundle/" + BundleFile.receipt(8)), "bundle/" + BundleFile.receipt(9))
        try log.seal("bundle", [2, 7, 8, 9, 299])
        #expect(Said(arguments).code == 12)
        try log.remove("bundle/" + BundleFile.receipt(9))
        try log.seal("bundle", [2, 7, 8, 9, 299])
        #expect(Said(arguments).code == 11)
    }

    @Test func `disclosures of other entries, and values that were changed, are found`() throws {
        let swapped = try Self.tampered { log in
            try log.swap("bundle/" + BundleFile.disclosures(7), "bundle/" + BundleFile.disclosures(8))
        }
        #expect(swapped.code == 12)
        #expect(swapped.notes.contains("altered: entries/7.disclosures, entry 7:"))
        let changed = try Self.tampered { log in
            try log.put(try Self.list(Self.disclosure("Boss")), "bundle/" + BundleFile.disclosures(7))
        }
        #expect(changed.code == 12)
        let broken = try Self.tampered { log in
            try log.put(Array("[1]".utf8), "bundle/" + BundleFile.disclosures(7))
        }
        #expect(broken.code == 10)
        // A value that was erased leaves the entry as it was.
        let erased = try Self.tampered { log in try log.remove("bundle/" + BundleFile.disclosures(7)) }
        #expect(erased.code == 0)
    }

    @Test func `a side that was replaced is found`() throws {
        let said = try Self.tampered { log in
            try log.put(Array("{\"large\":false}".utf8), "bundle/" + BundleFile.side(8, "before"))
        }
        #expect(said.code == 12)
        #expect(said.notes.contains("altered: entries/8.before, entry 8:"))
        let elsewhere = try Self.tampered { log in try log.put(Self.side, "bundle/" + BundleFile.side(7, "before")) }
        #expect(elsewhere.code == 12)
    }

    @Test func `a bundle of a forked or rewritten log is refused by key, witness and time`() throws {
        let entries = try Self.entries()
        let log = try ExportedLog(entries)
        try log.bundle(Self.indexes, of: entries)
        let path = "\(log.path)/bundle"
        #expect(Said(["bundle", path, "--vkey", try ExportedLog.key(seed: 2).verifier.text]).code == 14)
        let policy = try log.anchoredPolicy()
        #expect(Said(["bundle", path, "--policy", policy]).code == 16)
        try log.anchor(witnesses: [ExportedLog.witness()], to: "bundle/anchor")
        try log.seal("bundle", Self.indexes)
        let said = Said(["bundle", path, "--policy", policy, "-o", "json"])
        #expect(said.code == 0, "\(said)")
        #expect(try said.json["anchored_size"] == 300)
        // A receipt of another checkpoint of the log, and one of the log that the witness never saw.
        let fork = try ExportedLog(`Tampering with an exported log`.altered(3))
        try fork.bundle([5], of: `Tampering with an exported log`.altered(3))
        for file in ["anchor/checkpoint", "anchor/anchor.tlog-proof"] {
            try fork.put(log.bytes("bundle/" + file), "bundle/" + file)
        }
        try fork.seal("bundle", [5])
        #expect(Said(["bundle", "\(fork.path)/bundle", "--policy", policy]).code == 16)
    }

    @Test func `a bundle brings its key's history along`() throws {
        let entries = try Self.entries()
        let log = try ExportedLog(entries, signedBy: ExportedLog.key(seed: 2))
        let word = try KeyEndorsement(of: ExportedLog.key(seed: 2).verifier, by: ExportedLog.key())
        try log.put(word.note.bytes, "bundle/endorsements/0.note")
        let path = try log.bundle(Self.indexes, of: entries)
        #expect(Said(["bundle", path, "--vkey", try ExportedLog.vkey()]).code == 0)
        #expect(Said(["bundle", path, "--vkey", try ExportedLog.key(seed: 7).verifier.text]).code == 14)
    }

    @Test func `a path that leads out of the bundle is no manifest`() throws {
        for path in ["../checkpoint", "/etc/passwd", "entries//2.json", ".hidden", "a/../b", "entries/2.JSON"] {
            let (log, arguments) = try Self.bundle()
            try log.change("bundle/manifest.json") {
                $0 = Array(String(decoding: $0, as: UTF8.self).replacing("entries/2.json", with: path).utf8)
            }
            #expect(Said(arguments).code == 10, "\(path)")
        }
    }
}
