import ArgumentParser
import Transparency

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Members, and the users of integrations.",
        subcommands: [
            List.self, Get.self, Create.self, Role.self, Custodian.self, Deactivate.self, PasswordLink.self,
            ResetSecondFactor.self,
        ]
    )

    static let columns = [
        Column("ID", "id"), Column("USERNAME", "username"), Column("KIND", "kind"),
        Column("INTEGRATION", "integration"),
        Column("PERSON", "person"), Column("CUSTODIAN", "custodian"), Column("STATUS", "status", "active"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List users.",
            discussion: """
                EXAMPLES
                  rollcall user list --filter 'kind eq "integration"'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/users", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a user.",
            discussion: """
                EXAMPLES
                  rollcall user get usr_01…
                """
        )
        @Argument(help: "Id of the user.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/users/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a user of an integration that is made for no person.",
            discussion: """
                EXAMPLES
                  rollcall user create --integration int_01… \\
                    --username payroll-batch --custodian usr_01…
                """
        )
        @Option(help: "Id of the integration that it belongs to.") var integration: String?
        @Option(help: "Username, unique in the organization.") var username: String?
        @Option(help: ArgumentHelp("Id of the member who may claim its secrets.", valueName: "user")) var custodian:
            String?
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let user = try body.object([
                ("kind", "integration"), ("integration", .text(integration)), ("username", .text(username)),
                ("custodian", .text(custodian)),
            ])
            let answer = try await client.connection.client().post("/v1/users", user)
            try client.output.writer.write(answer.body, columns: columns)
        }
    }

    struct Role: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a member another role; the member's tokens end.",
            discussion: """
                For security admins. Roles: security_admin, auditor, member. Another security admin, where \
                there is one or the organization wants one for anything, agrees first to one more, and to \
                one less but oneself.

                EXAMPLES
                  rollcall user role usr_01… auditor
                """
        )
        @Argument(help: "Id of the member.") var id: String
        @Argument(help: "The role.") var role: String
        @OptionGroup var confirm: ConfirmOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var wanted: JSON.Object = ["role": .string(role)]
            if let value = confirm.confirm { wanted["confirmation"] = .string(value) }
            let path = "/v1/users/\(URLText.escaped(id))/role"
            let answer = try await client.connection.client().post(path, .object(wanted)).body
            try client.print(settled: answer, columns: columns)
        }
    }

    struct Custodian: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Name another member who keeps a user's secrets.",
            discussion: """
                For users that were made for nobody. The secrets, keys and tokens of its grants
                end; the new custodian makes new ones in their profile.

                EXAMPLES
                  rollcall user custodian usr_01… usr_02…
                """
        )
        @Argument(help: "Id of the user.") var id: String
        @Argument(help: "Id of the member.") var custodian: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/users/\(URLText.escaped(id))/custodian"
            let body: JSON = ["custodian": .string(custodian)]
            let answer = try await client.connection.client().post(path, body).body
            try client.print(settled: answer, columns: columns)
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End the access of users at once: their grants end and their tokens are refused.",
            discussion: """
                EXAMPLES
                  rollcall user deactivate usr_01…
                """
        )
        @Argument(help: "Ids of the users.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/users/\(URLText.escaped(id))/deactivate")
                Output.note("\(id) is deactivated")
            }
        }
    }

    struct PasswordLink: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "password-link",
            abstract: "Make the link by which a member sets a password, once.",
            discussion: """
                The link is shown here only, is good for 24 hours, and ends the one made before.
                Replacing a password needs a second admin first; then give what they approved.

                EXAMPLES
                  rollcall user password-link usr_01…
                  rollcall user password-link usr_01… --approval apr_01…
                """
        )
        static let columns = [Column("USERNAME", "username"), Column("URL", "url"), Column("EXPIRES", "expires_at")]
        @Argument(help: "Id of the member.") var id: String
        @Option(help: "Id of what a second admin approved.") var approval: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/users/\(URLText.escaped(id))/password-links"
            let body: JSON? = approval.map { ["approval": .string($0)] }
            let answer = try await client.connection.client().post(path, body)
            try client.print(settled: answer.body, columns: Self.columns)
        }
    }

    struct ResetSecondFactor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-second-factor",
            abstract: "Ask a second admin to take away a member's lost second factor.",
            discussion: """
                Once another admin agreed, the password alone signs in until the member adds
                another; their sign-ins end, and they claim no secret for a day.

                EXAMPLES
                  rollcall user reset-second-factor usr_01…
                """
        )
        @Argument(help: "Id of the member.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let path = "/v1/users/\(URLText.escaped(id))/second-factor-resets"
            let answer = try await client.connection.client().post(path)
            try client.print(settled: answer.body, columns: columns)
        }
    }
}
