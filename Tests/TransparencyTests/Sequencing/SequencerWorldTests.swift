import Testing
import Transparency

/// A database and an outside store in memory, with leaders that die, hang, lose answers and meet each other.
private struct World {
    struct Database {
        var tree = TileTree()
        var tiles: [TileCoordinate: Tile] = [:]
        var pending: [Int64] = []
        var indexes: [Int64] = []
        var epoch: Int64 = 0
        var published: SignedCheckpoint?

        var log: DatabaseLog {
            DatabaseLog(size: tree.size, root: tree.root, edge: tree.partialTiles, epoch: epoch, published: published)
        }
    }

    struct Leader {
        let epoch: Int64
        var machine: Sequencer
        var next: SequencerAction = .reload
        var isDone = false
    }

    var database = Database()
    var copy = OutsideCopy.missing
    var leaders: [Leader] = []
    /// Every checkpoint that was ever kept outside, in order.
    var kept: [Checkpoint] = []
    var acknowledged: Int64 = 0
    var halts: [SequencerHalt] = []
    var random: SeededGenerator
    let key: NoteSigningKey

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        key = try Signers.key("log.example")
    }

    static func leaf(_ position: Int64) -> MerkleHash { .leaf(Array("leaf \(position)".utf8)) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func write() {
        for _ in 0..<Int.random(in: 0..<40, using: &random) {
            database.pending.append(acknowledged)
            acknowledged += 1
        }
        database.pending.shuffle(using: &random)
    }

    /// The database alone, with entries that nobody else has.
    mutating func grow(to size: Int) throws {
        while database.tree.size < size {
            let position = Int64(database.tree.size) + 1_000_000
            for tile in try database.tree.append(Self.leaf(position)) { database.tiles[tile.coordinate] = tile }
            database.indexes.append(position)
        }
    }

    mutating func elect() throws {
        database.epoch += 1
        let machine = try Sequencer(origin: key.verifier.name, keys: [key.verifier], epoch: database.epoch)
        leaders.append(Leader(epoch: database.epoch, machine: machine))
    }

    /// One step of one leader; a lost answer is one that it never learns.
    mutating func step(_ place: Int) throws {
        var leader = leaders[place]
        defer { leaders[place] = leader }
        switch leader.next {
        case .reload: leader.next = leader.machine.begin(database: database.log, copy: copy)
        case .wait: leader.next = chance(30) ? leader.machine.publish() : leader.machine.take(taking(leader.epoch))
        case .read(let wanted): leader.next = leader.machine.tilesRead(tiles(wanted))
        case .sign(let checkpoint):
            leader.next = leader.machine.signed(try SignedCheckpoint(checkpoint, signedBy: key))
        case .commit(let batch): leader.next = leader.machine.commitEnded(commit(batch))
        case .swap(let old, let new):
            guard copy == (old.map { .held($0) } ?? .missing) else {
                leader.next = leader.machine.swapRefused(found: copy)
                return
            }
            let isLost = chance(10)
            if !isLost || chance(50) {
                copy = .held(new)
                kept.append(new.checkpoint)
            }
            leader.next = isLost ? leader.machine.swapRefused(found: chance(50) ? copy : nil) : leader.machine.swapped()
        case .record(let signed):
            guard database.epoch == leader.epoch else {
                leader.next = leader.machine.recordEnded(.fenced)
                return
            }
            database.published = signed
            leader.next = leader.machine.recordEnded(chance(10) ? .unknown : .done)
        case .stepDown: leader.isDone = true
        case .halt(let reason):
            halts.append(reason)
            leader.isDone = true
        }
    }

    private func taking(_ epoch: Int64) -> PendingBatch {
        let leaves = database.pending.prefix(20).map { PendingLeaf(position: $0, hash: Self.leaf($0)) }
        return PendingBatch(size: database.tree.size, root: database.tree.root, epoch: database.epoch, leaves: leaves)
    }

    private func tiles(_ wanted: [TileCoordinate]) -> [Tile] {
        let kept = database.tiles.values + database.tree.partialTiles
        return wanted.compactMap { place in
            kept.first { $0.coordinate.level == place.level && $0.coordinate.index == place.index }
        }
    }

    private mutating func commit(_ batch: SequencedBatch) -> SequencerOutcome {
        guard database.epoch == batch.epoch, database.tree.size == batch.oldSize, database.tree.root == batch.oldRoot
        else {
            return .fenced
        }
        if chance(10) { return chance(50) ? .undone : .unknown }
        for position in batch.positions {
            do {
                for tile in try database.tree.append(Self.leaf(position)) { database.tiles[tile.coordinate] = tile }
            } catch {
                Issue.record(error)
            }
        }
        database.indexes += batch.positions
        database.pending.removeAll(where: Set(batch.positions).contains)
        #expect(database.tree.root == batch.root)
        return chance(10) ? .unknown : .done
    }

    /// Every checkpoint that was kept is of a tree that the next one begins with.
    func keptAreConsistent() throws {
        var tree = TileTree()
        var position = 0
        for checkpoint in kept {
            #expect(checkpoint.size >= position)
            while position < checkpoint.size {
                _ = try tree.append(Self.leaf(database.indexes[position]))
                position += 1
            }
            #expect(checkpoint.root == tree.root)
        }
    }
}

@Suite struct `Sequencers that meet` {
    @Test(arguments: 0..<4)
    func `no gap, no double, no fork, whoever dies and hangs`(seed: UInt64) throws {
        var world = try World(seed: seed)
        for _ in 0..<400 {
            if world.chance(20) { world.write() }
            if world.leaders.isEmpty || world.chance(3) { try world.elect() }
            // Any of them, also one that was thought dead.
            let place = Int.random(in: world.leaders.indices, using: &world.random)
            try world.step(place)
            world.leaders.removeAll(where: \.isDone)
        }
        #expect(world.halts.isEmpty)
        // Left alone, the last leader brings all to its end.
        try world.elect()
        let last = world.leaders.count - 1
        for _ in 0..<2000 where !world.database.pending.isEmpty { try world.step(last) }
        #expect(world.database.indexes.sorted() == Array(0..<world.acknowledged))
        #expect(!world.kept.isEmpty)
        try world.keptAreConsistent()
    }

    @Test(arguments: 0..<2, [false, true])
    func `after a restore nothing is signed that contradicts what was`(seed: UInt64, hasGrown: Bool) throws {
        var world = try World(seed: seed)
        try world.elect()
        var backup = world.database
        for round in 0..<300 {
            world.write()
            try world.step(0)
            if round == 100 { backup = world.database }
        }
        try #require(world.kept.contains { $0.size > backup.tree.size })
        let before = world.kept
        // The backup goes on for a while by itself, and its entries are others.
        world.database = backup
        world.database.pending = Array(world.acknowledged + 1000..<world.acknowledged + 1100)
        world.acknowledged += 2000
        // Or it has outgrown the copy by then, by a leader that was shown another store.
        if hasGrown { try world.grow(to: (before.last?.size ?? 0) + 50) }
        world.leaders = []
        for _ in 0..<5 {
            try world.elect()
            for _ in 0..<60 { try world.step(world.leaders.count - 1) }
        }
        #expect(world.kept.map(\.size) == before.map(\.size))
        #expect(!world.halts.isEmpty)
        for halt in world.halts {
            switch (halt, hasGrown) {
            case (.behind, false), (.forked, true): continue
            default: Issue.record("\(halt)")
            }
        }
    }
}
