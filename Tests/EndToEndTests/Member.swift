import HTTPTypes
import Testing
import Transparency

/// A member in their browser: sets a password where they have none, signs in, and claims.
struct Member: Sendable {
    let base: String
    let cookie: String

    private static let password = "a sentence of some length"

    struct NotSignedIn: Error { let status: Int }

    /// Signs that member in; where they have no password yet, by the link that an admin makes.
    init(_ username: String, _ development: Development, in slug: String = "acme") async throws {
        base = development.baseURL
        let admin = development.admin(slug)
        var answer = try await Self.signIn(username, slug, base)
        if answer.status != 303,
            let user = try await admin.get("/v1/users", filter: "username eq \"\(username)\"").first
        {
            let link = try await admin.post("/v1/users/\(user["id"]?.string ?? "")/password-links").json["url"]?.string
            let set = try await Self.form(link ?? "", [("password", Self.password), ("again", Self.password)], base)
            #expect(set.status == 200)
            answer = try await Self.signIn(username, slug, base)
        }
        guard answer.status == 303, let set = answer.headers[.setCookie] else {
            throw NotSignedIn(status: answer.status)
        }
        cookie = String(set.prefix { $0 != ";" })
    }

    func get(_ url: String) async throws -> Answer {
        try await Bearer(base: base, token: nil).send(.get, url, headers: [.cookie: cookie])
    }

    /// What claiming the link answers.
    func claim(_ url: String) async throws -> Answer {
        let token = try await get(url).json["form_token"]?.string ?? ""
        return try await Self.form(url, [("form_token", token)], base, cookie: cookie)
    }

    private static func signIn(_ username: String, _ slug: String, _ base: String) async throws -> Answer {
        let fields = [
            ("organization", slug), ("username", username), ("password", password), ("return_to", "/profile"),
        ]
        return try await form("/signin", fields, base)
    }

    private static func form(
        _ path: String,
        _ fields: [(String, String)],
        _ base: String,
        cookie: String? = nil
    ) async throws -> Answer {
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded", .origin: base]
        headers[.cookie] = cookie
        let text = fields.map {
            "\($0)=\($1.replacing("+", with: "%2B").replacing(" ", with: "+").replacing("@", with: "%40"))"
        }
        let body = Array(text.joined(separator: "&").utf8)
        return try await Bearer(base: base, token: nil).send(.post, path, headers: headers, body: body)
    }
}
