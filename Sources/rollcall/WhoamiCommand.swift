import ArgumentParser

struct WhoamiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Show as whom the server sees the bearer of the token, and what the token may do.",
        discussion: """
            EXAMPLES
              rollcall whoami --home ~/rollcall
              rollcall whoami --url https://rollcall.example --token-file token.txt
            """
    )
    static let columns = [
        Column("ORGANIZATION", "organization"), Column("USER", "user"), Column("KIND", "kind"),
        Column("SCOPES", "scopes"), Column("TOKEN", "token"), Column("EXPIRES", "token/expires_at"),
    ]
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.printOne("/v1/whoami", columns: Self.columns)
    }
}
