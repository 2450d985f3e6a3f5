import ArgumentParser
import Domain
import Transparency

extension SourceCommand {
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Say whether a captured delivery is proved by a key of a source.",
            discussion: """
                The server judges, with the keys that it has; nothing is kept of the delivery. Headers \
                are one `Name: value` a line, the body is the bytes as they came. Output and exit codes \
                are those of `rollcall verify`, which needs the key and no server.

                EXAMPLES
                  rollcall source verify src_01… --headers headers.txt --body body.json
                  rollcall source verify src_01… --headers headers.txt --body body.json \\
                    --at 2026-11-21T09:00:00Z -o json
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Option(help: "Method of the request.") var method = "POST"
        @Option(
            help: ArgumentHelp("Absolute URL to which it was sent; the source's own by default.", valueName: "url")
        )
        var requestURL: String?
        @Option(help: ArgumentHelp("Its headers, or - for stdin.", valueName: "file")) var headers: String
        @Option(help: ArgumentHelp("Its body, or - for stdin.", valueName: "file")) var body: String
        @Option(help: ArgumentHelp("When it was received, RFC 3339; now by default.", valueName: "time"))
        var at: String?
        @OptionGroup var client: ClientOptions

        func validate() throws {
            if headers == "-", body == "-" { throw ValidationError("--headers and --body cannot both be stdin") }
        }

        func run() async throws {
            var request: JSON.Object = [
                "method": .string(method),
                "headers": .array(
                    try HeaderLines.read(from: headers).map { name, value in
                        ["name": .string(name), "value": .string(value)]
                    }
                ),
                "body": .string(Base64.standard.encode(try TextInput.bytes(from: body))),
            ]
            request["url"] = .text(requestURL)
            request["received_at"] = .text(try at.map { try Timestamp.reading($0).description })
            let path = "/v1/sources/\(URLText.escaped(id))/verify"
            let told = try await client.connection.client().post(path, .object(request)).body
            guard let verdict = told.object else {
                throw CommandFailure(.failure, "the server's answer is no verdict; is --url right?")
            }
            try client.output.writer.write(verdict: verdict)
            if verdict["verdict"]?.string != "verified" {
                throw CommandFailure(.failure, "not proved: \(verdict["explanation"]?.string ?? "no reason was given")")
            }
        }
    }
}
