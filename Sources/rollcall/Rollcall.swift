// The program. One file per subcommand; what several share stands in Output (what is printed, and how) and Client
// (how the API of a server is reached).
//
// Data goes to stdout, everything else to stderr. Secrets come from files, the environment or stdin, never from
// arguments, which every user of the machine can read. What the commands do stands elsewhere: the server in App, the
// embedded database in Postgres, signatures and rules in Domain, connections in Outbound.

import ArgumentParser
import Glibc

@main
struct Rollcall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollcall",
        abstract: "Turns what an HR system knows into what an integration may do, and proves who did what.",
        discussion: """
            Commands that talk to a server find it by --url and --token-file, by --home (the directory of a \
            `rollcall dev`), by the environment: ROLLCALL_URL, ROLLCALL_TOKEN or ROLLCALL_TOKEN_FILE, ROLLCALL_HOME, or \
            by `rollcall login`.

            Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 sign-in needed, 5 forbidden, 6 conflict, \
            7 remote unavailable, 8 partial, 130 interrupted.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "WHAT HR SYSTEMS SEND",
                subcommands: [
                    SourceCommand.self, DeliveryCommand.self, RejectedCommand.self, EventCommand.self,
                    PersonCommand.self, HoldCommand.self, SignCommand.self, VerifyCommand.self, TriggerCommand.self,
                ]
            ),
            CommandGroup(
                name: "WHAT INTEGRATIONS MAY DO",
                subcommands: [
                    IntegrationCommand.self, UserCommand.self, GrantCommand.self, AppCommand.self,
                    AuthorizationCommand.self, SessionCommand.self, TokenCommand.self,
                    ApprovalCommand.self, OrganizationCommand.self, WorkspaceCommand.self, ScopeCommand.self,
                    ResourceCommand.self,
                ]
            ),
            CommandGroup(
                name: "WHO DID WHAT",
                subcommands: [AuditCommand.self, WhoamiCommand.self]
            ),
            CommandGroup(
                name: "SERVING",
                subcommands: [
                    DevCommand.self, DemoCommand.self, ServeCommand.self, MigrateCommand.self, DoctorCommand.self,
                    HealthcheckCommand.self, KeysCommand.self, AdminCommand.self, ConfigCommand.self,
                ]
            ),
            CommandGroup(
                name: "THIS PROGRAM",
                subcommands: [LoginCommand.self, LogoutCommand.self, CompletionCommand.self]
            ),
        ]
    )

    static func main() async {
        // A reader that has seen enough (`| head`) closes the pipe. Output tells that apart from failures by the error
        // of the write, which comes only while the signal does not end the process first.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try await asyncParseAsRoot(nil)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Glibc.exit(report(error).rawValue)
        }
    }

    /// Tells stderr what went wrong (stdout what was asked for: help, the version) and says how to exit.
    private static func report(_ error: any Error) -> ExitStatus {
        switch error {
        case let failure as CommandFailure:
            Output.note("rollcall: \(failure.message)")
            return failure.status
        case is Output.ReaderGone: return .ok
        case is CancellationError: return .interrupted
        default: break
        }
        let code = exitCode(for: error).rawValue
        let message = fullMessage(for: error)
        if code == ExitStatus.ok.rawValue {
            // Nobody is left to read what cannot be written.
            try? Output.standard.write(text: message.isEmpty ? "" : message + "\n")
            return .ok
        }
        if !message.isEmpty { Output.note(message) }
        // The parser's own code for misuse is sysexits' 64.
        return code == ExitCode.validationFailure.rawValue ? .usage : ExitStatus(rawValue: code) ?? .failure
    }
}
