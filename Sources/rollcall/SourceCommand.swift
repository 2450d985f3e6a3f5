import ArgumentParser
import Transparency

struct SourceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source",
        abstract: "HR systems that post webhooks.",
        subcommands: [
            List.self, Get.self, Create.self, Update.self, Pause.self, Resume.self, Disable.self, AcceptUnproved.self,
            HoldUnproved.self, Keys.self, AddKey.self, UpdateKey.self, RemoveKey.self, PendingKeys.self, RevealKey.self,
            ConfirmKey.self, DismissKey.self, Verify.self,
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

    /// Says what an admin should still state of a source; data on stdout stays data.
    static func noteCautions(of source: JSON) {
        for caution in source["cautions"]?.array ?? [] { Output.note("note: \(caution.string ?? "")") }
    }

    /// Says what of its sender nobody has confirmed.
    static func noteUnconfirmed(of source: JSON) {
        for fact in source["expects"]?["unconfirmed"]?.array ?? [] { Output.note("unconfirmed: \(fact.string ?? "")") }
    }

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
        @OptionGroup var parties: TokenPartyOptions
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let keys = try keyFile.map { JSON.object(["secret": .string(try TextInput.secret(from: $0))]) }
            let isFromFile = body.body != nil
            let source = try body.object([
                ("slug", .text(slug)), ("profile", .text(profile ?? (isFromFile ? nil : "standard-webhooks"))),
                ("mapping", .text(mapping ?? (isFromFile ? nil : "canonical"))), ("time_zone", .text(timeZone)),
                ("keys", keys.isEmpty ? nil : .array(keys)), ("ip_allow_list", networks.member),
                ("token_issuers", parties.issuers), ("token_audiences", parties.audiences),
            ])
            let made = try await client.connection.client().post("/v1/sources", source).body
            try client.output.writer.write(made, columns: columns)
            SourceCommand.noteCautions(of: made)
            SourceCommand.noteUnconfirmed(of: made)
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a source.",
            discussion: """
                EXAMPLES
                  rollcall source update src_01… --time-zone Europe/Berlin
                  rollcall source update src_01… --ip 192.0.2.0/24
                  rollcall source update src_01… --issuer https://hr.example \\
                    --audience https://rollcall.example
                  echo '{"slug": "hr-emea"}' | rollcall source update src_01… --body -
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Option(help: "Name for display, unique in the organization.") var slug: String?
        @Option(help: "Attribute mapping.") var mapping: String?
        @Option(help: ArgumentHelp("For dates without a zone, such as Europe/Berlin.", valueName: "zone")) var timeZone:
            String?
        @OptionGroup var networks: NetworkOptions
        @OptionGroup var parties: TokenPartyOptions
        @OptionGroup var body: BodyOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let change = try body.change([
                ("slug", .text(slug)), ("mapping", .text(mapping)), ("time_zone", .text(timeZone)),
                ("ip_allow_list", networks.member), ("token_issuers", parties.issuers),
                ("token_audiences", parties.audiences),
            ])
            let path = "/v1/sources/" + URLText.escaped(id)
            let changed = try await client.connection.client().patch(path, change).body
            try client.output.writer.write(changed, columns: columns)
            SourceCommand.noteCautions(of: changed)
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

/// From whom and for whom the tokens of a sender have to be that pushes some.
struct TokenPartyOptions: ParsableArguments {
    @Option(
        name: .customLong("issuer"),
        help: ArgumentHelp("Issuer whose tokens are taken. May be given again.", valueName: "iss")
    )
    var issuerTexts: [String] = []

    @Flag(help: "Tokens of any issuer are taken.")
    var anyIssuer = false

    @Option(
        name: .customLong("audience"),
        help: ArgumentHelp("For whom tokens have to be. May be given again.", valueName: "aud")
    )
    var audienceTexts: [String] = []

    @Flag(help: "Tokens are taken whoever they are for.")
    var anyAudience = false

    func validate() throws {
        if anyIssuer, !issuerTexts.isEmpty { throw ValidationError("--any-issuer and --issuer contradict each other") }
        if anyAudience, !audienceTexts.isEmpty {
            throw ValidationError("--any-audience and --audience contradict each other")
        }
    }

    /// Nil leaves what the body says, or what was.
    var issuers: JSON? { Self.member(issuerTexts, any: anyIssuer) }
    /// As above.
    var audiences: JSON? { Self.member(audienceTexts, any: anyAudience) }

    private static func member(_ texts: [String], any: Bool) -> JSON? {
        any ? .null : texts.isEmpty ? nil : .array(texts.map { .string($0) })
    }
}
