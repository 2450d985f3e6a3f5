package import Domain
package import Storage
package import Transparency

/// Checks an organization's log, or the root log, in the live database, entry by entry, while it goes on growing: against itself, and against
/// checkpoints that were kept where nobody of the database reaches. What a copy of the log shows is `rollcall-verify`'s;
/// this one sees also what is not copied: columns that search goes by, the queue, triggers and rights.
///
/// Nothing is written. The size at the beginning is what is checked: what is under it never changes rightly, so that pages
/// may be read one after the other.
package struct LogCheck {
    /// A checkpoint from outside the database, and what to call it.
    package struct Kept: Sendable {
        let name: String
        let signed: SignedCheckpoint

        /// `name` is the place of its faults.
        package init(_ signed: SignedCheckpoint, name: String) { (self.signed, self.name) = (signed, name) }
    }

    /// Faults that are told one by one.
    package static let mostFaults = 1_000
    /// Entries of a page: as many as eight full tiles.
    private static let page = 8 * TileCoordinate.fullWidth

    private let organization: OrganizationID
    private let store: Store
    private let keys: CheckpointKeys?
    private let kept: [Kept]
    private var tree = TileTree()
    private var faults: [LogFault] = []
    private var faultCount = 0
    /// Digests that leaves of this page name in place of a side, with the index of one of them.
    private var named: [[UInt8]: Int] = [:]

    /// `keys` nil: the keys that the database names are believed, which an intruder could have replaced.
    package init(of organization: OrganizationID, in store: Store, keys: CheckpointKeys?, kept: [Kept]) {
        (self.organization, self.store, self.keys, self.kept) = (organization, store, keys, kept)
    }

    /// Throws where the database cannot be asked. `progress` is told how many entries of how many were read.
    package mutating func run(progress: (Int, Int) -> Void = { _, _ in }) async throws -> LogCheckReport {
        let view = try await read { try await $0.log() }
        let size = view?.size ?? 0
        let checkpoints = checkpoints(of: view)
        for checkpoint in checkpoints where checkpoint.signed.checkpoint.size > size {
            found(.rolledBack, at: checkpoint.name, "it covers \(checkpoint.signed.checkpoint.size) entries of \(size)")
        }
        for checkpoint in checkpoints where checkpoint.signed.checkpoint.size == 0 { compare(checkpoint) }
        let isWhole = try await walk(to: size, checkpoints, progress)
        if let view, isWhole {
            if tree.root != view.root {
                found(.rootAltered, "the entries' root is \(tree.root.base64), the log says \(view.root.base64)")
            }
            try await compare(tree.partialTiles)
        }
        try await lookForStrays()
        return LogCheckReport(
            organization: organization,
            origin: view?.origin,
            size: size,
            faults: faults,
            faultCount: faultCount,
            believesDatabase: keys == nil && view?.signed != nil
        )
    }

    // MARK: Entries

    /// false when it had to end where neither an entry nor the tree knows the hash.
    private mutating func walk(
        to size: Int,
        _ checkpoints: [Kept],
        _ progress: (Int, Int) -> Void
    ) async throws -> Bool {
        var first = 0
        while first < size {
            let end = min(first + Self.page, size)
            let places = (first / TileCoordinate.fullWidth...(end - 1) / TileCoordinate.fullWidth)
                .compactMap { TileCoordinate.at(level: 0, index: $0, size: size) }
            let (entries, leaves, tiles) = try await read { [first, organization] transaction in
                (
                    try await organization == .root ? [] : transaction.indexedEntries(from: first, before: end),
                    try await organization == .root ? transaction.rootLeaves(from: first, before: end) : [:],
                    try await transaction.tiles(places)
                )
            }
            let held = Dictionary(uniqueKeysWithValues: tiles.map { ($0.coordinate.index, $0.hashes) })
            for place in places where held[place.index] == nil {
                found(.tileAltered, at: LogFile.tile(place).path, "the tile is missing, or too short")
            }
            let known = Dictionary(entries.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
            var grown: [Tile] = []
            for index in first..<end {
                let (tile, offset) = index.quotientAndRemainder(dividingBy: TileCoordinate.fullWidth)
                let inTree = held[tile].map { $0[offset] }
                let hash =
                    organization == .root
                    ? rootHash(of: index, leaves[index], in: inTree) : hash(of: index, known[index], in: inTree)
                guard let hash else {
                    found(.tileAltered, at: "\(index)", "neither an entry nor a tile: nothing behind it can be checked")
                    return false
                }
                grown += try tree.append(hash)
                for checkpoint in checkpoints where checkpoint.signed.checkpoint.size == tree.size {
                    compare(checkpoint)
                }
            }
            try await compare(grown)
            try await lookForNamed()
            first = end
            progress(first, size)
        }
        return true
    }

    /// The hash that the tree goes on with. Where entry and tree differ it is the tree's, so that one altered entry is one
    /// fault, and not also every hash over it.
    private mutating func hash(of index: Int, _ row: CheckedEntry?, in tree: MerkleHash?) -> MerkleHash? {
        guard let row else {
            found(.entryMissing, at: "\(index)", "no entry has this index")
            return tree
        }
        guard let entry = row.entry else {
            found(.entryMissing, at: "\(index)", "\(row.searched.id) is gone")
            return tree
        }
        let hash = MerkleHash.leaf(entry.leaf)
        if let tree, tree != hash {
            found(
                .leafAltered,
                at: "\(index)",
                "\(row.searched.id) hashes to \(hash.base64), the tree has \(tree.base64)"
            )
        }
        // A leaf that is no JSON says nothing, and no column is right.
        let said = try? JSON.parse(entry.leaf)
        let columns = said.flatMap { LeafColumns($0) }
        for digest in [said?["before"], said?["after"]].compactMap({ LeafBlob.digest(namedBy: $0) }) {
            named[digest] = index
        }
        if columns != entry.columns {
            found(
                .columnsAltered,
                at: "\(index)",
                "audit_entries does not say of \(row.searched.id) what its leaf says"
            )
        }
        if columns != row.searched {
            found(.columnsAltered, at: "\(index)", "audit_index does not say of \(row.searched.id) what its leaf says")
        }
        return tree ?? hash
    }

    /// As above for the root log, whose leaves stand in no column besides.
    private mutating func rootHash(of index: Int, _ leaf: [UInt8]?, in tree: MerkleHash?) -> MerkleHash? {
        guard let leaf else {
            found(.entryMissing, at: "\(index)", "no leaf has this index")
            return tree
        }
        let hash = MerkleHash.leaf(leaf)
        if let tree, tree != hash {
            found(.leafAltered, at: "\(index)", "it hashes to \(hash.base64), the tree has \(tree.base64)")
        }
        return tree ?? hash
    }

    private mutating func lookForNamed() async throws {
        guard !named.isEmpty else { return }
        let digests = Array(named.keys)
        let missing = try await read { try await $0.missingBlobs(of: digests) }
        for (index, digest) in missing.map({ (named[$0] ?? 0, $0) }).sorted(by: { $0.0 < $1.0 }) {
            found(.blobAltered, at: "\(index)", "the side \(Base64.standard.encode(digest)) of it is gone, or altered")
        }
        named.removeAll(keepingCapacity: true)
    }

    // MARK: The tree

    /// Tiles that follow from those below them, with the ones that are served.
    private mutating func compare(_ tiles: [Tile]) async throws {
        let upper = tiles.filter { $0.coordinate.level > 0 }
        let held = try await read { try await $0.tiles(upper.map(\.coordinate)) }
        for tile in upper where !held.contains(tile) {
            found(.tileAltered, at: LogFile.tile(tile.coordinate).path, "it does not follow from the tiles below it")
        }
    }

    private mutating func compare(_ checkpoint: Kept) {
        let root = checkpoint.signed.checkpoint.root
        guard root != tree.root else { return }
        found(
            .forked,
            at: checkpoint.name,
            "it was signed over the root \(root.base64) at \(tree.size) entries, the entries' root is \(tree.root.base64)"
        )
    }

    /// The database's and those from outside, each with its signature.
    private mutating func checkpoints(of view: LogView?) -> [Kept] {
        let served = view?.signed.map { [Kept($0, name: "checkpoint")] } ?? []
        let all = served + kept
        guard let view, !all.isEmpty else { return all }
        guard let origin = NoteKeyName(view.origin) else {
            found(.checkpointUnproved, "\(view.origin) cannot be the origin of a log")
            return all
        }
        let policy: LogPolicy
        do {
            let own = try keys.map { try organization == .root ? $0.rootKeys(of: origin) : $0.keys(of: origin) }
            let believed = try own?.believed ?? view.verifierKeys.map { try NoteVerifierKey($0) }
            policy = try LogPolicy(logs: believed)
        } catch {
            found(.checkpointUnproved, "the keys that the database names are none")
            return all
        }
        for checkpoint in all {
            do {
                guard checkpoint.signed.checkpoint.origin == origin else {
                    found(
                        .checkpointUnproved,
                        at: checkpoint.name,
                        "it is of the log \(checkpoint.signed.checkpoint.origin.text)"
                    )
                    continue
                }
                _ = try policy.verify(checkpoint.signed)
            } catch {
                found(.checkpointUnproved, at: checkpoint.name, "\(error)")
            }
        }
        return all.filter { $0.signed.checkpoint.origin == origin }
    }

    // MARK: Beside the tree

    private mutating func lookForStrays() async throws {
        for stray in try await read({ try await $0.strayEntries(most: Self.mostFaults) }) {
            switch stray {
            case .waitsNowhere(let id): found(.queueAltered, at: "\(id)", "no index, and nothing that waits for one")
            case .waitsAltered(let id): found(.queueAltered, at: "\(id)", "it waits under another hash than its leaf's")
            case .waitsForNothing(let id): found(.queueAltered, at: "\(id)", "waits, and is no entry or has its index")
            case .beyond(let id, let index):
                found(.beyondTheEnd, at: "\(index)", "\(id) has an index that the log does not have")
            }
        }
    }

    private mutating func found(_ kind: LogFault.Kind, at place: String? = nil, _ words: String) {
        faultCount += 1
        if faults.count < Self.mostFaults { faults.append(LogFault(kind, at: place, words)) }
    }

    private func read<Output: Sendable>(
        _ body: (OrganizationTransaction) async throws -> Output
    ) async throws -> Output {
        try await store.read(as: organization, body)
    }
}
