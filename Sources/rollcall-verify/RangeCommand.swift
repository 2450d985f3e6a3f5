import ArgumentParser
import Transparency

struct RangeCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "range",
        abstract: "Check a whole exported log: every entry, every tile, the checkpoint.",
        discussion: """
            The directory is what `rollcall audit export --log` writes: checkpoint, tile/ and tile/entries/ as \
            C2SP tlog-tiles lays them out. With --since, the log also has to go on from a checkpoint that you \
            kept: only that shows that nothing was taken back since.

            EXAMPLES
              rollcall-verify range ./log --policy policy.txt
              rollcall-verify range ./log --vkey "$VKEY" --since last-year.checkpoint
              rollcall-verify range ./log --policy policy.txt -o json
            """
    )

    @Argument(help: ArgumentHelp("The directory.", valueName: "log")) var log: String
    @Option(help: ArgumentHelp("A checkpoint that you kept. May be given again.", valueName: "file"))
    var since: [String] = []
    @OptionGroup var trust: TrustOptions
    @OptionGroup var form: OutputOptions

    var output: OutputForm { form.output }

    func check() throws -> Report {
        let directory = LogDirectory(path: log)
        let signed = try InputFile.checkpoint(directory.checkpointPath)
        let signatures = try trust.verify(signed, in: directory.checkpointPath)
        let held = try since.map { file in
            let kept = try InputFile.checkpoint(file)
            _ = try trust.verify(kept, in: file)
            try kept.isOfSameLog(as: signed, file)
            return (kept.checkpoint, file)
        }
        let walk = LogWalk(directory: directory, checkpoint: signed.checkpoint, held: held)
        let counts = try walk.run()
        return Report(
            checkpoint: signed.checkpoint,
            signatures: signatures,
            more: [
                ("entries", .integer(counts.entries)), ("bytes", .integer(counts.bytes)),
                ("goes_on_from", .array(walk.held.map { .integer($0.checkpoint.size) })),
                // No fault: a log may have grown while it was copied. But what stands there is not proved.
                ("not_covered", .array(directory.entriesBeyond(signed.checkpoint.size).map(JSON.string))),
            ]
        )
    }
}

extension SignedCheckpoint {
    /// Refuses a checkpoint of another log.
    func isOfSameLog(as other: SignedCheckpoint, _ file: String) throws {
        guard checkpoint.origin == other.checkpoint.origin else {
            throw Fault(.origin, file, "it is of the log \(checkpoint.origin.text)")
        }
    }
}
