import App
import ArgumentParser
import Domain
import Transparency

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Say whether a captured delivery is proved, and what was signed. No server is needed.",
        discussion: """
            Headers are one `Name: value` a line, the body is the bytes as they came. The key file holds the key alone; \
            one line end behind it is ignored. What was signed is shown as text, with its length and SHA-256, to be \
            compared with what the sender signed.

            Exits with 0 only if the delivery is proved, with 1 if it is not.

            EXAMPLES
              rollcall verify --profile standard-webhooks --key-file whsec.txt \\
                --headers headers.txt --body body.json --at 2026-11-21T09:00:00Z
              rollcall verify --profile rfc9421 --key-file key.pem --key-label key-1 \\
                --method POST --url https://rollcall.example/hooks/src_01… \\
                --headers headers.txt --body body.json -o json
            """
    )

    @Option(help: "Signing profile.") var profile: String
    @OptionGroup var keyOptions: KeyOptions
    @Option(help: ArgumentHelp("When it was received, RFC 3339; now by default.", valueName: "time")) var at: String?
    @Option(help: ArgumentHelp("Issuer that a token has to have. May be given again.", valueName: "iss")) var issuer:
        [String] = []
    @Option(help: ArgumentHelp("For whom a token has to be. May be given again.", valueName: "aud")) var audience:
        [String] = []
    @OptionGroup var captured: CapturedRequest
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let profile = try judgedBy()
        let keys = try keyOptions.keys(for: profile)
        let request = try captured.request(for: profile)
        let examination = await Examination(
            of: request,
            profile: profile,
            receivedAt: try at.map(Timestamp.reading) ?? SystemClock().now(),
            keys: keys.map(\.key)
        )
        let told = examination.json { id in keys.first { $0.key.id == id }?.file ?? id.description }
        try output.writer.write(verdict: told)
        if !examination.isVerified { throw CommandFailure(.failure, "not proved: \(examination.explanation)") }
    }

    /// The profile, with the parties that were given.
    private func judgedBy() throws(CommandFailure) -> SigningProfile {
        let profile = try SigningProfile.known(profile)
        guard profile.carriesTokens || issuer.isEmpty && audience.isEmpty else {
            throw CommandFailure(
                .usage,
                "deliveries of profile \(profile.name) are no tokens: leave out --issuer, --audience"
            )
        }
        return profile.expecting(
            TokenParties(issuers: issuer.isEmpty ? nil : issuer, audiences: audience.isEmpty ? nil : audience)
        )
    }
}

/// Keys in files.
struct KeyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("File with a key. May be given again.", valueName: "file")) var keyFile: [String] = []
    @Option(
        help: ArgumentHelp(
            "What the sender calls the key (keyid, kid or label), in the order of the files.",
            valueName: "name"
        )
    )
    var keyLabel: [String] = []

    /// Each with the file that it came from. Refuses to go without one.
    func keys(for profile: SigningProfile) throws(CommandFailure) -> [(file: String, key: SigningKey)] {
        guard !keyFile.isEmpty else { throw CommandFailure(.usage, "no key: give --key-file") }
        guard keyLabel.count <= keyFile.count else { throw CommandFailure(.usage, "more --key-label than --key-file") }
        var keys: [(file: String, key: SigningKey)] = []
        for (place, file) in keyFile.enumerated() {
            let secret = try TextInput.key(from: file)
            keys.append((file, try profile.key(secret, label: place < keyLabel.count ? keyLabel[place] : nil)))
        }
        return keys
    }
}

/// One request in files, as it came.
struct CapturedRequest: ParsableArguments {
    @Option(help: "Method of the request.") var method = "POST"
    @Option(help: "Absolute URL to which it was sent; needed where the profile signs it.") var url: String?
    @Option(help: ArgumentHelp("Its headers, or - for stdin.", valueName: "file")) var headers: String
    @Option(help: ArgumentHelp("Its body, or - for stdin.", valueName: "file")) var body: String

    func validate() throws {
        if headers == "-", body == "-" { throw ValidationError("--headers and --body cannot both be stdin") }
    }

    func request(for profile: SigningProfile) throws(CommandFailure) -> HookRequest {
        if case .messageSignature = profile.proof, url == nil {
            throw CommandFailure(.usage, profile.needsURL)
        }
        return HookRequest(
            method: method,
            url: url ?? "",
            headers: try HeaderLines.read(from: headers),
            body: try TextInput.bytes(from: body)
        )
    }
}

/// Headers of a request in a file: one `Name: value` a line, as `rollcall sign` prints them.
enum HeaderLines {
    /// Bytes; far more than the door takes.
    static let largest = 256 << 10

    /// Refuses a line that is no header, by its number: none is skipped, joined or guessed.
    static func read(from file: String) throws(CommandFailure) -> [(name: String, value: String)] {
        let bytes = try TextInput.bytes(from: file, limit: largest)
        var headers: [(name: String, value: String)] = []
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (place, line) in lines.enumerated() {
            do throws(HeaderFault) {
                headers.append(try header(line.last == UInt8(ascii: "\r") ? line.dropLast() : line))
            } catch {
                let name = file == "-" ? "stdin" : file
                throw CommandFailure(.usage, "\(name), line \(place + 1): \(error.rawValue)")
            }
        }
        return headers
    }

    /// What `--header` takes.
    static func one(_ text: String) throws(CommandFailure) -> (name: String, value: String) {
        do throws(HeaderFault) {
            return try header(Array(text.utf8)[...])
        } catch {
            throw CommandFailure(.usage, "\(text) is no header: \(error.rawValue)")
        }
    }

    private enum HeaderFault: String, Error {
        case empty = "an empty line; headers end with the file"
        case folded = "begins with a space: folded headers are not read"
        case noColon = "is not `Name: value`"
        case name = "the name before the colon is no header's name"
        case value = "the value holds a control character or is not UTF-8"
    }

    private static func header(_ line: ArraySlice<UInt8>) throws(HeaderFault) -> (name: String, value: String) {
        guard let first = line.first else { throw .empty }
        guard !isSpace(first) else { throw .folded }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .noColon }
        let name = line[..<colon]
        guard !name.isEmpty, name.allSatisfy(isToken) else { throw .name }
        var value = line[(colon + 1)...]
        while let first = value.first, isSpace(first) { value.removeFirst() }
        while let last = value.last, isSpace(last) { value.removeLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }),
            let text = String(validating: value, as: UTF8.self)
        else { throw .value }
        return (String(decoding: name, as: UTF8.self), text)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// RFC 9110 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

extension Output {
    /// An ``Examination`` as told by the command or the API: in a table the signed bytes are lines of their own.
    func write(verdict told: JSON.Object) throws {
        guard format == .table || format == .csv else { return try write(.object(told), columns: []) }
        var flat = JSON.Object()
        for member in told.members where member.key != "signed" && !member.value.isNull {
            flat[member.key] = member.value
        }
        let signed = told["signed"]?.object
        flat["signed"] = signed?["text"] ?? .null
        flat["signed_length"] = signed?["length"] ?? .null
        flat["signed_sha256"] = signed?["sha256"] ?? .null
        try write(.object(flat), columns: flat.keys.map { Column($0.replacing("_", with: " ").uppercased(), $0) })
    }
}
