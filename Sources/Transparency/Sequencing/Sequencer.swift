/// What the leader of one log decides, without a database, a clock or a key at hand: each input is answered with the one
/// action that is allowed next, and what became of it is the next input.
///
/// Invariants, each with what keeps it:
///
/// 1. **An index is given once and none is left out.** Indexes are counted on from the tree, whose size the locked row of
///    the log has to confirm in the transaction that takes the leaves (`take`), and which grows only by `committed`.
/// 2. **Only the present leader writes.** Each leadership has an epoch of its own. The row of the log names the present
///    one, `commit` writes only where it still does, and a machine that sees another one steps down for good.
/// 3. **A leaf is taken once.** Leaves are consumed by deletion in that transaction; one that comes back all the same
///    (a replayed batch) halts.
/// 4. **What is signed was committed.** The tree that is signed is the one of the last commit whose outcome is known; after
///    an unknown one everything is read again.
/// 5. **No two signed checkpoints contradict each other.** Before it signs, the machine proves from the database's tiles
///    that the tree begins with that of the copy which is kept outside the database, and the new checkpoint counts only
///    once it has replaced exactly that copy.
/// 6. **A database that was restored signs nothing.** Its log is smaller than the copy (`behind`), or another (`forked`).
///    Without a copy, a log that once had a checkpoint waits for an operator (`copyMissing`).
/// 7. **Halted is halted.** No input leads out; an operator looks, and a new machine begins.
package struct Sequencer: Sendable {
    /// Whom it believes about its own checkpoints: its key now, and former ones.
    private let policy: LogPolicy
    private let origin: NoteKeyName
    /// This leadership.
    private let epoch: Int64
    private var state: State = .unloaded

    /// Leaves of the largest batch.
    package static let largestBatch = 8192

    /// What is known while all is well.
    private struct Log {
        var tree: TileTree
        /// The checkpoint that is kept outside; nil before a log's first.
        var copy: SignedCheckpoint?
        /// Positions of the batch that was committed last.
        var taken: Set<Int64> = []
    }

    private enum State {
        /// Knows nothing that it may rely on: at the beginning, and after an outcome that nobody knows.
        case unloaded
        case comparing(Log, ConsistencyPlan, unrecorded: Bool)
        case ready(Log)
        case committing(Log, SequencedBatch, TileTree)
        case proving(Log, ConsistencyPlan)
        case signing(Log, Checkpoint)
        case swapping(Log, SignedCheckpoint)
        case recording(Log)
        case deposed
        case halted(SequencerHalt)
    }

    /// The tiles by which the present tree is compared with the copy.
    private struct ConsistencyPlan {
        let old: Checkpoint
        let tiles: TilePlan
    }

    /// The machine of one leadership of one log. `keys` are the log's own, now and formerly; refuses one under another name
    /// than the origin.
    package init(origin: NoteKeyName, keys: [NoteVerifierKey], epoch: Int64) throws(NoteError) {
        if let other = keys.first(where: { $0.name != origin }) { throw .otherOrigin(found: other.name) }
        policy = try LogPolicy(logs: keys)
        (self.origin, self.epoch) = (origin, epoch)
    }

    /// Takes up the log as database and outside copy have it. To be called at the beginning and whenever the answer was
    /// `reload`.
    package mutating func begin(database: DatabaseLog, copy: OutsideCopy) -> SequencerAction {
        guard case .unloaded = state else { return outOfTurn() }
        guard database.epoch == epoch else { return stepDown() }
        let tree: TileTree
        do {
            tree = try TileTree(size: database.size, edge: database.edge)
        } catch {
            return halt(.tilesBroken(error))
        }
        guard tree.root == database.root else { return halt(.rootDiffers(size: tree.size)) }
        if let published = database.published {
            guard isOurs(published) else { return halt(.checkpointForeign(size: published.checkpoint.size)) }
            guard published.checkpoint.size <= tree.size else {
                return halt(.behind(size: tree.size, known: published.checkpoint.size))
            }
        }
        switch copy {
        case .missing:
            if let published = database.published { return halt(.copyMissing(published: published.checkpoint.size)) }
            state = .ready(Log(tree: tree, copy: nil))
            return .wait
        case .held(let signed):
            guard isOurs(signed) else { return halt(.checkpointForeign(size: signed.checkpoint.size)) }
            return compare(Log(tree: tree, copy: signed), with: signed, published: database.published)
        }
    }

    /// The tiles that `read` asked for, as the database has them.
    package mutating func tilesRead(_ tiles: [Tile]) -> SequencerAction {
        switch state {
        case .comparing(let log, let plan, let unrecorded):
            if let halted = contradiction(log.tree, plan, tiles) { return halt(halted) }
            return follow(log, unrecorded: unrecorded)
        case .proving(let log, let plan):
            if let halted = contradiction(log.tree, plan, tiles) { return halt(halted) }
            return sign(log)
        default: return outOfTurn()
        }
    }

    /// Leaves that were taken out of the pending ones, in a transaction that is still open and holds the row of the log
    /// locked. `wait` means that there is nothing to commit.
    package mutating func take(_ pending: PendingBatch) -> SequencerAction {
        guard case .ready(let log) = state else { return outOfTurn() }
        guard pending.epoch == epoch else { return stepDown() }
        guard pending.size >= log.tree.size else {
            return halt(.behind(size: pending.size, known: log.tree.size))
        }
        guard pending.size == log.tree.size else { return halt(.gap(expected: log.tree.size, found: pending.size)) }
        guard pending.root == log.tree.root else { return halt(.forked(size: pending.size)) }
        guard pending.leaves.count <= Self.largestBatch else { return halt(.batchTooLarge(pending.leaves.count)) }
        guard !pending.leaves.isEmpty else { return .wait }
        var positions: Set<Int64> = []
        for leaf in pending.leaves {
            guard positions.insert(leaf.position).inserted, !log.taken.contains(leaf.position) else {
                return halt(.replayed(position: leaf.position))
            }
        }
        do {
            let (batch, tree) = try SequencedBatch.appending(pending, to: log.tree)
            state = .committing(log, batch, tree)
            return .commit(batch)
        } catch {
            return halt(.tilesBroken(error))
        }
    }

    /// What became of the transaction of `commit`.
    package mutating func commitEnded(_ outcome: SequencerOutcome) -> SequencerAction {
        guard case .committing(var log, let batch, let tree) = state else { return outOfTurn() }
        switch outcome {
        case .done:
            log.tree = tree
            log.taken = Set(batch.positions)
            state = .ready(log)
            return .wait
        case .undone:
            state = .ready(log)
            return .wait
        case .unknown: return reload()
        case .fenced: return stepDown()
        }
    }

    /// Time to publish what has grown. `wait` means that there is nothing new.
    package mutating func publish() -> SequencerAction {
        guard case .ready(let log) = state else { return outOfTurn() }
        guard let copy = log.copy?.checkpoint, copy.size > 0 else {
            return log.copy != nil && log.tree.size == 0 ? .wait : sign(log)
        }
        guard copy.size < log.tree.size else { return .wait }
        do {
            let plan = ConsistencyPlan(old: copy, tiles: try .consistency(from: copy.size, to: log.tree.size))
            state = .proving(log, plan)
            return .read(plan.tiles.tiles)
        } catch {
            return halt(.tilesBroken(error))
        }
    }

    /// The checkpoint that `sign` asked for, signed.
    package mutating func signed(_ signed: SignedCheckpoint) -> SequencerAction {
        guard case .signing(let log, let checkpoint) = state else { return outOfTurn() }
        guard signed.checkpoint == checkpoint, isOurs(signed) else {
            return halt(.checkpointForeign(size: signed.checkpoint.size))
        }
        state = .swapping(log, signed)
        return .swap(replacing: log.copy, with: signed)
    }

    /// The copy outside was compared and replaced.
    package mutating func swapped() -> SequencerAction {
        guard case .swapping(var log, let new) = state else { return outOfTurn() }
        log.copy = new
        state = .recording(log)
        return .record(new)
    }

    /// The copy outside was another one than expected and stands as it was; or nobody knows what became of it (nil).
    package mutating func swapRefused(found: OutsideCopy?) -> SequencerAction {
        guard case .swapping(var log, let new) = state else { return outOfTurn() }
        // Our own, written by an attempt whose answer was lost.
        guard case .held(let copy) = found, copy.checkpoint == new.checkpoint, isOurs(copy) else { return reload() }
        log.copy = copy
        state = .recording(log)
        return .record(copy)
    }

    /// What became of `record`.
    package mutating func recordEnded(_ outcome: SequencerOutcome) -> SequencerAction {
        guard case .recording(let log) = state else { return outOfTurn() }
        switch outcome {
        case .done:
            state = .ready(log)
            return .wait
        case .undone, .unknown: return reload()
        case .fenced: return stepDown()
        }
    }
}

