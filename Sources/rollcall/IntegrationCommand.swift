import ArgumentParser
import Transparency

struct IntegrationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "integration",
        abstract: "Outside applications, and the rule that says for which people each gets a user.",
        subcommands: [List.self, Get.self, Create.self, Update.self]
    )

    static let columns = [
        Column("ID", "id"), Column("SLUG", "slug"), Column("NAME", "name"), Column("WORKSPACE", "workspace"),
        Column("RULE", "rule"), Column("SCOPES", "scopes"), Column("LIFETIME", "grant_lifetime"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List integrations.",
            discussion: """
                EXAMPLES
                  rollcall integration list
                  rollcall integration list --filter 'workspace eq "payroll"' -o json
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/integrations", query: [("filter", filter)], columns: columns).print(
                client,
                page
            )
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an integration.",
            discussion: """
                EXAMPLES
                  rollcall integration get int_01…
                """
        )
        @Argument(help: "Id of the integration.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/integrations/" + URLText.escaped(id), columns: columns)
        }
    }

    /// What may be set when an integration is made, and changed afterwards.
    struct Members: ParsableArguments {
        @Option(help: "Name for display.") var name: String?
        @Option(help: ArgumentHelp("Whom to write to about it.", valueName: "address")) var contactEmail: String?
        @Option(help: "Workspace that its grants are attributed to.") var workspace: String?
        @Option(help: ArgumentHelp("SCIM filter over people; each that matches gets a user.", valueName: "filter"))
        var rule: String?
        @Option(help: ArgumentHelp("ISO 8601, such as P90D.", valueName: "duration")) var grantLifetime: String?
        @Option(help: ArgumentHelp("Member who may claim secrets of users without a person.", valueName: "username"))
        var custodian: String?
        @OptionGroup var access: AccessOptions

        var members: [(String, JSON?)] {
            [
                ("name", .text(name)), ("contact_email", .text(contactEmail)), ("workspace", .text(workspace)),
                ("rule", .text(rule)), ("grant_lifetime", .text(grantLifetime)), ("custodian", .text(custodian)),
                ("scopes", access.scopeMember), ("ip_allow_list", access.rangeMember),
            ]
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an integration.",
            discussion: """
                EXAMPLES
                  rollcall integration create --slug payroll --name Payroll \\
                    --contact-email it@acme.example --workspace finance \\
                    --scope people:read.self --rule 'department eq "Finance"' \\
                    --grant-lifetime P90D --ip 198.51.100.0/24
                  rollcall integration create --body integration.json
                """
        )
        @Option(help: "Short name, unique in the organization.") var slug: String?
        @OptionGroup var members: Members
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            // The API wants the member to be there: null, said on purpose, is unrestricted.
            let ranges = body.body == nil ? members.access.rangeMember ?? .null : members.access.rangeMember
            let integration = try body.object([("slug", .text(slug))] + members.members + [("ip_allow_list", ranges)])
            let answer = try await client.connection.client().post("/v1/integrations", integration)
            try client.print(settled: answer.body, columns: columns)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change an integration. Users and grants follow its rule.",
            discussion: """
                EXAMPLES
                  rollcall integration update int_01… --rule 'department eq "Finance"'
                  echo '{"rule": null}' | rollcall integration update int_01… --body -
                """
        )
        @Argument(help: "Id of the integration.") var id: String
        @OptionGroup var members: Members
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/integrations/" + URLText.escaped(id)
            let answer = try await client.connection.client().patch(path, body.change(members.members))
            try client.print(settled: answer.body, columns: columns)
        }
    }
}
