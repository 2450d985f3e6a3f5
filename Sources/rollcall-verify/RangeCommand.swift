import ArgumentParser
import Transparency

struct RangeCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "range",
        abstract: "Check a whole exported log: every entry, every tile, the checkpoint.",
        discussion: """
            The directory is what `rollcall audit export --log` writes: checkpoint, tile/ and tile/entries/ as \
            C2SP tlog-tiles lays them out. With --since, the log also has to go on from a checkpoint that you \
            kept: only that shows that nothing was taken back since. With --anchor, it goes on from one that the \
            root log holds, whose witnesses are asked for in place of the log's own, and as far as that one goes \
            it is witnessed.

            EXAMPLES
              rollcall-verify range ./log --policy policy.txt
              rollcall-verify range ./log --vkey "$VKEY" --since last-year.checkpoint
              rollcall-verify range ./log --policy policy.txt --anchor ./log/anchor
              rollcall-verify range ./log --policy policy.txt --erased -o json
            """
    )

    @Argument(help: ArgumentHelp("The directory.", valueName: "log")) var log: String
    @Option(help: ArgumentHelp("A checkpoint that you kept. May be given again.", valueName: "file"))
    var since: [String] = []
    @Flag(help: "Also name the people whom the log says were erased.") var erased = false
    @OptionGroup var trust: TrustOptions
    @OptionGroup var form: OutputOptions

    var output: OutputForm { form.output }

    func check() throws -> Report {
        let directory = LogDirectory(path: log)
        let signed = try InputFile.checkpoint(directory.checkpointPath)
        let trust = try trust.trust()
        let signatures = try trust.verify(signed, in: directory.checkpointPath)
        let anchored = try trust.anchored()
        try anchored?.signed.isOfSameLog(as: signed, anchored?.file ?? log)
        var held = try since.map { file in
            let kept = try InputFile.checkpoint(file)
            _ = try trust.verify(kept, in: file)
            try kept.isOfSameLog(as: signed, file)
            return (kept.checkpoint, file)
        }
        if let anchored { held.append((anchored.signed.checkpoint, anchored.file)) }
        let walk = LogWalk(directory: directory, checkpoint: signed.checkpoint, held: held)
        let counts = try walk.run()
        var more: [(name: String, value: JSON)] = []
        if erased {
            let people = try ErasedPeople(of: directory, size: signed.checkpoint.size)
            more = [("erased", .array(people.ids.map(JSON.string))), ("erased_count", .integer(people.count))]
        }
        return Report(
            checkpoint: signed.checkpoint,
            signatures: signatures + (anchored?.signatures ?? []),
            more: [
                ("entries", .integer(counts.entries)), ("bytes", .integer(counts.bytes)),
                ("asked_for_witnesses", .bool(trust.policy.asksForWitnesses)),
                ("goes_on_from", .array(walk.held.map { .integer($0.checkpoint.size) })),
                // No fault: a log may have grown while it was copied. But what stands there is not proved.
                ("not_covered", .array(directory.entriesBeyond(signed.checkpoint.size).map(JSON.string))),
            ] + (anchored?.told ?? []) + more
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