// MARK: - Decisions

extension Sequencer {
    private mutating func compare(
        _ log: Log,
        with copy: SignedCheckpoint,
        published: SignedCheckpoint?
    ) -> SequencerAction {
        let old = copy.checkpoint
        if let published = published?.checkpoint {
            guard published.size <= old.size else {
                return halt(.copyBehind(size: old.size, published: published.size))
            }
            guard published.size < old.size || published.root == old.root else { return halt(.forked(size: old.size)) }
        }
        // Kept outside and not in the database: somebody died in between.
        let unrecorded = published?.checkpoint.size != old.size
        guard old.size <= log.tree.size else { return halt(.behind(size: log.tree.size, known: old.size)) }
        guard old.size < log.tree.size else {
            guard old.root == log.tree.root else { return halt(.forked(size: old.size)) }
            return follow(log, unrecorded: unrecorded)
        }
        guard old.size > 0 else { return follow(log, unrecorded: unrecorded) }
        do {
            let plan = ConsistencyPlan(old: old, tiles: try .consistency(from: old.size, to: log.tree.size))
            state = .comparing(log, plan, unrecorded: unrecorded)
            return .read(plan.tiles.tiles)
        } catch {
            return halt(.tilesBroken(error))
        }
    }

    private mutating func follow(_ log: Log, unrecorded: Bool) -> SequencerAction {
        guard unrecorded, let copy = log.copy else {
            state = .ready(log)
            return .wait
        }
        state = .recording(log)
        return .record(copy)
    }

