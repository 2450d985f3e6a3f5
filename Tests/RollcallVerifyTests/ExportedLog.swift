import Foundation
import Testing
import Transparency

@testable import rollcall_verify

/// A log in a directory of its own, as an export writes it, for a test to tamper with. Gone with the test.
final class ExportedLog {
    let path: String
    var directory: LogDirectory { LogDirectory(path: path) }

    static let origin = "log.example/audit/acme"

    /// The log's key: that of seed 1. Others are strangers.
    static func key(_ name: String = origin, seed: UInt8 = 1, _ kind: NoteKind = .ed25519) throws -> NoteSigningKey {
        try NoteSigningKey(
            name: #require(NoteKeyName(name)),
            kind: kind,
            seed: Array(repeating: seed, count: NoteKind.keyLength)
        )
    }

    static func witness(_ seed: UInt8 = 9) throws -> NoteSigningKey {
        try key("witness.example/w\(seed)", seed: seed, .cosignature)
    }

    static func vkey() throws -> String { try key().verifier.text }

    static func entries(_ count: Int) -> [[UInt8]] { (0..<count).map { Array("{\"index\":\($0)}".utf8) } }

    init(_ entries: [[UInt8]], signedBy key: NoteSigningKey? = nil, witnesses: [NoteSigningKey] = []) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "rollcall-verify-\(UUID())").path
        try write(entries)
        try sign(entries, by: key ?? Self.key(), witnesses: witnesses)
    }

    deinit {
        // What is left behind is in the temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Bundles and tiles of these entries, over what is there.
    func write(_ entries: [[UInt8]]) throws {
        var tree = TileTree()
        for entry in entries {
            for tile in try tree.append(.leaf(entry)) { try put(tile.bytes, .tile(tile.coordinate)) }
        }
        for tile in tree.partialTiles { try put(tile.bytes, .tile(tile.coordinate)) }
        var index = 0
        while let place = BundleCoordinate.at(index: index, size: entries.count) {
            let part = entries[place.firstEntry..<(place.firstEntry + place.width)]
            try put(EntryBundle.encode(Array(part)), .entries(place))
            index += 1
        }
    }

    @discardableResult
    func sign(
        _ entries: [[UInt8]],
        by key: NoteSigningKey,
        witnesses: [NoteSigningKey] = [],
        to file: String = "checkpoint"
    ) throws -> String {
        var tree = TileTree()
        for entry in entries { _ = try tree.append(.leaf(entry)) }
        let checkpoint = Checkpoint(origin: key.verifier.name, size: tree.size, root: tree.root)
        var note = try SignedCheckpoint(checkpoint, signedBy: key).note
        for witness in witnesses { note = try note.adding(witness.signature(over: note.text, at: 1_763_712_000)) }
        try put(note.bytes, file)
        return "\(path)/\(file)"
    }

    func put(_ bytes: [UInt8], _ file: LogFile) throws { try put(bytes, file.path) }

    func put(_ bytes: [UInt8], _ file: String) throws {
        let url = URL(filePath: "\(path)/\(file)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    func bytes(_ file: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: "\(path)/\(file)"))) }

    func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(file)") }

    func change(_ file: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = try bytes(file)
        change(&bytes)
        try put(bytes, file)
    }

    func swap(_ one: String, _ other: String) throws {
        let (first, second) = (try bytes(one), try bytes(other))
        try put(second, one)
        try put(first, other)
    }
}

/// What the program said.
struct Said {
    let code: Int32
    let out: String
    let notes: String

    init(_ arguments: [String]) {
        var (out, notes) = ("", "")
        code = RollcallVerify.run(arguments, to: Output(write: { out += $0 }, note: { notes += $0 + "\n" }))
        (self.out, self.notes) = (out, notes)
    }

    var json: JSON { get throws { try JSON.parse(Array(out.utf8)) } }
}
