import ArgumentParser
import Transparency

extension AuditCommand {
    struct Append: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have the log keep what a caller did at an API of yours.",
            discussion: """
                You speak as that API, with the scope audit:append. Who did it is told by the token with which the \
                caller came, read from a file or stdin, and by nothing else. The entry's action is what --action says, \
                behind `ext.`. A body may hold many: {"entries": […]}.

                EXAMPLES
                  rollcall audit append --subject-token-file caller.txt \\
                    --action payroll.run.read --detail run=2026-11
                  rollcall audit append --body entries.json --idempotency-key run-7
                """
        )
        @Option(help: ArgumentHelp("File with the caller's token, or - for stdin.", valueName: "file"))
        var subjectTokenFile: String?
        @Option(help: "What you call it: lower-case words parted by dots.") var action: String?
        @Option(help: "done or refused.") var outcome: AuditOutcomeWord?
        @Option(help: ArgumentHelp("When it happened by your clock; RFC 3339.", valueName: "time"))
        var occurredAt: String?
        @Option(help: ArgumentHelp("From where the caller came.", valueName: "address")) var clientIp: String?
        @Option(
            name: .customLong("detail"),
            help: ArgumentHelp("What you say of it. May be given again.", valueName: "name=value")
        )
        var details: [String] = []
        @Option(help: ArgumentHelp("The same key again keeps nothing twice.", valueName: "key"))
        var idempotencyKey: String?
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        enum AuditOutcomeWord: String, ExpressibleByArgument, CaseIterable {
            case done
            case refused
        }

        static let columns = [Column("APPENDED", "appended")]

        func validate() throws {
            if body.body == nil, subjectTokenFile == nil || action == nil {
                throw ValidationError("either --body, or --subject-token-file and --action")
            }
            if details.contains(where: { !$0.dropFirst().contains("=") || $0.hasPrefix("=") }) {
                throw ValidationError("--detail is name=value")
            }
        }

        func run() async throws {
            let token = try subjectTokenFile.map { file throws(CommandFailure) in try TextInput.secret(from: file) }
            let entry = try body.object([
                ("subject_token", .text(token)), ("action", .text(action)), ("outcome", .text(outcome?.rawValue)),
                ("occurred_at", .text(occurredAt)), ("client_ip", .text(clientIp)), ("details", told),
            ])
            let answer = try await client.connection.client()
                .post("/v1/audit/entries", entry, idempotencyKey: idempotencyKey).body
            try client.output.writer.write(answer, columns: Self.columns)
        }

        private var told: JSON? {
            guard !details.isEmpty else { return nil }
            var object = JSON.Object()
            for detail in details {
                let name = detail.prefix { $0 != "=" }
                object[String(name)] = .string(String(detail.dropFirst(name.count + 1)))
            }
            return .object(object)
        }
    }
}
