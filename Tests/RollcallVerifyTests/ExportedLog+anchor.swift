import Crypto
import Evidence
import Foundation
import Testing
import Transparency

@testable import rollcall_verify

extension ExportedLog {
    static let rootOrigin = "log.example/audit/root"

    static func rootKey(seed: UInt8 = 3) throws -> NoteSigningKey { try key(rootOrigin, seed: seed) }

    /// Leaves of a root log of ten, the fourth of which is the checkpoint's.
    static func rootLeaves(holding checkpoint: Checkpoint) throws -> [[UInt8]] {
        try (0..<10).map { place in
            let other = Checkpoint(origin: checkpoint.origin, size: place, root: .leaf([UInt8(place)]))
            return try binding(UInt8(place)).leaf(of: place == 3 ? checkpoint : other)
        }
    }

    private static func binding(_ byte: UInt8) throws -> CheckpointBinding {
        try #require(CheckpointBinding(salt: Array(repeating: byte, count: CheckpointBinding.saltLength)))
    }

    /// Writes what vouches for the log's checkpoint, as an export does; returns its directory.
    @discardableResult
    func anchor(
        _ checkpoint: String = "checkpoint",
        witnesses: [NoteSigningKey],
        rootKey: NoteSigningKey? = nil,
        to directory: String = "anchor"
    ) throws -> String {
        let signed = try SignedCheckpoint(parsing: bytes(checkpoint))
        var tree = TileTree()
        for leaf in try Self.rootLeaves(holding: signed.checkpoint) { _ = try tree.append(.leaf(leaf)) }
        let key = try rootKey ?? Self.rootKey()
        let root = Checkpoint(origin: key.verifier.name, size: tree.size, root: tree.root)
        var note = try SignedCheckpoint(root, signedBy: key).note
        for witness in witnesses { note = try note.adding(witness.signature(over: note.text, at: 1_763_712_000)) }
        let anchor = try CheckpointAnchor(
            signed.checkpoint,
            by: Self.binding(3),
            index: 3,
            in: SignedCheckpoint(note),
            tiles: tree.partialTiles
        )
        try put(signed.note.bytes, "\(directory)/checkpoint")
        try put(anchor.proof.bytes, "\(directory)/anchor.tlog-proof")
        return "\(path)/\(directory)"
    }

    /// A policy that believes log and root log, and asks for witness 9.
    func anchoredPolicy() throws -> String {
        let lines = [
            "log \(try Self.vkey())", "log \(try Self.rootKey().verifier.text)",
            "witness W \(try Self.witness().verifier.text)", "quorum W", "",
        ]
        try put(Array(lines.joined(separator: "\n").utf8), "policy")
        return "\(path)/policy"
    }

    /// A bundle of these entries under the log's checkpoint, in a directory of the log's. The seventh has a disclosure, the
    /// eighth a side of its own where `special` made the log.
    @discardableResult
    func bundle(_ indexes: [Int], of entries: [[UInt8]], to name: String = "bundle") throws -> String {
        let signed = try SignedCheckpoint(parsing: bytes("checkpoint"))
        try put(signed.note.bytes, "\(name)/checkpoint")
        for index in indexes {
            let plan = try TilePlan.inclusion(of: index, inSize: signed.checkpoint.size)
            let proof = try LogProof(
                leaf: .leaf(entries[index]),
                index: index,
                signed: signed,
                tiles: try plan.tiles.map { try directory.tile($0) }
            )
            try put(entries[index], "\(name)/" + BundleFile.leaf(index))
            try put(proof.bytes, "\(name)/" + BundleFile.receipt(index))
        }
        try seal(name, indexes)
        return "\(path)/\(name)"
    }

    /// Writes the manifest anew over what is there: what somebody does who tampers and knows the format.
    func seal(_ name: String, _ indexes: [Int]) throws {
        let signed = try SignedCheckpoint(parsing: bytes("\(name)/checkpoint"))
        let found = FileManager.default.enumerator(atPath: "\(path)/\(name)")?.compactMap { $0 as? String } ?? []
        let files = try found.filter { $0 != BundleManifest.name }.compactMap { file -> BundleManifest.File? in
            guard let content = FileManager.default.contents(atPath: "\(path)/\(name)/\(file)") else { return nil }
            var isDirectory = false
            isDirectory =
                try URL(filePath: "\(path)/\(name)/\(file)").resourceValues(forKeys: [.isDirectoryKey])
                .isDirectory ?? false
            if isDirectory { return nil }
            let digest = Base64.standard.encode(Array(SHA256.hash(data: content)))
            return BundleManifest.File(path: file, bytes: content.count, sha256: digest)
        }
        let manifest = BundleManifest(
            checkpoint: signed.checkpoint,
            query: .init(filter: "outcome eq \"done\"", from: nil, to: nil),
            indexes: indexes,
            files: files,
            madeAt: "2026-11-21T09:00:00Z",
            madeBy: "usr_x"
        )
        try put(try manifest.bytes(), "\(name)/" + BundleManifest.name)
    }
}
