import ArgumentParser
import Transparency

extension GrantCommand {
    struct RegisterKeys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "register-keys",
            abstract: "Register public keys in place of a grant's secret.",
            discussion: """
                By its custodian, signed in with rollcall login and with every scope of the grant; \
                everybody else does it in their profile. The integration then signs what it sends (private_key_jwt). Secrets, tokens and \
                claim links of the grant end at once.

                EXAMPLES
                  rollcall grant register-keys grt_01… --jwks keys.json
                  rollcall grant register-keys grt_01… \\
                    --jwks-url https://payroll.example/jwks.json
                """
        )
        @Argument(help: "Id of the grant.") var id: String
        @Option(help: ArgumentHelp("File with the public keys (RFC 7517), or - for stdin.", valueName: "file"))
        var jwks: String?
        @Option(help: ArgumentHelp("Where the keys are; fetched when they are needed.", valueName: "url"))
        var jwksURL: String?
        @OptionGroup var client: ClientOptions

        func validate() throws {
            if (jwks == nil) == (jwksURL == nil) { throw ValidationError("either --jwks or --jwks-url") }
        }

        func run() async throws {
            var keys = JSON.Object()
            if let jwks { keys["jwks"] = try TextInput.json(from: jwks) }
            if let jwksURL { keys["jwks_url"] = .string(jwksURL) }
            let path = "/v1/grants/\(URLText.escaped(id))/keys"
            let answer = try await client.connection.client().post(path, .object(keys)).body
            try client.output.writer.write(answer, columns: columns)
        }
    }

    struct RemoveKeys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove-keys",
            abstract: "Take the public keys of grants away at once, with their tokens.",
            discussion: """
                By the custodian or an admin. The custodian can have a secret again.

                EXAMPLES
                  rollcall grant remove-keys grt_01…
                """
        )
        @Argument(help: "Ids of the grants.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.delete("/v1/grants/\(URLText.escaped(id))/keys")
                Output.note("\(id) has no key now")
            }
        }
    }
}
