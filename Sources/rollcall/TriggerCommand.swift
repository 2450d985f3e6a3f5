import App
import ArgumentParser
import Domain
import HTTPTypes
import Outbound
import Transparency

struct TriggerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trigger",
        abstract: "Post a signed event to a source, as its HR system would.",
        discussion: """
            The event is the canonical one: a person comes from --person, from options, or from both, and options win. \
            With --payload, a body of the sender's own form is posted instead; with --sample, one that comes with the \
            program, as the sender of that mapping writes it, with the same options filled in.

            EXAMPLES
              rollcall trigger joiner --source "$URL" --key-file whsec.txt \\
                --external-id e-1001 --user-name ada@acme.example --department Finance
              rollcall trigger mover --home ~/rollcall --source hr --person ada.json
              rollcall trigger leaver --home ~/rollcall --external-id e-1001
              rollcall trigger --payload hook.json --profile "$PROFILE" \\
                --source "$URL" --key-file key.txt
              rollcall trigger --sample merge/joiner --source "$URL" --key-file key.txt
            """
    )

    @Argument(help: "What happens.")
    var kind: EventKind?

    @Option(
        help: ArgumentHelp(
            "URL of the source; with --home, its slug (the first source by default).",
            valueName: "url or slug"
        )
    )
    var source: String?
    @Option(
        help: ArgumentHelp(
            "Home of a `rollcall dev`, read for URL and key. Else ROLLCALL_HOME.",
            valueName: "directory"
        )
    )
    var home: String?
    @Option(help: ArgumentHelp("With --home: the organization; the first by default.", valueName: "slug"))
    var organization: String?
    @OptionGroup(title: "Signature") var signing: SigningOptions
    @OptionGroup(title: "Event") var event: EventOptions
    @Option(help: ArgumentHelp("What is posted, as its sender writes it, or - for stdin.", valueName: "file"))
    var payload: String?
    @Option(
        help: ArgumentHelp(
            "Payload of a mapping, such as merge/joiner; its profile is that of the name unless --profile says another.",
            valueName: "mapping/name"
        )
    )
    var sample: String?
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard [kind != nil, payload != nil, sample != nil].count(where: \.self) == 1 else {
            throw ValidationError("give what happens, or a --payload, or a --sample")
        }
    }

    func run() async throws {
        let body =
            try payload.map { file throws(CommandFailure) in try TextInput.bytes(from: file) }
            ?? sample.map { name throws(CommandFailure) in try event.payload(Mapping.sample(name)) }
        let (url, profile, keys) = try target()
        let type = profile.contentTypes.first { !$0.hasPrefix("*") } ?? "application/json"
        let request = HookRequest(
            url: url,
            headers: [("content-type", type)],
            body: try body ?? kind.map { kind throws(CommandFailure) in try event.event(kind).bytes } ?? []
        )
        let sent = try signing.delivery(request, as: profile, keys: keys).sent
        var headers = HTTPFields()
        for header in sent.headers {
            guard let name = HTTPField.Name(header.name) else {
                throw CommandFailure(.failure, "\(header.name) is no header")
            }
            headers[name] = header.value
        }
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await OutboundClient(policy: .operatorChosen).send(
                OutboundRequest(method: .post, url: url, headers: headers, body: sent.body)
            )
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else { throw CommandFailure(response) }
        // Other receivers than ours may answer with nothing, or with anything.
        let answer = (try? JSON.parse(response.body)) ?? .object(["status": .integer(response.status.code)])
        try output.writer.write(answer, columns: [Column("DELIVERY", "delivery"), Column("STATUS", "status")])
    }

    /// A sample is sent as its own sender would, where there is a profile of that name.
    private func sampledProfile() throws(CommandFailure) -> String? {
        guard let name = sample?.split(separator: "/").first.map(String.init) else { return nil }
        do throws(SigningProfileError) {
            return try SigningProfile.embedded()[name]?.name
        } catch {
            throw CommandFailure(.failure, "\(error)")
        }
    }

    /// Where to, and what to sign with.
    private func target() throws(CommandFailure) -> (url: String, profile: SigningProfile, keys: [SigningKey]) {
        if let source, source.contains("://") {
            let profile = try signing.known(else: sampledProfile())
            return (source, profile, try signing.keys(for: profile).map(\.key))
        }
        guard let directory = home ?? Environment["ROLLCALL_HOME"] else {
            throw CommandFailure(.usage, "no source: give its URL by --source, or --home")
        }
        let known = try DevelopmentHome(directory).source(source, organization: organization)
        let profile = try signing.known(else: known.profile)
        guard signing.keyOptions.keyFile.isEmpty else {
            return (known.url, profile, try signing.keys(for: profile).map(\.key))
        }
        return (known.url, profile, [try profile.key(known.secret)])
    }
}

