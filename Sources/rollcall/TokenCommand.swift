import ArgumentParser
import Transparency

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Personal tokens, and those of workspaces.",
        subcommands: [
            List.self, Get.self, Create.self, Renew.self, Revoke.self, CreateWorkspace.self, Refresh.self, Update.self,
        ]
    )

    static let columns = [
        Column("ID", "id"), Column("KIND", "kind"), Column("NAME", "name"), Column("USERNAME", "username"),
        Column("SCOPES", "scopes"), Column("EXPIRES", "expires_at"), Column("STATUS", "status"),
        Column("LAST USED", "last_used_at"), Column("FROM", "last_used_address"),
    ]
    static let madeColumns = [Column("ID", "id"), Column("TOKEN", "token"), Column("EXPIRES", "expires_at")]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List tokens: all for admins and auditors, else your own.",
            discussion: """
                EXAMPLES
                  rollcall token list --filter 'status eq "active"'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/tokens", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a token, never its value.",
            discussion: """
                EXAMPLES
                  rollcall token get tok_01…
                """
        )
        @Argument(help: "Id of the token.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/tokens/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a personal token for yourself, shown this once.",
            discussion: """
                It is no wider and no longer than the token that makes it.

                EXAMPLES
                  rollcall token create --name tests --scope people:read.self \\
                    --expires-at 2026-12-31T00:00:00Z
                """
        )
        @Option(help: "What it is called.") var name: String?
        @Option(
            name: .customLong("scope"),
            help: ArgumentHelp("Scope such as people:read. May be given again.", valueName: "scope")
        )
        var scopes: [String] = []
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var expiresAt: String?
        @Option(help: ArgumentHelp("The one resource it is good for.", valueName: "url")) var audience: String?
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let token = try body.object([
                ("name", .text(name)), ("scopes", scopes.isEmpty ? nil : .array(scopes.map { .string($0) })),
                ("expires_at", .text(expiresAt)), ("audience", .text(audience)),
            ])
            let answer = try await client.connection.client().post("/v1/tokens", token).body
            try client.output.writer.write(answer, columns: madeColumns)
        }
    }

    struct Renew: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a personal token of yours again; the former one ends.",
            discussion: """
                EXAMPLES
                  rollcall token renew tok_01… --expires-at 2026-12-31T00:00:00Z
                """
        )
        @Argument(help: "Id of the token.") var id: String
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var expiresAt: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/tokens/\(URLText.escaped(id))/renew"
            let answer = try await client.connection.client().post(path, ["expires_at": .string(expiresAt)]).body
            try client.output.writer.write(answer, columns: madeColumns)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a token: your own, or as a security admin any.",
            discussion: """
                EXAMPLES
                  rollcall token revoke tok_01…
                """
        )
        @Argument(help: "Id of the token.") var id: String
        @OptionGroup var confirm: ConfirmOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let query = confirm.confirm.map { "?confirmation=" + URLText.escaped($0) } ?? ""
            _ = try await client.connection.client().delete("/v1/tokens/" + URLText.escaped(id) + query)
            Output.note("\(id) is revoked")
        }
    }

    struct CreateWorkspace: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create-workspace",
            abstract: "Make a token of a workspace, shown this once.",
            discussion: """
                For security admins. Good for seven days unless --expires-at says otherwise.
                Where a second admin is needed: ask, and then give what they approved.

                EXAMPLES
                  rollcall token create-workspace --workspace wsp_01… --name reports \\
                    --scope people:read
                  rollcall token create-workspace --workspace wsp_01… --name sync \\
                    --scope users:write --approval apr_01…
                """
        )
        @Option(help: "Id of the workspace.") var workspace: String
        @Option(help: "What it is called.") var name: String
        @Option(
            name: .customLong("scope"),
            help: ArgumentHelp("Scope such as people:read. May be given again.", valueName: "scope")
        )
        var scopes: [String]
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var expiresAt: String?
        @Option(help: "Id of what a second admin approved.") var approval: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var token: JSON.Object = ["name": .string(name), "scopes": .array(scopes.map { .string($0) })]
            if let expiresAt { token["expires_at"] = .string(expiresAt) }
            if let approval { token["approval"] = .string(approval) }
            let path = "/v1/workspaces/\(URLText.escaped(workspace))/tokens"
            let answer = try await client.connection.client().post(path, .object(token)).body
            try client.print(settled: answer, columns: madeColumns)
        }
    }

    struct Refresh: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a workspace token another value; the former one ends.",
            discussion: """
                EXAMPLES
                  rollcall token refresh tok_01…
                """
        )
        @Argument(help: "Id of the token.") var id: String
        @Option(help: ArgumentHelp("RFC 3339; else seven days ahead.", valueName: "time")) var expiresAt: String?
        @OptionGroup var confirm: ConfirmOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var refresh: JSON.Object = [:]
            if let expiresAt { refresh["expires_at"] = .string(expiresAt) }
            if let value = confirm.confirm { refresh["confirmation"] = .string(value) }
            let path = "/v1/tokens/\(URLText.escaped(id))/refresh"
            let answer = try await client.connection.client().post(path, .object(refresh)).body
            try client.output.writer.write(answer, columns: madeColumns)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change name or scopes of a workspace token; its value stays.",
            discussion: """
                EXAMPLES
                  rollcall token update tok_01… --scope people:read
                """
        )
        @Argument(help: "Id of the token.") var id: String
        @Option(help: "What it is called.") var name: String?
        @Option(
            name: .customLong("scope"),
            help: ArgumentHelp("Scope such as people:read. May be given again.", valueName: "scope")
        )
        var scopes: [String] = []
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var change: JSON.Object = [:]
            if let name { change["name"] = .string(name) }
            if !scopes.isEmpty { change["scopes"] = .array(scopes.map { .string($0) }) }
            guard !change.isEmpty else { throw CommandFailure(.usage, "nothing to change was given") }
            let path = "/v1/tokens/" + URLText.escaped(id)
            let answer = try await client.connection.client().patch(path, .object(change)).body
            try client.print(settled: answer, columns: columns)
        }
    }
}
