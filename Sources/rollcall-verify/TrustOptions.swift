import ArgumentParser
import Transparency

/// Whom to believe.
struct TrustOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A key of the log. May be given again, for a log that changed it.", valueName: "key"))
    var vkey: [String] = []
    @Option(help: ArgumentHelp("Keys of logs and witnesses, and who has to have cosigned.", valueName: "file"))
    var policy: String?
    @Option(help: ArgumentHelp("Which log it has to be, where the keys allow several.", valueName: "name"))
    var origin: String?

    func validate() throws {
        guard vkey.isEmpty != (policy == nil) else { throw ValidationError("give --vkey or --policy") }
    }

    /// The signatures that make the checkpoint count. Refuses it otherwise.
    func verify(_ signed: SignedCheckpoint, in file: String) throws -> [VerifiedSignature] {
        let found = signed.checkpoint.origin.text
        if let origin, !found.utf8.elementsEqual(origin.utf8) {
            throw Fault(.origin, file, "it is of the log \(found)")
        }
        let policy = try believed()
        do throws(NoteError) {
            return try policy.verify(signed)
        } catch {
            throw Fault(error, in: file)
        }
    }

    private func believed() throws -> LogPolicy {
        do {
            guard let policy else { return try LogPolicy(logs: vkey.map { try NoteVerifierKey($0) }) }
            return try LogPolicy(parsing: InputFile.bytes(policy, atMost: LogPolicy.largestBytes))
        } catch let error as NoteError {
            throw Failure(code: Failure.usage, message: "\(policy ?? "--vkey"): \(error)")
        } catch let fault as Fault {
            throw Failure(code: Failure.usage, message: "\(fault.file): \(fault.reason)")
        }
    }
}

/// How to print.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How to print: text or json.")
    var output: OutputForm = .text
}
