import Crypto
import Domain
import Evidence
import Foundation
import Transparency

/// Makes a bundle of evidence: the entries that a question selects, each with its receipt, and what vouches for the log.
struct BundleExport {
    let client: APIClient
    let query: BundleManifest.Query
    /// Whether what stands behind digests goes with it. Each entry is then read on its own, which is an entry itself.
    let isDisclosing: Bool
    let isQuiet: Bool
    let directory: URL
    let now: Timestamp

    /// Entries between two words on the progress.
    private static let entriesPerNote = 1000

    /// Refuses a directory that holds something.
    func run() async throws {
        try refuseUsed()
        let whoami = try await client.get("/v1/whoami").body
        let remote = try await RemoteLog(client)
        let anchor = try await RemoteAnchor.fetch(client)
        let signed: SignedCheckpoint
        if let anchor { signed = anchor.checkpoint } else { signed = try await remote.checkpoint() }
        let log = try await client.get("/v1/audit/log").body
        var files = BundleFiles(directory: directory)
        try files.write(signed.note.bytes, to: BundleFile.checkpoint)
        for (path, bytes) in anchor?.files ?? [] { try files.write(bytes, to: "\(BundleFile.anchor)/\(path)") }
        for (place, note) in (log["key_endorsements"]?.array ?? []).enumerated() {
            try files.write(Array((note.string ?? "").utf8), to: "\(BundleFile.endorsements)/\(place).note")
        }
        let keys: JSON = [
            "log": log["verifier_keys"] ?? [], "root_log": .array((anchor?.rootKeys ?? []).map(JSON.string)),
        ]
        try files.write(try keys.canonical(), to: BundleFile.keys)
        try files.write(policy(log, anchor), to: "policy.txt")
        let indexes = try await writeEntries(in: signed, of: remote, to: &files)
        let manifest = BundleManifest(
            checkpoint: signed.checkpoint,
            query: query,
            indexes: indexes,
            files: files.written,
            madeAt: now.description,
            madeBy: whoami[pointer: "/user/id"]?.string ?? ""
        )
        let bytes = try manifest.bytes()
        try files.write(bytes, to: BundleManifest.name)
        if !isQuiet {
            Output.note(
                "\(indexes.count) entries of \(signed.checkpoint.size); the manifest is \(BundleFiles.sha256(bytes))"
            )
        }
    }

    /// A policy to begin with. What it says comes from the server, which is not to be believed about itself.
    private func policy(_ log: JSON, _ anchor: RemoteAnchor?) -> [UInt8] {
        let keys = (log["verifier_keys"]?.array ?? []).compactMap(\.string) + (anchor?.rootKeys ?? [])
        let lines = ["# As the server says. Compare each key with what its operator told you by another way."]
        return Array((lines + keys.map { "log " + $0 } + ["quorum none", ""]).joined(separator: "\n").utf8)
    }

    private func refuseUsed() throws {
        // One that is not there is made.
        let held = (try? FileManager.default.contentsOfDirectory(atPath: directory.path())) ?? []
        guard held.isEmpty else { throw CommandFailure(.conflict, "\(directory.path()) is not empty") }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    private func writeEntries(
        in signed: SignedCheckpoint,
        of remote: RemoteLog,
        to files: inout BundleFiles
    ) async throws -> [Int] {
        let lines = directory.appending(path: "entries.ndjson")
        let file = try ExportFile(lines.path())
        let export = EntryExport(client: client, format: .ndjson, filter: query.filter, isQuiet: true)
        do {
            try await export.run(from: query.from, to: query.to, into: file)
        } catch {
            file.abandon()
            throw error
        }
        try file.finish()
        let text = try Data(contentsOf: lines)
        try FileManager.default.removeItem(at: lines)
        var tiles = RemoteTiles(remote)
        var indexes: [Int] = []
        for line in text.split(separator: 0x0A) {
            let json = try JSON.parse(Array(line))
            guard let index = json["index"]?.int64.map({ Int($0) }), let entry = json["entry"] else {
                throw CommandFailure(.failure, "the server's export cannot be read")
            }
            // Written since the checkpoint: the next bundle has it.
            if index >= signed.checkpoint.size { break }
            guard indexes.count < BundleManifest.mostEntries else {
                throw CommandFailure(.usage, "more than \(BundleManifest.mostEntries) entries: ask for fewer")
            }
            let leaf = try entry.canonical()
            let plan = try TilePlan.inclusion(of: index, inSize: signed.checkpoint.size)
            let proof = try LogProof(
                leaf: .leaf(leaf),
                index: index,
                signed: signed,
                tiles: try await tiles.tiles(plan.tiles)
            )
            try files.write(leaf, to: BundleFile.leaf(index))
            try files.write(proof.bytes, to: BundleFile.receipt(index))
            try await writeReferences(index, leaf, entry["id"]?.string ?? "", to: &files)
            indexes.append(index)
            if !isQuiet, indexes.count.isMultiple(of: Self.entriesPerNote) { Output.note("\(indexes.count) entries") }
        }
        return indexes
    }

    /// What a leaf only names: sides that have no room in it, and personal values behind its digests.
    private func writeReferences(_ index: Int, _ leaf: [UInt8], _ id: String, to files: inout BundleFiles) async throws
    {
        guard let references = LeafReferences(leaf: leaf) else { return }
        guard !references.blobs.isEmpty || isDisclosing && !references.disclosures.isEmpty else { return }
        let whole = try await client.get("/v1/audit/entries/" + URLText.escaped(id)).body
        for side in references.blobs.keys.sorted() {
            guard let value = whole[side] else { continue }
            try files.write(try value.canonical(), to: BundleFile.side(index, side))
        }
        // None where they were erased, or this token sees none.
        if isDisclosing, let disclosures = whole["disclosures"], disclosures.array?.isEmpty == false {
            try files.write(try disclosures.canonical(), to: BundleFile.disclosures(index))
        }
    }
}

/// The files of a bundle, as they are written.
private struct BundleFiles {
    let directory: URL
    private(set) var written: [BundleManifest.File] = []

    init(directory: URL) { self.directory = directory }

    mutating func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try LocalFile.write(bytes, to: directory.appending(path: path))
        } catch {
            throw CommandFailure(.failure, "\(path) cannot be written: \(error.localizedDescription)")
        }
        written.append(.init(path: path, bytes: bytes.count, sha256: Self.sha256(bytes)))
    }

    static func sha256(_ bytes: [UInt8]) -> String { Base64.standard.encode(Array(SHA256.hash(data: bytes))) }
}

/// Tiles of a log on a server, each fetched once.
private struct RemoteTiles {
    private let remote: RemoteLog
    private var held: [TileCoordinate: Tile] = [:]

    /// Tiles that are kept: 32 MiB.
    private static let mostHeld = 4096

    init(_ remote: RemoteLog) { self.remote = remote }

    mutating func tiles(_ places: [TileCoordinate]) async throws -> [Tile] {
        var found: [Tile] = []
        for place in places {
            if let tile = held[place] {
                found.append(tile)
                continue
            }
            let bytes = try await remote.file(.tile(place), mostBytes: TileCoordinate.fullWidth * MerkleHash.length)
            let tile = try Tile(place, bytes: bytes)
            if held.count >= Self.mostHeld { held = [:] }
            held[place] = tile
            found.append(tile)
        }
        return found
    }
}
