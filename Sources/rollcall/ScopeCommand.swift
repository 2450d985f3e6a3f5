import ArgumentParser
import Transparency

struct ScopeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scope",
        abstract: "What can be given to grants and tokens.",
        subcommands: [List.self, Create.self, Remove.self]
    )

    static let columns = [Column("SCOPE", "scope"), Column("OPENS", "opens"), Column("BUILT IN", "built_in")]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List Rollcall's scopes, and the organization's own.",
            discussion: """
                EXAMPLES
                  rollcall scope list
                """
        )
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().get("/v1/scopes").body
            try client.output.writer.write(answer["items"]?.array ?? [], columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a scope for an API that Rollcall guards.",
            discussion: """
                EXAMPLES
                  rollcall scope create invoices:read --opens 'Read invoices'
                """
        )
        @Argument(help: "resource:action.") var scope: String
        @Option(help: "What it opens, for whoever gives it.") var opens: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let new: JSON = ["scope": .string(scope), "opens": .string(opens)]
            let answer = try await client.connection.client().post("/v1/scopes", new).body
            try client.output.writer.write(answer, columns: columns)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a scope of the organization's own away from everything.",
            discussion: """
                EXAMPLES
                  rollcall scope remove invoices:read
                """
        )
        @Argument(help: "resource:action.") var scope: String
        @OptionGroup var confirm: ConfirmOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let query = confirm.confirm.map { "?confirmation=" + URLText.escaped($0) } ?? ""
            _ = try await client.connection.client().delete("/v1/scopes/" + URLText.escaped(scope) + query)
            Output.note("\(scope) is removed")
        }
    }
}
