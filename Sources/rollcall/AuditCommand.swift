import ArgumentParser
import Transparency

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Who did what, on whose behalf, by what authority.",
        subcommands: [
            Query.self, Tail.self, SavedQuery.self, Get.self, Append.self, Log.self, Checkpoint.self, Prove.self,
            Export.self, Check.self,
        ]
    )

    static let columns = [
        Column("RECORDED", "recorded_at"), Column("ACTOR", "display/actor", "actor/id"),
        Column("ON BEHALF OF", "display/on_behalf_of", "on_behalf_of"), Column("ACTION", "action"),
        Column("TARGET", "display/target", "target/id"), Column("OUTCOME", "outcome"), Column("REASON", "reason"),
        Column("ORIGIN", "client_ip"),
    ]

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
