import App
import ArgumentParser
import Domain
import Transparency

struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign a delivery as an HR system would, and print the headers to send with it.",
        discussion: """
            The body is signed byte for byte: send exactly the file that was signed.

            EXAMPLES
              rollcall sign --key-file whsec.txt --body event.json >headers.txt
              curl -H @headers.txt -H 'content-type: application/json' \\
                --data-binary @event.json "$URL"
              rollcall sign --key-file whsec.txt --body - --id msg_1 -o json <event.json
            """
    )

    @OptionGroup var signing: SigningOptions
    @Option(help: ArgumentHelp("What is sent, or - for stdin.", valueName: "file")) var body: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let keys = try signing.secrets().map { try signing.key($0) }
        let headers = try signing.headers(for: TextInput.bytes(from: body), keys: keys)
        if output.output == .table {
            try output.writer.write(text: headers.map { "\($0.name): \($0.value)\n" }.joined())
        } else {
            var object = JSON.Object()
            for header in headers { object[header.name] = .string(header.value) }
            try output.writer.write(.object(object), columns: headers.map { Column($0.name, $0.name) })
        }
    }
}

/// How a delivery proves where it comes from.
struct SigningOptions: ParsableArguments {
    @Option(help: "Signing profile.") var profile = "standard-webhooks"
    @Option(
        help: ArgumentHelp("File with a signing secret. May be given again: one signature each.", valueName: "file")
    )
    var keyFile: [String] = []
    @Option(help: "Id of the message, the same over all retries; a new one by default.") var id: String?
    @Option(help: ArgumentHelp("When it is signed, RFC 3339; now by default.", valueName: "time")) var at: String?

    func secrets() throws(CommandFailure) -> [String] {
        guard !keyFile.isEmpty else { throw CommandFailure(.usage, "no key: give --key-file") }
        var secrets: [String] = []
        for file in keyFile { secrets.append(try TextInput.secret(from: file)) }
        return secrets
    }

    func key(_ secret: String) throws(CommandFailure) -> SigningKey {
        let forms = try known().secretForms
        do throws(SigningKeyError) {
            return try SigningKey(secret: secret, forms: forms)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
    }

    func headers(for body: [UInt8], keys: [SigningKey]) throws(CommandFailure) -> [(name: String, value: String)] {
        let instant = try at.map(Timestamp.reading) ?? SystemClock().now()
        let profile = try known()
        do throws(SignatureMakerError) {
            return try SignatureMaker.sign(
                profile: profile,
                id: id ?? "msg_" + Base64.url.encode(SystemRandomness().bytes(18)),
                at: instant,
                body: body,
                keys: keys
            )
        } catch {
            throw CommandFailure(.usage, Self.explanation(of: error))
        }
    }

    private func known() throws(CommandFailure) -> SigningProfile {
        let profiles: [String: SigningProfile]
        do throws(SigningProfileError) {
            profiles = try SigningProfile.embedded()
        } catch {
            throw CommandFailure(.failure, "\(error)")
        }
        guard let found = profiles[profile] else {
            throw CommandFailure(
                .usage,
                "no profile \(profile); there are: \(profiles.keys.sorted().joined(separator: ", "))"
            )
        }
        return found
    }

    private static func explanation(of error: SignatureMakerError) -> String {
        switch error {
        case .idUnusable: "a receiver would refuse the message's id"
        case .signedHeaderMissing: "the profile signs a header that was not given"
        case .bodyUnusable: "the body is no JSON object, and this profile's proof stands in it"
        case .noKeyThatSigns: "no key is of a kind that this profile signs with; public keys cannot sign"
        case .tooManyKeys: "this profile has room for one signature"
        case .signingFailed: "the key cannot sign"
        }
    }
}

extension Timestamp {
    /// An option's text.
    static func reading(_ text: String) throws(CommandFailure) -> Timestamp {
        guard let instant = Timestamp(text) else {
            throw CommandFailure(.usage, "\(text) is not an RFC 3339 time such as 2026-11-21T09:00:00Z")
        }
        return instant
    }
}
