import HTTPTypes
import Transparency

/// A member of the story in their browser.
struct DemoMember {
    private let world: DemoWorld
    private let organization: String
    private let username: String
    private var cookie: String?

    private static let password = "a sentence that only Ada knows"

    init(_ world: DemoWorld, organization: String, username: String) {
        self.world = world
        self.organization = organization
        self.username = username
    }

    /// By the link that an admin made; it is good once.
    func setPassword(_ link: String) async throws -> DemoWorld.Answer {
        try await post(link, [("password", Self.password), ("again", Self.password)])
    }

    /// The member with a session; nil where the password is not the account's.
    func signedIn() async throws -> DemoMember? {
        let form = [("organization", organization), ("username", username), ("password", Self.password)]
        let answer = try await post("/signin", form)
        guard answer.status == .seeOther, let set = answer.headers[.setCookie] else { return nil }
        var member = self
        member.cookie = String(set.prefix { $0 != ";" })
        return member
    }

    /// What claiming the link answers; the form's token stands where the link is shown to its custodian.
    func claim(_ link: String) async throws -> DemoWorld.Answer {
        var headers: HTTPFields = [:]
        headers[.cookie] = cookie
        let token = try await world.send(.get, link, headers: headers).json["form_token"]?.string ?? ""
        return try await post(link, [("form_token", token)])
    }

    private func post(_ path: String, _ form: [(String, String)]) async throws -> DemoWorld.Answer {
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded", .origin: world.base]
        headers[.cookie] = cookie
        let text = form.map { "\($0)=\(URLText.escaped($1))" }
        return try await world.send(.post, path, headers: headers, body: Array(text.joined(separator: "&").utf8))
    }
}
