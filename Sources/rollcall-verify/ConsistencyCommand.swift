import ArgumentParser
import Transparency

struct ConsistencyCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "consistency",
        abstract: "Check that a checkpoint goes on from an older one.",
        discussion: """
            The proof is made from the tiles of the log's directory, a few files of it. Nothing is said about \
            entries: `range` reads them all.

            EXAMPLES
              rollcall-verify consistency old new --log ./log --policy policy.txt
              rollcall-verify consistency old ./log/checkpoint --log ./log --vkey "$VKEY"
            """
    )

    @Argument(help: ArgumentHelp("The older checkpoint.", valueName: "old")) var old: String
    @Argument(help: ArgumentHelp("The newer one.", valueName: "new")) var new: String
    @Option(help: ArgumentHelp("The directory with the tiles.", valueName: "directory")) var log: String
    @OptionGroup var trust: TrustOptions
    @OptionGroup var form: OutputOptions

    var output: OutputForm { form.output }

    func check() throws -> Report {
        let (older, newer) = (try InputFile.checkpoint(old), try InputFile.checkpoint(new))
        let trust = try trust.trust()
        _ = try trust.verify(older, in: old)
        let signatures = try trust.verify(newer, in: new)
        let anchored = try trust.anchored()
        try anchored?.require(newer.checkpoint, in: new)
        try older.isOfSameLog(as: newer, old)
        let (from, to) = (older.checkpoint, newer.checkpoint)
        guard from.size <= to.size else {
            throw Fault(.rolledBack, new, "the log has \(to.size) entries, and had \(from.size) by \(old)")
        }
        // Every log goes on from the empty one.
        if from.size > 0 { try prove(from, to) }
        return Report(
            checkpoint: to,
            signatures: signatures + (anchored?.signatures ?? []),
            more: [("goes_on_from", .integer(from.size))] + (anchored?.told ?? [])
        )
    }

    private func prove(_ from: Checkpoint, _ to: Checkpoint) throws {
        let directory = LogDirectory(path: log)
        let plan: TilePlan
        do throws(TreeError) {
            plan = try TilePlan.consistency(from: from.size, to: to.size)
        } catch {
            throw Fault(error, in: new)
        }
        let tiles = try plan.tiles.map { try directory.tile($0) }
        do throws(TreeError) {
            let proof = ConsistencyProof(oldSize: from.size, size: to.size, hashes: try plan.hashes(from: tiles))
            try proof.verify(oldRoot: from.root, root: to.root)
        } catch {
            guard case .rootDiffers(from.size) = error else { throw Fault(error, in: log) }
            throw Fault(.forked, new, "the log's first \(from.size) entries are not those of \(old)")
        }
    }
}
