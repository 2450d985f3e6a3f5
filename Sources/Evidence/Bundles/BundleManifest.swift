package import Transparency

/// What a bundle of evidence holds and what was asked for: `manifest.json` in its directory. It is signed by nobody. What it
/// names is proved by the files themselves; it shows what was to be there.
package struct BundleManifest: Hashable, Sendable {
    /// The log, its size and root: the tree that every entry is proved in.
    package let origin: String
    package let size: Int
    package let root: MerkleHash
    /// The question as it was asked.
    package let query: Query
    /// Indexes of the entries, ascending.
    package let indexes: [Int]
    package let files: [File]
    /// When, by the clock of who made it, and the user whose token it was.
    package let madeAt: String
    package let madeBy: String

    /// A question to the log: nil selects everything.
    package struct Query: Hashable, Sendable {
        package let filter: String?
        package let from: String?
        package let to: String?

        package init(filter: String?, from: String?, to: String?) {
            (self.filter, self.from, self.to) = (filter, from, to)
        }
    }

    /// A file beside the manifest.
    package struct File: Hashable, Sendable {
        package let path: String
        package let bytes: Int
        /// Base64.
        package let sha256: String

        package init(path: String, bytes: Int, sha256: String) {
            (self.path, self.bytes, self.sha256) = (path, bytes, sha256)
        }
    }

    /// Its own name.
    package static let name = "manifest.json"
    /// Entries of one bundle: each has two files.
    package static let mostEntries = 100_000
    /// Bytes of the largest manifest.
    package static let largestBytes = 64 << 20

    private static let version = 1
    /// Three files or four of an entry, each an object of three values, and its index.
    private static let limits = JSON.Limits(bytes: largestBytes, depth: 8, values: 20 * mostEntries)

    /// Whoever makes it has checked what it says.
    package init(
        checkpoint: Checkpoint,
        query: Query,
        indexes: [Int],
        files: [File],
        madeAt: String,
        madeBy: String
    ) {
        (origin, size, root) = (checkpoint.origin.text, checkpoint.size, checkpoint.root)
        (self.query, self.indexes, self.files) = (query, indexes, files)
        (self.madeAt, self.madeBy) = (madeAt, madeBy)
    }

    /// Reads a manifest; nil for what is none: members that are missing or unknown, indexes that do not ascend or that the
    /// tree does not have, a path that leads elsewhere or stands twice.
    package init?(parsing bytes: [UInt8]) {
        // What is no JSON is no manifest; the reader's word on why is for nobody.
        guard let json = try? JSON.parse(bytes, limits: Self.limits), let object = json.object,
            Set(object.keys) == ["v", "origin", "size", "root", "query", "indexes", "files", "made_at", "made_by"],
            json["v"]?.int64 == Int64(Self.version), let origin = json["origin"]?.string,
            let size = json["size"]?.int64, size >= 0,
            let root = json["root"]?.string.flatMap({ MerkleHash(base64: $0) }), let query = json["query"]?.object,
            Set(query.keys) == ["filter", "from", "to"], let madeAt = json["made_at"]?.string,
            let madeBy = json["made_by"]?.string, let indexes = json["indexes"]?.array, let files = json["files"]?.array
        else { return nil }
        (self.origin, self.size, self.root) = (origin, Int(size), root)
        (self.madeAt, self.madeBy) = (madeAt, madeBy)
        self.query = Query(
            filter: query["filter"]?.string,
            from: query["from"]?.string,
            to: query["to"]?.string
        )
        self.indexes = indexes.compactMap { $0.int64.map { Int($0) } }
        self.files = files.compactMap { File($0) }
        guard self.indexes.count == indexes.count, self.files.count == files.count,
            zip(self.indexes, self.indexes.dropFirst()).allSatisfy({ $0 < $1 }),
            self.indexes.first ?? 0 >= 0, self.indexes.last ?? -1 < self.size,
            Set(self.files.map(\.path)).count == files.count
        else { return nil }
    }

    /// RFC 8785 JSON.
    package func bytes() throws(JSON.CanonicalError) -> [UInt8] {
        let object: JSON = [
            "v": .integer(Self.version), "origin": .string(origin), "size": .integer(size),
            "root": .string(root.base64),
            "query": [
                "filter": query.filter.map(JSON.string) ?? .null, "from": query.from.map(JSON.string) ?? .null,
                "to": query.to.map(JSON.string) ?? .null,
            ],
            "indexes": .array(indexes.map { .integer($0) }),
            "files": .array(
                files.sorted { $0.path < $1.path }.map { file in
                    ["path": .string(file.path), "bytes": .integer(file.bytes), "sha256": .string(file.sha256)]
                }
            ),
            "made_at": .string(madeAt), "made_by": .string(madeBy),
        ]
        return try object.canonical()
    }
}

