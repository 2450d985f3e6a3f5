import Domain
import Foundation
import HTTPTypes
import OAuth
import Storage
import TestSupport
import Testing
import Transparency

/// An app of the organization, and what it does with a browser in which the admin is signed in.
struct TestApp: Sendable {
    let oauth: TestOAuth
    let id: AppID
    let secret: OpaqueSecret?
    var browser: Browser

    static let redirect = "https://app.example/callback"
    static let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    static let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    static func with(
        redirects: [String] = [Self.redirect],
        scopes: ScopeSet = ScopeSet([.peopleRead, .usersRead]),
        isConfidential: Bool = true,
        isLegacy: Bool = false,
        lifetime: Duration = AppTerms.standardLifetime,
        outsiders: OutsideClients = OutsideClients(),
        _ body: @Sendable (inout TestApp) async throws -> Void
    ) async throws {
        try await TestOAuth.with(outsiders: outsiders) { oauth in
            let made = try await oauth.register(
                redirects: redirects,
                scopes: scopes,
                isConfidential: isConfidential,
                isLegacy: isLegacy,
                lifetime: lifetime
            )
            var app = TestApp(
                oauth: oauth,
                id: made.app.id,
                secret: made.secret,
                browser: try await oauth.signedInBrowser()
            )
            try await body(&app)
        }
    }

    /// The query of a request to authorize; `changes` replace members, nil takes one away.
    func query(_ changes: [String: String?] = [:]) -> String {
        var members: [(String, String)] = [
            ("response_type", "code"), ("client_id", id.description), ("redirect_uri", Self.redirect),
            ("scope", "people:read"), ("state", "xyz &="), ("code_challenge", Self.challenge),
            ("code_challenge_method", "S256"),
        ]
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }
        return members.map { "\($0)=\($1.formEncoded)" }.joined(separator: "&")
    }

    mutating func ask(_ changes: [String: String?] = [:]) async throws -> TestOAuth.Answer {
        try await browser.get("/oauth/authorize?" + query(changes))
    }

    /// `shown` nil: what the page of this moment shows.
    mutating func approve(
        _ changes: [String: String?] = [:],
        shown: String? = nil
    ) async throws -> TestOAuth.Answer {
        var shown = shown
        if shown == nil { shown = try await ask(changes).hidden("shown") }
        return try await browser.post(
            "/oauth/authorize",
            [("request", query(changes)), ("decision", "approve"), ("shown", shown ?? "")]
        )
    }

    /// A fresh code, approved by the member in the browser.
    mutating func code(_ changes: [String: String?] = [:]) async throws -> String {
        try #require(try await approve(changes).member("code"))
    }

    var credentials: [(String, String)] {
        [("client_id", id.description)] + (secret.map { [("client_secret", $0.reveal())] } ?? [])
    }

    func exchange(_ code: String, _ changes: [String: String?] = [:]) async throws -> TestOAuth.Answer {
        var members =
            [
                ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", Self.redirect),
                ("code_verifier", Self.verifier),
            ] + credentials
        for (name, value) in changes {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }
        return try await oauth.form("/oauth/token", members.map { ($0.0, $0.1.formEncoded) })
    }

    func refresh(_ token: String, _ more: [(String, String)] = []) async throws -> TestOAuth.Answer {
        try await oauth.form(
            "/oauth/token",
            [("grant_type", "refresh_token"), ("refresh_token", token)] + credentials
                + more.map { ($0.0, $0.1.formEncoded) }
        )
    }

    /// Access and refresh token of a fresh approval.
    mutating func tokens(_ changes: [String: String?] = [:]) async throws -> (access: String, refresh: String) {
        let answer = try await exchange(try await code(changes))
        return (
            try #require(answer.body["access_token"]?.string), try #require(answer.body["refresh_token"]?.string)
        )
    }

    func userInfo(_ access: String) async throws -> TestOAuth.Answer {
        try await oauth.send(.get, "/oauth/userinfo", fields: [.authorization: "Bearer " + access])
    }
}

extension TestOAuth {
    func register(
        redirects: [String] = [TestApp.redirect],
        scopes: ScopeSet = ScopeSet([.peopleRead, .usersRead]),
        isConfidential: Bool = true,
        isLegacy: Bool = false,
        lifetime: Duration = AppTerms.standardLifetime
    ) async throws -> AppWithSecret {
        let terms = AppTerms(
            name: "Org chart",
            description: "Draws who works with whom",
            contactEmail: try #require(ContactEmail("charts@example.com")),
            redirects: try redirects.map { try #require(RedirectURI($0)) },
            scopes: scopes,
            isLegacy: isLegacy,
            accessLifetime: lifetime
        )
        let creation = AppCreation(
            terms,
            isConfidential: isConfidential,
            by: fixture.attribution(of: admin),
            in: fixture.store
        )
        return try await fixture.store.perform(creation, in: organization.id)
    }
}

extension TestOAuth.Answer {
    /// A member of the query that a redirect leads to, decoded.
    func member(_ name: String) -> String? {
        guard let query = location.split(separator: "?").dropFirst().first else { return nil }
        for pair in query.split(separator: "&") where pair.hasPrefix(name + "=") {
            return String(pair.dropFirst(name.count + 1)).removingPercentEncoding
        }
        return nil
    }
}
