import ArgumentParser
import Transparency

struct DeliveryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery",
        abstract: "What HR systems posted, with the verdict on each signature.",
        subcommands: [List.self, Get.self]
    )

    static let columns = [
        Column("ID", "id"), Column("RECEIVED", "received_at"), Column("SOURCE", "source"), Column("VERDICT", "verdict"),
        Column("STATUS", "status"), Column("EVENTS", "event_count"), Column("REPEATED", "repeated"),
        Column("REASON", "reasons"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List deliveries.",
            discussion: """
                EXAMPLES
                  rollcall delivery list
                  rollcall delivery list --filter 'status eq "unmapped"' -o jsonl
                  rollcall delivery list --filter 'repeated gt 0'
                  rollcall delivery list --source src_01…
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @Option(help: ArgumentHelp("Only those of this source.", valueName: "id")) var source: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(
                path: "/v1/deliveries",
                query: [("filter", Self.filter(filter, of: source))],
                columns: columns
            ).print(client, page)
        }

        /// Both conditions in one filter.
        static func filter(_ filter: String?, of source: String?) -> String? {
            guard let source else { return filter }
            let named = "source eq \(JSON.string(source).text)"
            return filter.map { "\(named) and (\($0))" } ?? named
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a delivery.",
            discussion: """
                EXAMPLES
                  rollcall delivery get dlv_01…
                """
        )
        @Argument(help: "Id of the delivery.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/deliveries/" + URLText.escaped(id), columns: columns)
        }
    }
}
