import ArgumentParser
import Transparency

struct PersonCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "person",
        abstract: "Workers, as their source knows them.",
        subcommands: [List.self, Get.self]
    )

    static let columns = [
        Column("ID", "id"), Column("SOURCE", "source"), Column("EXTERNAL ID", "externalId"),
        Column("USERNAME", "userName"),
        Column("NAME", "displayName", "name/formatted", "name"), Column("STATUS", "status", "active"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List people.",
            discussion: """
                EXAMPLES
                  rollcall person list --filter 'userName eq "ada@acme.example"'
                  rollcall person list --filter 'department eq "Finance"' --all -o csv
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/people", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a person.",
            discussion: """
                EXAMPLES
                  rollcall person get per_01…
                """
        )
        @Argument(help: "Id of the person.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/people/" + URLText.escaped(id), columns: columns)
        }
    }
}
