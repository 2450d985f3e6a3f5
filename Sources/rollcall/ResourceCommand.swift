import ArgumentParser
import Transparency

struct ResourceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resource",
        abstract: "What tokens may be for besides Rollcall (RFC 8707), and of which form they are.",
        subcommands: [List.self, Create.self, Remove.self]
    )

    static let columns = [
        Column("ID", "id"), Column("IDENTIFIER", "identifier"), Column("NAME", "name"),
        Column("TOKENS", "token_format"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the organization's resources.",
            discussion: """
                EXAMPLES
                  rollcall resource list
                """
        )
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().get("/v1/resources").body
            try client.output.writer.write(answer["items"]?.array ?? [], columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a resource that tokens may be for.",
            discussion: """
                With --tokens jwt they are signed, live ten minutes at most, and are validated with the keys at \
                /.well-known/jwks.json. Revoking one reaches only who asks Rollcall.

                EXAMPLES
                  rollcall resource create https://payroll.example --name Payroll \\
                    --tokens jwt
                """
        )

        enum Tokens: String, CaseIterable, ExpressibleByArgument { case opaque, jwt }

        @Argument(help: "Its address, as clients send it in `resource`.") var identifier: String
        @Option(help: "What people call it.") var name: String
        @Option(help: "opaque, or jwt.") var tokens: Tokens = .opaque
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let new: JSON = [
                "identifier": .string(identifier), "name": .string(name), "token_format": .string(tokens.rawValue),
            ]
            let answer = try await client.connection.client().post("/v1/resources", new).body
            try client.output.writer.write(answer, columns: columns)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a resource away, with every token for it.",
            discussion: """
                EXAMPLES
                  rollcall resource remove rsc_01k9qyc5qje1qsv9svhrqgc8d2
                """
        )
        @Argument(help: "Its id.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            _ = try await client.connection.client().delete("/v1/resources/" + URLText.escaped(id))
            Output.note("\(id) is removed")
        }
    }
}
