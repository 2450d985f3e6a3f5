import ArgumentParser
import Transparency

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Who did what, on whose behalf, by what authority.",
        subcommands: [Query.self, Get.self, Log.self, Checkpoint.self, Prove.self, Export.self, Check.self]
    )

    static let columns = [
        Column("RECORDED", "recorded_at"), Column("ACTOR", "display/actor", "actor/id"),
        Column("ON BEHALF OF", "display/on_behalf_of", "on_behalf_of"), Column("ACTION", "action"),
        Column("TARGET", "display/target", "target/id"), Column("OUTCOME", "outcome"), Column("REASON", "reason"),
        Column("ORIGIN", "client_ip"),
    ]

    struct Query: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find audit entries.",
            discussion: """
                Every option narrows the answer further.

                EXAMPLES
                  rollcall audit query --person per_01…
                  rollcall audit query --actor payroll-ada --since 2026-11-01T00:00:00Z
                  rollcall audit query --action grant.created --all -o csv >grants.csv
                  rollcall audit query --filter 'outcome eq "refused"' -o jsonl
                """
        )
        @Option(help: "Id or username of who acted.") var actor: String?
        @Option(help: "Id of what was acted upon.") var target: String?
        @Option(help: "Action code.") var action: String?
        @Option(help: "Id of the person concerned.") var person: String?
        @Option(help: ArgumentHelp("Recorded at or after; RFC 3339.", valueName: "time")) var since: String?
        @Option(help: ArgumentHelp("Recorded before; RFC 3339.", valueName: "time")) var until: String?
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(
                path: "/v1/audit/entries",
                query: [
                    ("actor", actor), ("target", target), ("action", action), ("person", person), ("since", since),
                    ("until", until), ("filter", filter),
                ],
                columns: columns
            ).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an audit entry with all that it holds.",
            discussion: """
                EXAMPLES
                  rollcall audit get ent_01… -o json
                  rollcall audit get ent_01… --leaf >entry.json
                """
        )
        @Argument(help: "Id of the entry.") var id: String
        @Flag(help: "Print nothing but the exact bytes that the log's hashes are made of.") var leaf = false
        @OptionGroup var client: ClientOptions

        func run() async throws {
            if leaf {
                let entry = try await client.connection.client().get("/v1/audit/entries/" + URLText.escaped(id)).body
                guard let text = entry["leaf"]?.string else {
                    throw CommandFailure(.failure, "the server's answer is not an entry; is --url right?")
                }
                return try Output.standard.write(text: text)
            }
            try await client.printOne("/v1/audit/entries/" + URLText.escaped(id), columns: columns)
        }
    }
}
