import Domain
import Foundation
import HTTPTypes
import Outbound
import Transparency

/// An HR system with a source's key.
struct Sender: Sendable {
    let url: String
    let secret: String
    private let outbound = OutboundClient(policy: .operatorChosen)

    struct Unsignable: Error {}

    init(source: JSON) {
        url = source["url"]?.string ?? ""
        secret = source["secret"]?.string ?? ""
    }

    static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }

    /// A canonical event. Without a user name it says of the person only who they are.
    static func event(
        _ kind: String,
        _ person: String,
        userName: String? = nil,
        department: String? = nil,
        title: String = "Analyst",
        occurredAt: Timestamp? = nil,
        effectiveAt: String? = nil
    ) -> JSON {
        var attributes: JSON.Object = ["externalId": .string(person)]
        if let userName {
            attributes["userName"] = .string(userName)
            attributes["name"] = ["givenName": "Given", "familyName": .string(person)]
            attributes["emails"] = [["value": .string(userName), "type": "work", "primary": true]]
            attributes["title"] = .string(title)
            attributes["active"] = true
        }
        if let department { attributes[CanonicalPerson.enterprise] = ["department": .string(department)] }
        var event: JSON.Object = ["type": .string(kind), "person": .object(attributes)]
        event["occurred_at"] = .string((occurredAt ?? now).description)
        if let effectiveAt { event["effective_at"] = .string(effectiveAt) }
        return .object(event)
    }

    static func newID() -> String { "msg_\(UInt64.random(in: 0...UInt64.max))" }

    /// As Standard Webhooks asks.
    func signature(of body: [UInt8], id: String, secret other: String? = nil) throws -> [(String, String)] {
        guard let profile = try SigningProfile.embedded()["standard-webhooks"] else { throw Unsignable() }
        let key = try SigningKey(secret: other ?? secret, forms: profile.secretForms)
        return try SignatureMaker.sign(profile: profile, id: id, at: Self.now, body: body, keys: [key])
            .map { ($0.name, $0.value) }
    }

    func post(
        _ body: [UInt8],
        id: String = newID(),
        secret: String? = nil,
        headers more: HTTPFields = [:],
        to other: String? = nil
    ) async throws -> Answer {
        var headers: HTTPFields = [.contentType: "application/json"]
        for (name, value) in try signature(of: body, id: id, secret: secret) {
            guard let name = HTTPField.Name(name) else { throw Unsignable() }
            headers[name] = value
        }
        for field in more { headers[field.name] = field.value }
        let request = OutboundRequest(method: .post, url: other ?? url, headers: headers, body: body)
        let response = try await outbound.send(request)
        return Answer(status: response.status.code, headers: response.headers, body: response.body)
    }

    func post(_ event: JSON, id: String = newID()) async throws -> Answer { try await post(event.bytes, id: id) }
}
