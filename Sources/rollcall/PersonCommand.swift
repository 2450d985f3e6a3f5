import ArgumentParser
import Transparency

struct PersonCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "person",
        abstract: "Workers, as their source knows them.",
        subcommands: [List.self, Get.self, Erase.self, Erasures.self]
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

    static let erasureColumns = [
        Column("PERSON", "person"), Column("STATUS", "status"), Column("REASON", "reason"),
        Column("REQUESTED", "requested_at"), Column("EXECUTED", "executed_at"),
    ]

    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroy what is known of a person. Nobody can take it back.",
            discussion: """
                For security admins; a second one agrees where the organization wants that. Refused \
                while the person has access. Waits where a legal hold is in the way. The log's proofs \
                stay good.

                EXAMPLES
                  rollcall person erase per_01…
                  rollcall person erase per_01… --confirm per_01…
                """
        )
        @Argument(help: "Id of the person.") var id: String
        @OptionGroup var confirm: ConfirmOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let body: JSON? = confirm.confirm.map { ["confirmation": .string($0)] }
            let path = "/v1/people/\(URLText.escaped(id))/erasure"
            let answer = try await client.connection.client().post(path, body).body
            try client.print(settled: answer, columns: erasureColumns)
        }
    }

    struct Erasures: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List people who were erased, and erasures that wait.",
            discussion: """
                EXAMPLES
                  rollcall person erasures --filter 'status eq "queued"'
                  rollcall person erasures --filter 'person eq "per_01…"'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/erasures", query: [("filter", filter)], columns: erasureColumns)
                .print(client, page)
        }
    }
}
