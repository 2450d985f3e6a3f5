import Testing
import Transparency

/// The halts, one by one, and the way on which there is none.
@Suite struct `The sequencer` {
    static let origin = "log.example"

    static func machine(epoch: Int64 = 1) throws -> Sequencer {
        try Sequencer(origin: #require(NoteKeyName(origin)), keys: [Signers.key(origin).verifier], epoch: epoch)
    }

    static func signed(_ tree: TileTree, seed: UInt8 = 1, origin: String = origin) throws -> SignedCheckpoint {
        let key = try Signers.key(origin, seed: seed)
        return try SignedCheckpoint(
            Checkpoint(origin: key.verifier.name, size: tree.size, root: tree.root),
            signedBy: key
        )
    }

    static func tree(_ size: Int, of name: String = "leaf") throws -> TileTree {
        var tree = TileTree()
        for place in 0..<size { _ = try tree.append(.leaf(Array("\(name) \(place)".utf8))) }
        return tree
    }

    static func log(_ tree: TileTree, epoch: Int64 = 1, published: SignedCheckpoint? = nil) -> DatabaseLog {
        DatabaseLog(size: tree.size, root: tree.root, edge: tree.partialTiles, epoch: epoch, published: published)
    }

    /// A machine that follows a log of ten leaves whose first seven are published.
    static func following() throws -> (Sequencer, TileTree) {
        var machine = try machine()
        let published = try signed(tree(7))
        let ten = try tree(10)
        let action = machine.begin(database: log(ten, published: published), copy: .held(published))
        guard case .read = action else {
            Issue.record("\(action)")
            return (machine, ten)
        }
        #expect(machine.tilesRead(ten.partialTiles) == .wait)
        return (machine, ten)
    }

    static func pending(_ tree: TileTree, epoch: Int64 = 1, positions: [Int64]) -> PendingBatch {
        let leaves = positions.map { PendingLeaf(position: $0, hash: .leaf(Array("leaf \($0)".utf8))) }
        return PendingBatch(size: tree.size, root: tree.root, epoch: epoch, leaves: leaves)
    }

    @Test func `a new log begins, takes leaves, and publishes them`() throws {
        var machine = try Self.machine()
        #expect(machine.begin(database: Self.log(TileTree()), copy: .missing) == .wait)
        let empty = try Self.signed(TileTree())
        #expect(machine.publish() == .sign(empty.checkpoint))
        #expect(machine.signed(empty) == .swap(replacing: nil, with: empty))
        #expect(machine.swapped() == .record(empty))
        #expect(machine.recordEnded(.done) == .wait)
        #expect(machine.publish() == .wait)
        // Positions come in no order; the indexes follow them.
        guard case .commit(let batch) = machine.take(Self.pending(TileTree(), positions: [2, 0, 1])) else {
            Issue.record("no batch")
            return
        }
        let three = try Self.tree(3)
        #expect(batch.positions == [0, 1, 2])
        #expect((batch.oldSize, batch.oldRoot) == (0, .empty))
        #expect((batch.size, batch.root, batch.epoch) == (3, three.root, 1))
        #expect(batch.tiles == three.partialTiles)
        #expect(machine.commitEnded(.done) == .wait)
        let next = try Self.signed(three)
        #expect(machine.publish() == .sign(next.checkpoint))
        #expect(machine.signed(next) == .swap(replacing: empty, with: next))
        #expect(machine.swapped() == .record(next))
        #expect(machine.recordEnded(.done) == .wait)
        #expect(machine.take(Self.pending(three, positions: [])) == .wait)
    }

    @Test func `a batch over a tile's end brings the full tile and the new edge, and only what changed`() throws {
        let old = try Self.tree(250)
        var machine = try Self.machine()
        _ = machine.begin(database: Self.log(old), copy: .missing)
        guard case .commit(let batch) = machine.take(Self.pending(old, positions: Array(250..<260))) else {
            Issue.record("no batch")
            return
        }
        #expect(
            batch.tiles.map { LogFile.tile($0.coordinate).path } == ["tile/0/000", "tile/0/001.p/4", "tile/1/000.p/1"]
        )
        #expect(machine.commitEnded(.done) == .wait)
        let tree = try Self.tree(260)
        guard case .commit(let next) = machine.take(Self.pending(tree, positions: [260])) else {
            Issue.record("no batch")
            return
        }
        #expect(next.tiles.map { LogFile.tile($0.coordinate).path } == ["tile/0/001.p/5"])
    }

