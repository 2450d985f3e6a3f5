import ArgumentParser
import Transparency

struct WorkspaceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workspace",
        abstract: "Parts of the organization that grants are attributed to.",
        subcommands: [List.self, Get.self, Create.self, Update.self, Remove.self]
    )

    static let columns = [Column("ID", "id"), Column("SLUG", "slug"), Column("NAME", "name")]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List workspaces.",
            discussion: """
                EXAMPLES
                  rollcall workspace list
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/workspaces", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a workspace.",
            discussion: """
                EXAMPLES
                  rollcall workspace get wsp_01…
                """
        )
        @Argument(help: "Id of the workspace.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/workspaces/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a workspace.",
            discussion: """
                EXAMPLES
                  rollcall workspace create --slug finance --name Finance
                """
        )
        @Option(help: "Short name, unique in the organization.") var slug: String
        @Option(help: "What it is called.") var name: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let new: JSON = ["slug": .string(slug), "name": .string(name)]
            let answer = try await client.connection.client().post("/v1/workspaces", new).body
            try client.output.writer.write(answer, columns: columns)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a workspace.",
            discussion: """
                EXAMPLES
                  rollcall workspace update wsp_01… --name 'Finance and tax'
                """
        )
        @Argument(help: "Id of the workspace.") var id: String
        @Option(help: "Short name, unique in the organization.") var slug: String?
        @Option(help: "What it is called.") var name: String?
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let change = try body.change([("slug", .text(slug)), ("name", .text(name))])
            let path = "/v1/workspaces/" + URLText.escaped(id)
            try client.output.writer.write(await client.connection.client().patch(path, change).body, columns: columns)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove workspaces that nothing was ever attributed to.",
            discussion: """
                EXAMPLES
                  rollcall workspace remove wsp_01…
                """
        )
        @Argument(help: "Ids of the workspaces.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.delete("/v1/workspaces/" + URLText.escaped(id))
                Output.note("\(id) is removed")
            }
        }
    }
}
