import ArgumentParser
import Transparency

struct GrantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grant",
        abstract: "OAuth clients, each of exactly one user.",
        subcommands: [
            List.self, Get.self,
            Create.self, Update.self, Suspend.self, Resume.self, Kill.self, EndSecret.self, Delete.self, ClaimLink.self,
            RegisterKeys.self, RemoveKeys.self,
        ]
    )

    static let columns = [
        Column("ID", "id"), Column("CLIENT", "client_name"), Column("USERNAME", "username", "user"),
        Column("WORKSPACE", "workspace"), Column("SCOPES", "scopes"), Column("EXPIRES", "expires_at"),
        Column("STATUS", "status"), Column("LAST USED", "last_used_at"), Column("FROM", "last_used_address"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List grants.",
            discussion: """
                EXAMPLES
                  rollcall grant list --filter 'workspace eq "finance"'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/grants", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a grant.",
            discussion: """
                EXAMPLES
                  rollcall grant get grt_01…
                """
        )
        @Argument(help: "Id of the grant.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/grants/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Grant access to a user of an integration.",
            discussion: """
                The client id is the grant's id. Its secret is handed over by a claim link (`grant claim-link`).

                EXAMPLES
                  rollcall grant create --client-name 'Payroll batch' \\
                    --workspace finance --username payroll-batch \\
                    --scope people:read --expires-at 2027-06-30T00:00:00Z
                """
        )
        @Option(help: "What the client is called.") var clientName: String?
        @Option(help: "Workspace that it is attributed to.") var workspace: String?
        @Option(help: "The user whose client it is.") var username: String?
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var expiresAt: String?
        @OptionGroup var access: AccessOptions
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let grant = try body.object([
                ("client_name", .text(clientName)), ("workspace", .text(workspace)), ("username", .text(username)),
                ("expires_at", .text(expiresAt)), ("scopes", access.scopeMember),
                ("ip_allow_list", body.body == nil ? access.rangeMember ?? .null : access.rangeMember),
            ])
            try client.print(settled: await client.connection.client().post("/v1/grants", grant).body, columns: columns)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a grant.",
            discussion: """
                EXAMPLES
                  rollcall grant update grt_01… --ip 198.51.100.7 --ip 2001:db8::/48
                  rollcall grant update grt_01… --expires-at 2027-12-31T00:00:00Z
                """
        )
        @Argument(help: "Id of the grant.") var id: String
        @Option(help: "Another user; ends the secret and its tokens.") var username: String?
        @Option(help: "What the client is called.") var clientName: String?
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var expiresAt: String?
        @OptionGroup var access: AccessOptions
        @OptionGroup var confirm: ConfirmOptions
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let change = try body.change([
                ("username", .text(username)), ("confirmation", .text(confirm.confirm)),
                ("client_name", .text(clientName)), ("expires_at", .text(expiresAt)), ("scopes", access.scopeMember),
                ("ip_allow_list", access.rangeMember),
            ])
            let path = "/v1/grants/" + URLText.escaped(id)
            try client.print(settled: await client.connection.client().patch(path, change).body, columns: columns)
        }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop grants until they are resumed.",
            discussion: """
                EXAMPLES
                  rollcall grant suspend grt_01… grt_02…
                """
        )
        @Argument(help: "Ids of the grants.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/grants/\(URLText.escaped(id))/suspend")
                Output.note("\(id) is suspended")
            }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let suspended grants go on.",
            discussion: """
                EXAMPLES
                  rollcall grant resume grt_01… grt_02…
                """
        )
        @Argument(help: "Ids of the grants.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/grants/\(URLText.escaped(id))/resume")
                Output.note("\(id) is resumed")
            }
        }
    }

    struct Kill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End every secret and token of grants at once.",
            discussion: """
                The grants stay; their custodians can have new secrets.

                EXAMPLES
                  rollcall grant kill grt_01… grt_02…
                """
        )
        @Argument(help: "Ids of the grants.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/grants/\(URLText.escaped(id))/kill")
                Output.note("\(id) has no secret and no token now")
            }
        }
    }

    struct EndSecret: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "end-secret",
            abstract: "End one secret of a grant at once, with the tokens that it bought.",
            discussion: """
                By its custodian or an admin; a former secret that works on, or the current one. `grant get -o json` lists the secrets that work.

                EXAMPLES
                  rollcall grant end-secret grt_01… sec_01…
                """
        )
        @Argument(help: "Id of the grant.") var id: String
        @Argument(help: "Id of the secret.") var secret: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/grants/\(URLText.escaped(id))/secrets/\(URLText.escaped(secret))"
            _ = try await client.connection.client().delete(path)
            Output.note("\(secret) has ended")
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End grants for good.",
            discussion: """
                EXAMPLES
                  rollcall grant delete grt_01… grt_02…
                """
        )
        @Argument(help: "Ids of the grants.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.delete("/v1/grants/" + URLText.escaped(id))
                Output.note("\(id) is deleted")
            }
        }
    }

    struct ClaimLink: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "claim-link",
            abstract: "Make the link by which the secret can be claimed, once.",
            discussion: """
                The link is shown here only, is good for 24 hours, and ends the one made before.

                EXAMPLES
                  rollcall grant claim-link grt_01…
                """
        )
        static let columns = [Column("URL", "url"), Column("EXPIRES", "expires_at")]
        @Argument(help: "Id of the grant.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/grants/\(URLText.escaped(id))/claim-links"
            let answer = try await client.connection.client().post(path)
            try client.output.writer.write(answer.body, columns: Self.columns)
        }
    }
}
