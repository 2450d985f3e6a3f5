import HTTPTypes
import Testing
import Transparency

/// The first chapters of the main job, for suites that need what comes out of them.
enum Story {
    struct Client: Sendable {
        let grant: String
        let secret: String
        let link: String
        let token: String
    }

    struct Unfinished: Error {}

    /// A joiner of Finance, applied: the person and their grant as the API shows them.
    static func join(
        _ person: String,
        userName: String,
        _ development: Development,
        in slug: String = "acme"
    ) async throws -> (person: JSON, grant: JSON) {
        let event = Sender.event("joiner", person, userName: userName, department: "Finance")
        let answer = try await development.sender(slug).post(event)
        #expect(answer.status == 202)
        try #require(await development.settle())
        let admin = development.admin(slug)
        guard let known = try await admin.get("/v1/people", filter: "externalId eq \"\(person)\"").first,
            let grant = try await admin.get("/v1/grants", filter: "username eq \"payroll.\(userName)\"").first
        else { throw Unfinished() }
        return (known, grant)
    }

    /// Claims the grant's secret by its one-time link, as its signed-in custodian, and exchanges it.
    static func claim(_ grant: JSON, _ development: Development, in slug: String = "acme") async throws -> Client {
        let id = grant["id"]?.string ?? ""
        let link = try await development.admin(slug).post("/v1/grants/\(id)/claim-links").json["url"]?.string ?? ""
        let anyone = development.bearer(nil)
        let custodian = try await Member(try await custodian(of: grant, development, in: slug), development, in: slug)
        let secret = try await custodian.claim(link).json["client_secret"]?.string ?? ""
        let token = try await anyone.exchange(id, secret).json["access_token"]?.string ?? ""
        #expect(secret.hasPrefix("rcs_") && token.hasPrefix("rca_"))
        return Client(grant: id, secret: secret, link: link, token: token)
    }

    /// The username of the member who keeps the grant's secret.
    static func custodian(of grant: JSON, _ development: Development, in slug: String = "acme") async throws -> String {
        let admin = development.admin(slug)
        let user = try await admin.get("/v1/users/\(grant["user"]?.string ?? "")").json
        let custodian = try await admin.get("/v1/users/\(user["custodian"]?.string ?? "")").json
        guard let username = custodian["username"]?.string else { throw Unfinished() }
        return username
    }
}
