import App
import ArgumentParser
import Domain
import Foundation
import Transparency

struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign a delivery as an HR system would, and print the headers to send with it.",
        discussion: """
            The body is signed byte for byte: send exactly the file that was signed. Where a profile's proof stands in \
            the body, what has to be sent is written to --body-out.

            EXAMPLES
              rollcall sign --key-file whsec.txt --body event.json >headers.txt
              curl -H @headers.txt -H 'content-type: application/json' \\
                --data-binary @event.json "$URL"
              rollcall sign --key-file whsec.txt --body - --id msg_1 -o json <event.json
              rollcall sign --profile set --key-file key.pem --body claims.json \\
                --body-out token.txt
            """
    )

    @OptionGroup var signing: SigningOptions
    @Option(help: "Method of the request, where the profile signs it.") var method = "POST"
    @Option(help: "Absolute URL of the request, where the profile signs it.") var url: String?
    @Option(
        name: .customLong("header"),
        help: ArgumentHelp("Header that the profile signs besides. May be given again.", valueName: "name: value")
    )
    var header: [String] = []
    @Option(help: ArgumentHelp("What is sent, or - for stdin.", valueName: "file")) var body: String
    @Option(
        help: ArgumentHelp("Where to write the body to send, as the signing left it.", valueName: "file")
    )
    var bodyOut: String?
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let profile = try signing.known()
        let request = HookRequest(
            method: method,
            url: url ?? "",
            headers: try header.map { text throws(CommandFailure) in try HeaderLines.one(text) },
            body: try TextInput.bytes(from: body)
        )
        let (sent, made) = try signing.delivery(request, as: profile, keys: signing.keys(for: profile).map(\.key))
        if let bodyOut {
            do {
                try Data(sent.body).write(to: URL(fileURLWithPath: bodyOut))
            } catch {
                throw CommandFailure(.usage, "cannot write \(bodyOut): \(error.localizedDescription)")
            }
        } else if sent.body != request.body {
            throw CommandFailure(.usage, "the proof of profile \(profile.name) stands in the body: give --body-out")
        }
        let headers = request.headers + made
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
    @Option(help: "Signing profile. (default: standard-webhooks)") var profile: String?
    @OptionGroup var keyOptions: KeyOptions
    @Option(help: "Id of the message, the same over all retries; a new one by default.") var id: String?
    @Option(help: ArgumentHelp("When it is signed, RFC 3339; now by default.", valueName: "time")) var at: String?

    static let standardProfile = "standard-webhooks"

    func known(else other: String? = nil) throws(CommandFailure) -> SigningProfile {
        try SigningProfile.known(profile ?? other ?? Self.standardProfile)
    }

    func keys(for profile: SigningProfile) throws(CommandFailure) -> [(file: String, key: SigningKey)] {
        try keyOptions.keys(for: profile)
    }

    /// The request as it has to be sent, and the headers that were added to it.
    func delivery(
        _ request: HookRequest,
        as profile: SigningProfile,
        keys: [SigningKey]
    ) throws(CommandFailure) -> (sent: HookRequest, made: [(name: String, value: String)]) {
        let instant = try at.map(Timestamp.reading) ?? SystemClock().now()
        var request = request
        var made: [(name: String, value: String)] = []
        if case .messageSignature = profile.proof {
            guard !request.url.isEmpty else {
                throw CommandFailure(.usage, profile.needsURL)
            }
            // The type is covered as a rule, so it has to be there before the rest.
            if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
                made.append(("content-type", "application/json"))
                request.headers += made
            }
        }
        do throws(SignatureMakerError) {
            let delivery = try SignatureMaker.sign(
                profile: profile,
                id: id ?? "msg_" + Base64.url.encode(SystemRandomness().bytes(18)),
                at: instant,
                request: request,
                keys: keys
            )
            request.headers += delivery.headers
            request.body = delivery.body
            return (request, made + delivery.headers)
        } catch {
            throw CommandFailure(.usage, Self.explanation(of: error))
        }
    }

    private static func explanation(of error: SignatureMakerError) -> String {
        switch error {
        case .idUnusable: "a receiver would refuse the message's id"
        case .signedHeaderMissing: "the profile signs a header that was not given; --header gives one"
        case .bodyUnusable: "the body is no JSON object, and this profile's proof stands in it"
        case .noKeyThatSigns: "no key is of a kind that this profile signs with; public keys cannot sign"
        case .tooManyKeys: "this profile has room for one signature"
        case .signingFailed: "the key cannot sign"
        }
    }
}

extension SigningProfile {
    /// The embedded profile of that name.
    static func known(_ name: String) throws(CommandFailure) -> SigningProfile {
        let profiles: [String: SigningProfile]
        do throws(SigningProfileError) {
            profiles = try embedded()
        } catch {
            throw CommandFailure(.failure, "\(error)")
        }
        guard let found = profiles[name] else {
            throw CommandFailure(
                .usage,
                "no profile \(name); there are: \(profiles.keys.sorted().joined(separator: ", "))"
            )
        }
        return found
    }

    /// What is said where a URL is missing.
    var needsURL: String { "profile \(name) signs the URL: give --url, and --method if it is not POST" }

    /// A key in one of the profile's forms, with an id by which a verdict names it.
    func key(_ secret: String, label: String? = nil) throws(CommandFailure) -> SigningKey {
        do throws(SigningKeyError) {
            let id = SourceKeyID.unguessable(using: SystemRandomness())
            return try SigningKey(secret: secret, forms: secretForms, id: id, label: label)
        } catch {
            throw CommandFailure(.usage, "\(error)")
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