    @Test func `a database behind the copy, or behind what it published, halts`() throws {
        let copy = try Self.signed(Self.tree(11))
        for published in [nil, try Self.signed(Self.tree(7))] {
            var machine = try Self.machine()
            let halt = SequencerAction.halt(.behind(size: 10, known: 11))
            #expect(
                machine.begin(database: Self.log(try Self.tree(10), published: published), copy: .held(copy)) == halt
            )
            // And stays halted, whatever comes.
            #expect(machine.begin(database: Self.log(try Self.tree(12)), copy: .held(copy)) == halt)
            #expect(machine.publish() == halt)
            #expect(machine.take(Self.pending(try Self.tree(10), positions: [1])) == halt)
        }
        var machine = try Self.machine()
        #expect(
            machine.begin(database: Self.log(try Self.tree(10), published: copy), copy: .held(copy))
                == .halt(.behind(size: 10, known: 11))
        )
    }

    @Test func `a fork halts, at the copy's size and beyond`() throws {
        let copy = try Self.signed(Self.tree(10, of: "other"))
        for published in [nil, copy] {
            var machine = try Self.machine()
            let database = Self.log(try Self.tree(10), published: published)
            #expect(machine.begin(database: database, copy: .held(copy)) == .halt(.forked(size: 10)))
        }
        // Restored, and grown since: the first ten are others than those that were signed.
        var machine = try Self.machine()
        let twelve = try Self.tree(12)
        guard case .read(let tiles) = machine.begin(database: Self.log(twelve), copy: .held(copy)) else {
            Issue.record("no comparison")
            return
        }
        #expect(tiles.map { LogFile.tile($0).path } == ["tile/0/000.p/12"])
        #expect(machine.tilesRead(twelve.partialTiles) == .halt(.forked(size: 10)))
        // The served checkpoint is another than the copy of the same size.
        var other = try Self.machine()
        let database = Self.log(try Self.tree(10), published: try Self.signed(Self.tree(10)))
        #expect(other.begin(database: database, copy: .held(copy)) == .halt(.forked(size: 10)))
    }

    @Test func `a copy that is missing, behind, or not ours halts`() throws {
        let (seven, ten) = (try Self.signed(Self.tree(7)), try Self.tree(10))
        var machine = try Self.machine()
        #expect(
            machine.begin(database: Self.log(ten, published: seven), copy: .missing)
                == .halt(.copyMissing(published: 7))
        )
        machine = try Self.machine()
        let older = OutsideCopy.held(try Self.signed(Self.tree(6)))
        #expect(
            machine.begin(database: Self.log(ten, published: seven), copy: older)
                == .halt(.copyBehind(size: 6, published: 7))
        )
        for foreign in [try Self.signed(ten, seed: 2), try Self.signed(ten, origin: "log.other")] {
            let halt = SequencerAction.halt(.checkpointForeign(size: 10))
            machine = try Self.machine()
            #expect(machine.begin(database: Self.log(ten), copy: .held(foreign)) == halt)
            machine = try Self.machine()
            #expect(machine.begin(database: Self.log(ten, published: foreign), copy: .held(seven)) == halt)
        }
    }

    @Test func `a copy ahead of what is served, by a death in between, is recorded first`() throws {
        let (seven, ten) = (try Self.signed(Self.tree(7)), try Self.tree(10))
        let copy = try Self.signed(ten)
        for published in [nil, seven] {
            var machine = try Self.machine()
            #expect(machine.begin(database: Self.log(ten, published: published), copy: .held(copy)) == .record(copy))
            #expect(machine.recordEnded(.done) == .wait)
            #expect(machine.publish() == .wait)
        }
    }

    @Test func `tiles that do not belong to the log's row halt`() throws {
        let ten = try Self.tree(10)
        var machine = try Self.machine()
        let other = try Self.tree(10, of: "other")
        let torn = DatabaseLog(size: 10, root: ten.root, edge: other.partialTiles, epoch: 1, published: nil)
        #expect(machine.begin(database: torn, copy: .missing) == .halt(.rootDiffers(size: 10)))
        machine = try Self.machine()
        let gone = DatabaseLog(size: 10, root: ten.root, edge: [], epoch: 1, published: nil)
        let edge = try #require(TileCoordinate.edge(ofSize: 10).first)
        #expect(machine.begin(database: gone, copy: .missing) == .halt(.tilesBroken(.tileMissing(edge))))
        (machine, _) = try Self.following()
        guard case .read = machine.publish() else {
            Issue.record("no proof")
            return
        }
        #expect(machine.tilesRead([]) == .halt(.tilesBroken(.tileMissing(edge))))
        (machine, _) = try Self.following()
        _ = machine.publish()
        #expect(machine.tilesRead(other.partialTiles) == .halt(.forked(size: 7)))
    }

    @Test func `a batch that comes again halts, within itself and after its commit`() throws {
        var (machine, ten) = try Self.following()
        #expect(machine.take(Self.pending(ten, positions: [5, 6, 5])) == .halt(.replayed(position: 5)))
        (machine, ten) = try Self.following()
        guard case .commit(let batch) = machine.take(Self.pending(ten, positions: [20, 21])) else {
            Issue.record("no batch")
            return
        }
        #expect(machine.commitEnded(.done) == .wait)
        let again = PendingBatch(
            size: batch.size,
            root: batch.root,
            epoch: 1,
            leaves: Self.pending(ten, positions: [22, 21]).leaves
        )
        #expect(machine.take(again) == .halt(.replayed(position: 21)))
        // One that was rolled back comes again by right.
        (machine, ten) = try Self.following()
        _ = machine.take(Self.pending(ten, positions: [20, 21]))
        #expect(machine.commitEnded(.undone) == .wait)
        #expect(machine.take(Self.pending(ten, positions: [20, 21])) == .commit(batch))
    }

    @Test func `a log that shrinks, grows or changes under its leader halts`() throws {
        var (machine, ten) = try Self.following()
        #expect(machine.take(Self.pending(try Self.tree(9), positions: [1])) == .halt(.behind(size: 9, known: 10)))
        (machine, _) = try Self.following()
        #expect(machine.take(Self.pending(try Self.tree(12), positions: [1])) == .halt(.gap(expected: 10, found: 12)))
        (machine, _) = try Self.following()
        #expect(machine.take(Self.pending(try Self.tree(10, of: "x"), positions: [1])) == .halt(.forked(size: 10)))
        (machine, ten) = try Self.following()
        let many = Self.pending(ten, positions: Array(0..<Int64(Sequencer.largestBatch + 1)))
        #expect(machine.take(many) == .halt(.batchTooLarge(8193)))
    }

    @Test func `of two leaders the former steps down, wherever it hears of the other`() throws {
        var machine = try Self.machine()
        #expect(machine.begin(database: Self.log(try Self.tree(10), epoch: 2), copy: .missing) == .stepDown)
        var ten: TileTree
        (machine, ten) = try Self.following()
        #expect(machine.take(Self.pending(ten, epoch: 2, positions: [1])) == .stepDown)
        #expect(machine.publish() == .stepDown)
        #expect(machine.begin(database: Self.log(ten), copy: .missing) == .stepDown)
        (machine, ten) = try Self.following()
        _ = machine.take(Self.pending(ten, positions: [1]))
        #expect(machine.commitEnded(.fenced) == .stepDown)
        (machine, ten) = try Self.following()
        _ = machine.publish()
        _ = machine.tilesRead(ten.partialTiles)
        _ = machine.signed(try Self.signed(ten))
        _ = machine.swapped()
        #expect(machine.recordEnded(.fenced) == .stepDown)
    }

    @Test func `whoever loses the race for the copy reads everything again`() throws {
        let twelve = try Self.signed(Self.tree(12))
        for found in [nil, OutsideCopy.missing, .held(twelve), .held(try Self.signed(Self.tree(10), seed: 2))] {
            var (machine, ten) = try Self.following()
            _ = machine.publish()
            _ = machine.tilesRead(ten.partialTiles)
            _ = machine.signed(try Self.signed(ten))
            #expect(machine.swapRefused(found: found) == .reload)
            #expect(machine.begin(database: Self.log(ten), copy: .held(twelve)) == .halt(.behind(size: 10, known: 12)))
        }
        // It was ours, and only the answer was lost.
        var (machine, ten) = try Self.following()
        let copy = try Self.signed(ten)
        _ = machine.publish()
        _ = machine.tilesRead(ten.partialTiles)
        _ = machine.signed(copy)
        #expect(machine.swapRefused(found: .held(copy)) == .record(copy))
    }

    @Test func `what was signed has to be what was asked for`() throws {
        for wrong in [try Self.signed(Self.tree(9)), try Self.signed(Self.tree(10), seed: 2)] {
            var (machine, ten) = try Self.following()
            _ = machine.publish()
            guard case .sign = machine.tilesRead(ten.partialTiles) else {
                Issue.record("nothing to sign")
                return
            }
            #expect(machine.signed(wrong) == .halt(.checkpointForeign(size: wrong.checkpoint.size)))
        }
    }

    @Test func `an unknown outcome is read again, and a step out of turn halts`() throws {
        var (machine, ten) = try Self.following()
        _ = machine.take(Self.pending(ten, positions: [1]))
        #expect(machine.commitEnded(.unknown) == .reload)
        #expect(machine.begin(database: Self.log(ten), copy: .missing) == .wait)
        #expect(machine.swapped() == .halt(.outOfTurn))
        machine = try Self.machine()
        #expect(machine.publish() == .halt(.outOfTurn))
        let other = try #require(NoteKeyName("log.other"))
        #expect(throws: NoteError.otherOrigin(found: try #require(NoteKeyName(Self.origin)))) {
            try Sequencer(origin: other, keys: [Signers.key(Self.origin).verifier], epoch: 1)
        }
    }
}
