import ArgumentParser
import Transparency

struct AppCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "app",
        abstract: "OAuth clients of many users, who let each act for them.",
        subcommands: [
            List.self, Get.self, Create.self, Update.self, RotateSecret.self, Disable.self, Enable.self, Delete.self,
        ]
    )

    static let columns = [
        Column("ID", "id"), Column("NAME", "name"), Column("STATUS", "status"), Column("REDIRECTS", "redirect_uris"),
        Column("SCOPES", "scopes"), Column("LEGACY", "legacy"),
    ]
    static let secretColumns = [Column("CLIENT ID", "client_id"), Column("CLIENT SECRET", "client_secret")]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List apps.",
            discussion: """
                EXAMPLES
                  rollcall app list
                  rollcall app list --filter 'legacy eq true' -o json
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/apps", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an app, never its secret.",
            discussion: """
                EXAMPLES
                  rollcall app get app_01…
                """
        )
        @Argument(help: "Id of the app.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/apps/" + URLText.escaped(id), columns: columns)
        }
    }

    /// What may be set when an app is registered, and changed afterwards.
    struct Members: ParsableArguments {
        @Option(help: "Name, as users see it when they are asked.") var name: String?
        @Option(help: "What it is for, as users see it.") var description: String?
        @Option(help: ArgumentHelp("Whom to write to about it.", valueName: "address")) var contactEmail: String?
        @Option(help: ArgumentHelp("Where codes are sent, exactly; may be repeated.", valueName: "uri"))
        var redirect: [String] = []
        @Option(help: ArgumentHelp("What it may ask for; may be repeated.", valueName: "scope")) var scope: [String] =
            []
        @Option(help: ArgumentHelp("How long access tokens live.", valueName: "seconds")) var accessTokenSeconds: Int?
        @Option(help: ArgumentHelp("Whether it speaks the older dialect.", valueName: "boolean")) var legacy: Bool?

        var members: [(String, JSON?)] {
            [
                ("name", .text(name)), ("description", .text(description)), ("contact_email", .text(contactEmail)),
                ("redirect_uris", redirect.isEmpty ? nil : .array(redirect.map(JSON.string))),
                ("scopes", scope.isEmpty ? nil : .array(scope.map(JSON.string))),
                ("access_token_seconds", accessTokenSeconds.map { .integer($0) }), ("legacy", legacy.map(JSON.bool)),
            ]
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register an app. Its secret is shown here only.",
            discussion: """
                EXAMPLES
                  rollcall app create --name "Org chart" \\
                    --contact-email charts@example.com --scope people:read.self \\
                    --redirect https://charts.example.com/callback
                  rollcall app create --name "Org chart for desktops" --public \\
                    --contact-email charts@example.com --redirect http://127.0.0.1/callback
                """
        )
        @OptionGroup var members: Members
        @Flag(help: "A program on its users' machines: without a secret.") var `public` = false
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let app = try body.object(members.members + [("confidential", `public` ? .bool(false) : nil)])
            let answer = try await client.connection.client().post("/v1/apps", app)
            try client.output.writer.write(answer.body, columns: secretColumns)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change an app.",
            discussion: """
                EXAMPLES
                  rollcall app update app_01… --redirect https://charts.example.com/cb
                """
        )
        @Argument(help: "Id of the app.") var id: String
        @OptionGroup var members: Members
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/apps/" + URLText.escaped(id)
            let answer = try await client.connection.client().patch(path, body.change(members.members))
            try client.output.writer.write(answer.body, columns: columns)
        }
    }

    struct RotateSecret: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-secret",
            abstract: "Replace the secret of an app, at once. The new one is shown here only.",
            discussion: """
                EXAMPLES
                  rollcall app rotate-secret app_01…
                """
        )
        @Argument(help: "Id of the app.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().post("/v1/apps/\(URLText.escaped(id))/rotate-secret")
            try client.output.writer.write(answer.body, columns: secretColumns)
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop apps: none of their tokens is good meanwhile.",
            discussion: """
                EXAMPLES
                  rollcall app disable app_01…
                """
        )
        @Argument(help: "Ids of the apps.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/apps/\(URLText.escaped(id))/disable")
                Output.note("\(id) is disabled")
            }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let disabled apps go on.",
            discussion: """
                EXAMPLES
                  rollcall app enable app_01…
                """
        )
        @Argument(help: "Ids of the apps.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/apps/\(URLText.escaped(id))/enable")
                Output.note("\(id) is enabled")
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete apps for good, with every approval and token of them.",
            discussion: """
                EXAMPLES
                  rollcall app delete app_01…
                """
        )
        @Argument(help: "Ids of the apps.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.delete("/v1/apps/" + URLText.escaped(id))
                Output.note("\(id) is deleted")
            }
        }
    }
}
