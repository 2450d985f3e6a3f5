import ArgumentParser

struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session",
        abstract: "Where members are signed in with a browser.",
        subcommands: [List.self, End.self, EndAll.self]
    )

    static let columns = [
        Column("ID", "id"), Column("USERNAME", "username", "user"), Column("SECOND FACTOR", "second_factor"),
        Column("SINCE", "authenticated_at"), Column("LAST SEEN", "last_seen_at"), Column("FROM", "address"),
        Column("BROWSER", "user_agent"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List sign-ins: all for admins and auditors, else your own.",
            discussion: """
                EXAMPLES
                  rollcall session list
                  rollcall session list --user usr_01…
                """
        )
        @Option(help: "Id of whose they are.") var user: String?
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let filter = FilterText.all([("user", user)], and: filter)
            try await Listing(path: "/v1/sessions", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End sign-ins: your own, or as a security admin anybody's.",
            discussion: """
                EXAMPLES
                  rollcall session end ses_01… ses_02…
                """
        )
        @Argument(help: "Ids of the sign-ins.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.delete("/v1/sessions/" + URLText.escaped(id))
                Output.note("\(id) has ended")
            }
        }
    }

    struct EndAll: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "end-all",
            abstract: "End every sign-in of a member at once.",
            discussion: """
                Tokens, and what apps may do for the member, go on; `rollcall user deactivate` ends these too.

                EXAMPLES
                  rollcall session end-all usr_01…
                """
        )
        static let columns = [Column("ENDED", "ended")]
        @Argument(help: "Id of the member.") var user: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/users/\(URLText.escaped(user))/end-sessions"
            let answer = try await client.connection.client().post(path).body
            try client.output.writer.write(answer, columns: Self.columns)
        }
    }
}
