import ArgumentParser
import Transparency

struct RejectedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rejected",
        abstract: "Requests whose signature did not hold.",
        subcommands: [List.self, Get.self, Content.self]
    )

    static let columns = [
        Column("ID", "id"), Column("RECEIVED", "received_at"), Column("SOURCE", "source"), Column("REASON", "reason"),
        Column("FROM", "client_ip"), Column("EXPIRES", "expires_at"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List rejected requests.",
            discussion: """
                They are kept for seven days, and verified again when keys of their source change. Those that then \
                hold become deliveries and are no longer here.

                EXAMPLES
                  rollcall rejected list --source src_01…
                  rollcall rejected list --filter 'reason eq "signature-wrong"'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @Option(help: ArgumentHelp("Only those of this source.", valueName: "id")) var source: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let filter = DeliveryCommand.List.filter(filter, of: source)
            try await Listing(path: "/v1/rejected-requests", query: [("filter", filter)], columns: columns)
                .print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a rejected request, without what it said.",
            discussion: """
                EXAMPLES
                  rollcall rejected get rej_01…
                """
        )
        @Argument(help: "Id of the rejected request.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/rejected-requests/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Content: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a rejected request said.",
            discussion: """
                Needs the scope sources:write, and is an entry in the audit log. The body is base64; credentials among \
                the headers are keyed digests.

                EXAMPLES
                  rollcall rejected content rej_01… -o json
                """
        )
        static let columns = [
            Column("ID", "id"), Column("METHOD", "method"), Column("URL", "url"), Column("BODY", "body"),
        ]

        @Argument(help: "Id of the rejected request.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/rejected-requests/\(URLText.escaped(id))/content", columns: Self.columns)
        }
    }
}