extension EventKind: ExpressibleByArgument {}

/// What the event says.
struct EventOptions: ParsableArguments {
    @Option(help: ArgumentHelp("JSON of the person, with SCIM's names, or - for stdin.", valueName: "file")) var person:
        String?
    @Option(help: "The source's own id of the person.") var externalId: String?
    @Option(help: "Username.") var userName: String?
    @Option(help: "Given name.") var givenName: String?
    @Option(help: "Family name.") var familyName: String?
    @Option(help: "Work email address.") var email: String?
    @Option(help: "Title.") var title: String?
    @Option(help: "Department.") var department: String?
    @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var occurredAt: String?
    @Option(help: ArgumentHelp("RFC 3339, or a date without a zone.", valueName: "time")) var effectiveAt: String?

    private static let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

    func event(_ kind: EventKind) throws(CommandFailure) -> JSON {
        var event: JSON.Object = ["type": .string(kind.rawValue)]
        event["occurred_at"] = .text(occurredAt)
        event["effective_at"] = .text(effectiveAt)
        let person = try described()
        if kind != .ping {
            guard person["externalId"]?.string != nil else {
                throw CommandFailure(.usage, "who? Give --external-id, or a --person that has an externalId")
            }
            event["person"] = .object(person)
        }
        return .object(event)
    }

    private func described() throws(CommandFailure) -> JSON.Object {
        var described = JSON.Object()
        if let person {
            guard case .object(let read) = try TextInput.json(from: person) else {
                throw CommandFailure(.usage, "the person is not a JSON object")
            }
            described = read
        }
        if let externalId { described["externalId"] = .string(externalId) }
        if let userName { described["userName"] = .string(userName) }
        if let title { described["title"] = .string(title) }
        if let email {
            described["emails"] = .array([["value": .string(email), "type": "work", "primary": true]])
        }
        if givenName != nil || familyName != nil {
            var name = described["name"]?.object ?? JSON.Object()
            if let givenName { name["givenName"] = .string(givenName) }
            if let familyName { name["familyName"] = .string(familyName) }
            described["name"] = .object(name)
        }
        if let department {
            var enterprise = described[Self.enterprise]?.object ?? JSON.Object()
            enterprise["department"] = .string(department)
            described[Self.enterprise] = .object(enterprise)
        }
        return described
    }
}

extension EventOptions {
    /// A sample with the person of the options, or a made-up one.
    func payload(_ sample: MappingSample) -> [UInt8] {
        let now = SystemClock().now()
        let user = userName ?? email ?? "ada@sample.example"
        return sample.filled(with: [
            .id: "sample_" + Base64.url.encode(SystemRandomness().bytes(18)), .now: now.description,
            .today: String(now.description.prefix(10)), .externalID: externalId ?? "sample-1", .userName: user,
            .givenName: givenName ?? "Ada", .familyName: familyName ?? "Lovelace", .email: email ?? user,
            .title: title ?? "Analyst", .department: department ?? "Finance",
        ])
    }
}

extension Mapping {
    /// The sample of that name, as `merge/joiner`.
    static func sample(_ name: String) throws(CommandFailure) -> MappingSample {
        let mappings: [String: Mapping]
        do throws(MappingFileError) {
            mappings = try embedded()
        } catch {
            throw CommandFailure(.failure, "\(error)")
        }
        let samples = mappings.values.flatMap { mapping in mapping.samples.map { (mapping.name + "/" + $0.name, $0) } }
        guard let found = samples.first(where: { $0.0 == name }) else {
            let known = samples.map(\.0).sorted().joined(separator: ", ")
            throw CommandFailure(.usage, "no sample \(name); there are: \(known)")
        }
        return found.1
    }
}
