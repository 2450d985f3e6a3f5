// rollcall-verify: checks what was exported of an audit log, on a machine that knows neither the server nor its database.
//
// One file a verb. It reads files and nothing else: no network, no settings, no clock. `LogDirectory` reads the files,
// `LogWalk` goes through a whole log, `TrustOptions` is whom one believes, `Fault` is what can be wrong and its exit code,
// `Report` what is printed, `BundleDirectory` a bundle of evidence. Formats, hashes and signatures are Transparency's.

import ArgumentParser
import Foundation

@main
struct RollcallVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollcall-verify",
        abstract: "Checks exported audit logs offline, and names what is wrong.",
        discussion: """
            Whom to believe is yours to say: --vkey names a log's key, --policy a file of C2SP tlog-policy with keys of \
            logs and witnesses. Get them from somebody else than whoever gave you the files.

            Exit codes: 0 it holds, 1 failure, 2 usage.
            """ + "\n" + FaultKind.allCases.map { "  \($0.rawValue) \($0.word): \($0.meaning)" }.joined(separator: "\n")
        ,
        version: "0.1.0",
        subcommands: [EntryCommand.self, RangeCommand.self, ConsistencyCommand.self, BundleCommand.self]
    )

    static func main() {
        Foundation.exit(run(Array(CommandLine.arguments.dropFirst()), to: .standard))
    }

    /// The exit code.
    static func run(_ arguments: [String], to output: Output) -> Int32 {
        do {
            guard let verb = try parseAsRoot(arguments) as? any Verb else { throw CleanExit.helpRequest() }
            return output.tell(try verb.check(), verb.output)
        } catch let fault as Fault {
            return output.tell(fault, in: OutputForm(arguments: arguments))
        } catch let failure as Failure {
            output.note("rollcall-verify: \(failure.message)")
            return failure.code
        } catch {
            let message = fullMessage(for: error)
            guard exitCode(for: error) == .success else {
                output.note(message)
                return Failure.usage
            }
            output.write(message + "\n")
            return 0
        }
    }
}

/// A verb says what it found, or throws what is wrong.
protocol Verb: ParsableCommand {
    var output: OutputForm { get }
    func check() throws -> Report
}

/// Why nothing could be said: neither that it holds nor that it does not.
struct Failure: Error {
    static let failed: Int32 = 1
    static let usage: Int32 = 2

    let code: Int32
    let message: String
}
