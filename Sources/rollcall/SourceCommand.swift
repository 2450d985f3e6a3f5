import ArgumentParser
import Transparency

struct SourceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source",
        abstract: "HR systems that post webhooks.",
        subcommands: [
            List.self, Get.self, Create.self, Update.self, Pause.self, Resume.self, Disable.self, AcceptUnproved.self,
            HoldUnproved.self, AddKey.self, RemoveKey.self, PendingKeys.self, ConfirmKey.self, DismissKey.self,
        ]
    )

    static let columns = [
        Column("ID", "id"), Column("SLUG", "slug"), Column("PROFILE", "profile"), Column("MAPPING", "mapping"),
        Column("STATUS", "status"), Column("URL", "url"),
    ]

    static let keyColumns = [
        Column("ID", "id"), Column("LABEL", "label"), Column("NOT BEFORE", "not_before"),
        Column("NOT AFTER", "not_after"), Column("LAST USED", "last_used_at"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List sources.",
            discussion: """
                EXAMPLES
                  rollcall source list -o csv
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/sources", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a source.",
            discussion: """
                EXAMPLES
                  rollcall source get src_01…
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/sources/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Connect an HR system.",
            discussion: """
                Prints the URL to enter at the sender. The signing key is read from a file, whose only line is the \
                secret as the sender shows it. A sender that brings its key by a handshake needs none: see \
                `rollcall source pending-keys`.

                EXAMPLES
                  rollcall source create --slug hr --key-file whsec.txt
                  rollcall source create --slug hr --body source.json
                """
        )
        @Option(help: "Name for display, unique in the organization.") var slug: String?
        @Option(help: "Signing profile. (default: standard-webhooks)") var profile: String?
        @Option(help: "Attribute mapping. (default: canonical)") var mapping: String?
        @Option(help: ArgumentHelp("For dates without a zone, such as Europe/Berlin.", valueName: "zone")) var timeZone:
            String?
        @Option(help: ArgumentHelp("File with a signing secret. May be given again.", valueName: "file")) var keyFile:
            [String] = []
        @OptionGroup var networks: NetworkOptions
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let keys = try keyFile.map { JSON.object(["secret": .string(try TextInput.secret(from: $0))]) }
            let isFromFile = body.body != nil
            let source = try body.object([
                ("slug", .text(slug)), ("profile", .text(profile ?? (isFromFile ? nil : "standard-webhooks"))),
                ("mapping", .text(mapping ?? (isFromFile ? nil : "canonical"))), ("time_zone", .text(timeZone)),
                ("keys", keys.isEmpty ? nil : .array(keys)), ("ip_allow_list", networks.member),
            ])
            try client.output.writer.write(
                await client.connection.client().post("/v1/sources", source).body,
                columns: columns
            )
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a source.",
            discussion: """
                EXAMPLES
                  rollcall source update src_01… --time-zone Europe/Berlin
                  rollcall source update src_01… --ip 192.0.2.0/24
                  echo '{"slug": "hr-emea"}' | rollcall source update src_01… --body -
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Option(help: "Name for display, unique in the organization.") var slug: String?
        @Option(help: "Attribute mapping.") var mapping: String?
        @Option(help: ArgumentHelp("For dates without a zone, such as Europe/Berlin.", valueName: "zone")) var timeZone:
            String?
        @OptionGroup var networks: NetworkOptions
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let change = try body.change([
                ("slug", .text(slug)), ("mapping", .text(mapping)), ("time_zone", .text(timeZone)),
                ("ip_allow_list", networks.member),
            ])
            let path = "/v1/sources/" + URLText.escaped(id)
            try client.output.writer.write(await client.connection.client().patch(path, change).body, columns: columns)
        }
    }
}

/// From where a sender may post.
struct NetworkOptions: ParsableArguments {
    @Option(
        name: .customLong("ip"),
        help: ArgumentHelp("Address or range that may post. May be given again.", valueName: "range")
    )
    var ranges: [String] = []

    @Flag(help: "May be posted to from anywhere.")
    var anyIp = false

    func validate() throws {
        if anyIp, !ranges.isEmpty { throw ValidationError("--any-ip and --ip contradict each other") }
    }

    /// Nil leaves what the body says, or what was.
    var member: JSON? {
        if anyIp { return .null }
        return ranges.isEmpty ? nil : .array(ranges.map { .string($0) })
    }
}
