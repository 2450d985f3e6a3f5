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
            The event is the canonical one. A person comes from --person, from options, or from both: options win.

            EXAMPLES
              rollcall trigger joiner --source "$URL" --key-file whsec.txt \\
                --external-id e-1001 --user-name ada@acme.example --department Finance
              rollcall trigger mover --home ~/rollcall --source hr --person ada.json
              rollcall trigger leaver --home ~/rollcall --external-id e-1001
            """
    )

    @Argument(help: "What happens.")
    var kind: EventKind

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
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (url, secrets) = try target()
        let body = try event.event(kind).bytes
        let keys = try secrets.map { try signing.key($0) }
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        for header in try signing.headers(for: body, keys: keys) {
            guard let name = HTTPField.Name(header.name) else {
                throw CommandFailure(.failure, "\(header.name) is no header")
            }
            headers[name] = header.value
        }
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await OutboundClient(policy: .operatorChosen).send(
                OutboundRequest(method: .post, url: url, headers: headers, body: body)
            )
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else { throw CommandFailure(response) }
        // Other receivers than ours may answer with nothing, or with anything.
        let answer = (try? JSON.parse(response.body)) ?? .object(["status": .integer(response.status.code)])
        try output.writer.write(answer, columns: [Column("DELIVERY", "delivery"), Column("STATUS", "status")])
    }

    /// Where to, and the secrets to sign with.
    private func target() throws(CommandFailure) -> (url: String, secrets: [String]) {
        if let source, source.contains("://") { return (source, try signing.secrets()) }
        guard let directory = home ?? Environment["ROLLCALL_HOME"] else {
            throw CommandFailure(.usage, "no source: give its URL by --source, or --home")
        }
        let known = try DevelopmentHome(directory).source(source, organization: organization)
        return (known.url, signing.keyFile.isEmpty ? [known.secret] : try signing.secrets())
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
