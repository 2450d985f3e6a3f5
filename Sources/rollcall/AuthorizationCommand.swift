import ArgumentParser

struct AuthorizationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authorization",
        abstract: "What users let apps do for them.",
        subcommands: [List.self, End.self]
    )

    static let columns = [
        Column("ID", "id"), Column("APP", "app_name", "app"), Column("USERNAME", "username", "user"),
        Column("SCOPES", "scopes"), Column("APPROVED", "approved_at"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List them: all for admins and auditors, else your own.",
            discussion: """
                EXAMPLES
                  rollcall authorization list
                  rollcall authorization list --user usr_01… --app app_01…
                  rollcall authorization list --filter 'username eq "ada@acme.example"'
                """
        )
        @Option(help: "Id of whose they are.") var user: String?
        @Option(help: "Id of the app that they let in.") var app: String?
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let filter = FilterText.all([("user", user), ("app", app)], and: filter)
            try await Listing(path: "/v1/authorizations", query: [("filter", filter)], columns: columns)
                .print(client, page)
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End them, with every token that came of them.",
            discussion: """
                Your own, or as a security admin anybody's.

                EXAMPLES
                  rollcall authorization end aut_01… aut_02…
                """
        )
        @Argument(help: "Ids of the authorizations.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.delete("/v1/authorizations/" + URLText.escaped(id))
                Output.note("\(id) has ended")
            }
        }
    }
}
