import ArgumentParser
import Transparency

struct EventCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "event",
        abstract: "What deliveries say about people, and what became of it.",
        subcommands: [List.self, Get.self, Retry.self]
    )

    static let columns = [
        Column("ID", "id"), Column("KIND", "kind"), Column("PERSON", "person", "external_id"),
        Column("STATUS", "status"), Column("OCCURRED", "occurred_at"), Column("SETTLED", "settled_at"),
        Column("ATTEMPTS", "attempts"), Column("REASON", "reason"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List events.",
            discussion: """
                EXAMPLES
                  rollcall event list --filter 'status eq "dead"'
                  rollcall event list --limit 500 -o jsonl
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/events", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an event.",
            discussion: """
                EXAMPLES
                  rollcall event get evt_01…
                """
        )
        @Argument(help: "Id of the event.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/events/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try events again that were given up.",
            discussion: """
                EXAMPLES
                  rollcall event retry evt_01… evt_02…
                """
        )
        @Argument(help: "Ids of the events.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/events/\(URLText.escaped(id))/retry")
                Output.note("\(id) will be tried again")
            }
        }
    }
}