extension BundleManifest.File {
    fileprivate init?(_ json: JSON) {
        guard json.object?.count == 3, let path = json["path"]?.string, Self.isPlain(path),
            let bytes = json["bytes"]?.int64, bytes >= 0, let sha256 = json["sha256"]?.string
        else { return nil }
        self.init(path: path, bytes: Int(bytes), sha256: sha256)
    }

    /// Letters, digits, dots and hyphens between slashes, and no part that leads up or is hidden.
    private static func isPlain(_ path: String) -> Bool {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return path.utf8.count <= 255 && path != BundleManifest.name
            && parts.allSatisfy { part in
                part.first.map { $0 != UInt8(ascii: ".") } == true
                    && part.allSatisfy { byte in
                        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x2E
                    }
            }
    }
}

/// Where the files of a bundle are.
package enum BundleFile {
    /// The checkpoint that every entry is proved against.
    package static let checkpoint = "checkpoint"
    /// The directory of what vouches for it.
    package static let anchor = "anchor"
    /// In an anchor's directory: the checkpoint that is anchored, and the root log's receipt of it.
    package static let anchored = "checkpoint"
    package static let proof = "anchor.tlog-proof"
    /// In an anchor's directory: stamps over the text of the root checkpoint.
    package static let timestamps = "timestamps"
    /// The log's keys' words for one another: signed notes.
    package static let endorsements = "endorsements"
    /// What the log says of its keys. Whoever verifies gets them from somebody else.
    package static let keys = "keys.json"

    /// The exact bytes of an entry.
    package static func leaf(_ index: Int) -> String { "entries/\(index).json" }
    /// Its receipt.
    package static func receipt(_ index: Int) -> String { "entries/\(index).tlog-proof" }
    /// What stands behind its digests: a JSON array of encoded disclosures.
    package static func disclosures(_ index: Int) -> String { "entries/\(index).disclosures" }
    /// A side of its change that its leaf only names.
    package static func side(_ index: Int, _ side: String) -> String { "entries/\(index).\(side)" }
}

/// What of a leaf other files have to fit.
package struct LeafReferences: Hashable, Sendable {
    /// Digests of disclosures, of both sides.
    package let disclosures: Set<String>
    /// Base64 of SHA-256, by the side (`before`, `after`) that stands in a file of its own.
    package let blobs: [String: String]

    /// nil for bytes that are no leaf.
    package init?(leaf: [UInt8]) {
        // What is no JSON is no leaf.
        guard let json = try? JSON.parse(leaf), json.object != nil else { return nil }
        var digests: Set<String> = []
        var blobs: [String: String] = [:]
        for side in ["before", "after"] {
            for digest in json[side]?["_sd"]?.array ?? [] { if let text = digest.string { digests.insert(text) } }
            if json[side]?.object?.count == 1, let sha256 = json[side]?["_blob"]?["sha256"]?.string {
                blobs[side] = sha256
            }
        }
        (disclosures, self.blobs) = (digests, blobs)
    }
}
