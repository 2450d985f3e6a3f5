import App
import Domain
import HTTPTypes
import Outbound
import Transparency

/// The others of the story: an HR system with its key, and an integration with its client.
struct DemoWorld: Sendable {
    let base: String
    private let hook: String
    private let secret: String
    private let outbound = OutboundClient(policy: .operatorChosen)

    struct Answer: Sendable {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        /// null where it is not JSON.
        var json: JSON {
            // A page or an empty answer is no JSON, and then has no members.
            (try? JSON.parse(body)) ?? .null
        }
    }

    init(base: String, source: JSON) {
        self.base = base
        hook = source["url"]?.string ?? ""
        secret = source["secret"]?.string ?? ""
    }

    static func event(_ kind: String, _ person: String, department: String? = nil) -> [UInt8] {
        var attributes: JSON.Object = ["externalId": .string(person)]
        if let department {
            attributes["userName"] = "ada@acme.example"
            attributes["name"] = ["givenName": "Ada", "familyName": "Lovelace"]
            attributes["emails"] = [["value": "ada@acme.example", "type": "work", "primary": true]]
            attributes["title"] = "Analyst"
            attributes["active"] = true
            attributes[CanonicalPerson.enterprise] = ["employeeNumber": "1001", "department": .string(department)]
        }
        let now = SystemClock().now()
        let event: JSON = [
            "type": .string(kind), "occurred_at": .string(now.description), "person": .object(attributes),
        ]
        return event.bytes
    }

    /// A delivery, signed as Standard Webhooks asks; `forged` signs it with a key that is not the source's.
    func post(
        _ body: [UInt8],
        id: String = "msg_\(UInt64.random(in: 0...UInt64.max))",
        forged: Bool = false
    )
        async throws -> Answer
    {
        guard let profile = try SigningProfile.embedded()["standard-webhooks"] else {
            throw CommandFailure(.failure, "the program carries no standard-webhooks profile")
        }
        let other = "whsec_" + Base64.standard.encode([UInt8](repeating: 7, count: 32))
        let key = try SigningKey(secret: forged ? other : secret, forms: profile.secretForms)
        let now = SystemClock().now()
        let signed = try SignatureMaker.sign(profile: profile, id: id, at: now, body: body, keys: [key])
        var headers: HTTPFields = [.contentType: "application/json"]
        for header in signed {
            guard let name = HTTPField.Name(header.name) else { continue }
            headers[name] = header.value
        }
        return try await send(.post, hook, headers: headers, body: body)
    }

    /// RFC 6749 4.4.
    func token(_ client: String, _ secret: String) async throws -> Answer {
        let form = "grant_type=client_credentials&client_id=\(client)&client_secret=\(secret)"
        return try await send(
            .post,
            "/oauth/token",
            headers: [.contentType: "application/x-www-form-urlencoded"],
            body: Array(form.utf8)
        )
    }

    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        bearer: String? = nil,
        headers: HTTPFields = [:],
        body: [UInt8] = []
    ) async throws -> Answer {
        var headers = headers
        if let bearer { headers[.authorization] = "Bearer \(bearer)" }
        do throws(OutboundError) {
            let url = path.hasPrefix("/") ? base + path : path
            let request = OutboundRequest(method: method, url: url, headers: headers, body: body)
            let response = try await outbound.send(request)
            return Answer(status: response.status, headers: response.headers, body: response.body)
        } catch {
            throw CommandFailure(error)
        }
    }
}

/// How the story is told.
enum DemoVoice {
    static func chapter(_ title: String) { Output.note("\n\(title)") }

    /// Tells what held. What did not hold ends the story, and the program with 1.
    static func proved(_ holds: Bool, _ what: String) throws {
        guard holds else { throw CommandFailure(.failure, "did not hold: \(what)") }
        Output.note("  ✓ \(what)")
    }
}
