/// What the shell around a `Sequencer` is to do next. Everything else is not allowed next.
package enum SequencerAction: Hashable, Sendable {
    /// Nothing, until there are leaves to take or it is time to publish. An open transaction is rolled back.
    case wait
    /// Read these tiles of the database: `tilesRead`.
    case read([TileCoordinate])
    /// Write the batch in the open transaction, only where the row of the log still has its epoch, old size and old root,
    /// and commit: `commitEnded`.
    case commit(SequencedBatch)
    /// Sign: `signed`.
    case sign(Checkpoint)
    /// Replace the copy outside the database, only if it is still this one (nil: none), and make the new one durable:
    /// `swapped` or `swapRefused`.
    case swap(replacing: SignedCheckpoint?, with: SignedCheckpoint)
    /// Write the checkpoint to the database, from where it is served, only where the epoch is still ours: `recordEnded`.
    case record(SignedCheckpoint)
    /// Read the log and the copy again: `begin`.
    case reload
    /// Another one leads. This machine is of no more use.
    case stepDown
    /// Stop, and tell an operator loudly.
    case halt(SequencerHalt)
}

/// What became of a write to the database.
package enum SequencerOutcome: Hashable, Sendable {
    case done
    /// Rolled back, and known to be.
    case undone
    /// The connection was lost before the answer.
    case unknown
    /// The epoch was no longer ours; nothing was written.
    case fenced
}

/// Why a log is not led on before an operator has looked.
package enum SequencerHalt: Hashable, Sendable, Error {
    /// The database's log is smaller than it was known to be: restored from a backup, or failed over to a standby that had
    /// not caught up.
    case behind(size: Int, known: Int)
    /// The database's log is not what was signed at that size.
    case forked(size: Int)
    /// The log has been published, and the copy outside is gone.
    case copyMissing(published: Int)
    /// The copy outside is older than what the database published: its store was restored, or it is another store.
    case copyBehind(size: Int, published: Int)
    /// A checkpoint that none of the log's keys signed, or of another log.
    case checkpointForeign(size: Int)
    /// The tiles do not have the root that the row of the log names.
    case rootDiffers(size: Int)
    /// Tiles are missing or not of their form.
    case tilesBroken(TreeError)
    /// The log has grown under this leader's epoch without it.
    case gap(expected: Int, found: Int)
    /// A leaf came that was taken already.
    case replayed(position: Int64)
    /// More leaves than `Sequencer.largestBatch`.
    case batchTooLarge(Int)
    /// The shell did what it was not asked to do.
    case outOfTurn
}

extension SequencerHalt: CustomStringConvertible {
    package var description: String {
        switch self {
        case .behind(let size, let known): "the database has \(size) entries, of a log that had \(known)"
        case .forked(let size): "the database's first \(size) entries are not those that were signed"
        case .copyMissing(let published): "\(published) entries were published, and the copy outside is missing"
        case .copyBehind(let size, let published):
            "the copy outside is of \(size) entries, and \(published) were published"
        case .checkpointForeign(let size): "the checkpoint of size \(size) is not signed by the log"
        case .rootDiffers(let size): "the tiles at size \(size) do not have the log's root"
        case .tilesBroken(let error): "\(error)"
        case .gap(let expected, let found): "the log grew from \(expected) to \(found) without its leader"
        case .replayed(let position): "the pending leaf \(position) came twice"
        case .batchTooLarge(let count): "a batch of \(count) leaves"
        case .outOfTurn: "a step that was not asked for"
        }
    }
}
