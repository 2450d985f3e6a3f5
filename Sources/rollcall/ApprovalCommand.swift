import ArgumentParser
import Transparency

struct ApprovalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approval",
        abstract: "Requests that wait for a second admin.",
        subcommands: [List.self, Get.self, Approve.self, Refuse.self, Withdraw.self]
    )

    static let columns = [
        Column("ID", "id"), Column("KIND", "kind"), Column("TARGET", "target"), Column("REQUESTER", "requester"),
        Column("REQUESTED", "requested_at"), Column("EXPIRES", "expires_at"), Column("STATUS", "status"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List requests.",
            discussion: """
                EXAMPLES
                  rollcall approval list --filter 'status eq "pending"'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/approvals", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a request, with exactly what was asked for.",
            discussion: """
                EXAMPLES
                  rollcall approval get apr_01… -o json
                """
        )
        @Argument(help: "Id of the request.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/approvals/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Agree to what another admin asked for, and have it done.",
            discussion: """
                EXAMPLES
                  rollcall approval approve apr_01…
                """
        )
        @Argument(help: "Id of the request.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws { try await client.decide(id, "approve") }
    }

    struct Refuse: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse what another admin asked for.",
            discussion: """
                EXAMPLES
                  rollcall approval refuse apr_01…
                """
        )
        @Argument(help: "Id of the request.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws { try await client.decide(id, "refuse") }
    }

    struct Withdraw: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take back what you asked for.",
            discussion: """
                EXAMPLES
                  rollcall approval withdraw apr_01…
                """
        )
        @Argument(help: "Id of the request.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws { try await client.decide(id, "withdraw") }
    }
}

extension ClientOptions {
    /// Prints what became of the request; one that moved was not done, and says so by its exit status.
    fileprivate func decide(_ id: String, _ verdict: String) async throws {
        let answer = try await connection.client().post("/v1/approvals/\(URLText.escaped(id))/\(verdict)").body
        try output.writer.write(answer, columns: ApprovalCommand.columns)
        if answer["status"]?.string == "moved" {
            throw CommandFailure(
                .conflict,
                "nothing was done: \(answer["reason"]?.string ?? "it is no longer possible")"
            )
        }
    }

    /// Prints what was made or changed, or what waits for a second admin.
    func print(settled answer: JSON, columns: [Column]) throws {
        let waits = answer["id"]?.string?.hasPrefix("apr_") ?? false
        try output.writer.write(answer, columns: waits ? ApprovalCommand.columns : columns)
        if waits { Output.note("Nothing was done yet: another admin has to run `rollcall approval approve`.") }
    }
}
