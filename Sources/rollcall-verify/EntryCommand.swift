import ArgumentParser
import Transparency

struct EntryCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "entry",
        abstract: "Check that the log holds an entry, by its receipt.",
        discussion: """
            The leaf is the exact bytes of the entry: canonical JSON without a line feed at its end.

            EXAMPLES
              rollcall-verify entry entry.tlog-proof entry.json --policy policy.txt
              rollcall-verify entry entry.tlog-proof entry.json --vkey "$VKEY" -o json
            """
    )

    @Argument(help: ArgumentHelp("The receipt, a .tlog-proof file.", valueName: "receipt")) var receipt: String
    @Argument(help: ArgumentHelp("The entry.", valueName: "leaf")) var leaf: String
    @OptionGroup var trust: TrustOptions
    @OptionGroup var form: OutputOptions

    var output: OutputForm { form.output }

    func check() throws -> Report {
        let written = try InputFile.bytes(receipt, atMost: LogProof.largestBytes)
        let entry = try InputFile.bytes(leaf, atMost: EntryBundle.longestEntry)
        let proof: LogProof
        do throws(NoteError) {
            proof = try LogProof(parsing: written)
        } catch {
            throw Fault(error, in: receipt)
        }
        let trust = try trust.trust()
        let signatures = try trust.verify(proof.signed, in: receipt)
        let anchored = try trust.anchored()
        try anchored?.require(proof.signed.checkpoint, in: receipt)
        do throws(TreeError) {
            try proof.verify(leaf: .leaf(entry))
        } catch {
            guard case .rootDiffers = error else { throw Fault(error, in: receipt) }
            throw Fault(
                .altered,
                leaf,
                entry: proof.index,
                "with the receipt it does not lead to the root that was signed"
            )
        }
        return Report(
            checkpoint: proof.signed.checkpoint,
            signatures: signatures + (anchored?.signatures ?? []),
            more: [("index", .integer(proof.index))] + (anchored?.told ?? [])
        )
    }
}