    /// Why the tree does not begin with the old one; nil if it does.
    private func contradiction(_ tree: TileTree, _ plan: ConsistencyPlan, _ tiles: [Tile]) -> SequencerHalt? {
        do {
            let proof = ConsistencyProof(
                oldSize: plan.old.size,
                size: tree.size,
                hashes: try plan.tiles.hashes(from: tiles)
            )
            try proof.verify(oldRoot: plan.old.root, root: tree.root)
            return nil
        } catch {
            return if case .rootDiffers = error { .forked(size: plan.old.size) } else { .tilesBroken(error) }
        }
    }

    private mutating func sign(_ log: Log) -> SequencerAction {
        let checkpoint = Checkpoint(origin: origin, size: log.tree.size, root: log.tree.root)
        state = .signing(log, checkpoint)
        return .sign(checkpoint)
    }

    private func isOurs(_ signed: SignedCheckpoint) -> Bool {
        do {
            // It refuses other origins than those of the keys, which are this log's.
            return try !policy.verify(signed).isEmpty
        } catch {
            return false
        }
    }

    private mutating func reload() -> SequencerAction {
        state = .unloaded
        return .reload
    }

    private mutating func stepDown() -> SequencerAction {
        state = .deposed
        return .stepDown
    }

    private mutating func halt(_ reason: SequencerHalt) -> SequencerAction {
        state = .halted(reason)
        return .halt(reason)
    }

    /// Whoever was deposed or halted hears it again, whatever comes; everybody else has lost count of their own steps.
    private mutating func outOfTurn() -> SequencerAction {
        switch state {
        case .deposed: .stepDown
        case .halted(let reason): .halt(reason)
        default: halt(.outOfTurn)
        }
    }
}
