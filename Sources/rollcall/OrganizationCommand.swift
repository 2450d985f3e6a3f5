import ArgumentParser
import Transparency

struct OrganizationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "organization",
        abstract: "The organization of the token, and its settings.",
        subcommands: [Get.self, Update.self]
    )

    static let columns = [
        Column("ID", "id"), Column("SLUG", "slug"), Column("NAME", "name"), Column("APPROVALS", "approvals"),
        Column("LONGEST TOKEN", "longest_token_lifetime"), Column("OUTSIDE APPS", "outside_apps"),
    ]

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the organization.",
            discussion: """
                EXAMPLES
                  rollcall organization get
                """
        )
        @OptionGroup var client: ClientOptions

        func run() async throws { try await client.printOne("/v1/organization", columns: columns) }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change name or settings.",
            discussion: """
                A second admin is needed for what --approval names; --no-approvals takes all
                of that back, which itself needs a second admin.

                EXAMPLES
                  rollcall organization update --approval grant_with_write_scope \\
                    --approval grant_without_ip_restriction
                  rollcall organization update --longest-token P90D --outside-apps false
                """
        )
        @Option(help: "What it is called.") var name: String?
        @Option(
            name: .customLong("approval"),
            help: ArgumentHelp("What needs a second admin. May be given again.", valueName: "what")
        )
        var approvals: [String] = []
        @Flag(help: "Nothing needs a second admin.") var noApprovals = false
        @Option(
            name: .customLong("longest-token"),
            help: ArgumentHelp("How far ahead a token may expire, ISO 8601.", valueName: "duration")
        )
        var longest: String?
        @Option(help: ArgumentHelp("Whether members let in apps that no admin registered.", valueName: "true|false"))
        var outsideApps: Bool?
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func validate() throws {
            if noApprovals, !approvals.isEmpty {
                throw ValidationError("--approval and --no-approvals contradict each other")
            }
        }

        func run() async throws {
            let wanted: JSON? = approvals.isEmpty && !noApprovals ? nil : .array(approvals.map { .string($0) })
            let change = try body.change([
                ("name", .text(name)), ("approvals", wanted), ("longest_token_lifetime", .text(longest)),
                ("outside_apps", outsideApps.map { .bool($0) }),
            ])
            let answer = try await client.connection.client().patch("/v1/organization", change).body
            try client.print(settled: answer, columns: columns)
        }
    }
}
