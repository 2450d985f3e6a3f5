import Domain
import HTTPTypes
import Storage
import TestSupport
import Testing
import Transparency

/// Somebody's browser: keeps the cookie, says where its forms come from, and reads the token out of pages.
struct Browser: Sendable {
    var oauth: TestOAuth
    var cookie: String?
    /// Where the next sign-in leads.
    var returnCookie: String?
    /// What it says that it wants.
    var accept = "text/html"
    var formToken: String?
    var address = "192.0.2.10"

    init(_ oauth: TestOAuth, from address: String = "192.0.2.10") {
        self.oauth = oauth
        self.address = address
    }

    mutating func get(_ path: String) async throws -> TestOAuth.Answer {
        try await send(.get, path)
    }

    /// A form with the token of the page that was looked at last.
    mutating func post(
        _ path: String,
        _ members: [(String, String)],
        origin: String? = TestOAuth.issuer,
        fields: HTTPFields = [:]
    ) async throws -> TestOAuth.Answer {
        var all = members
        if let formToken, !members.contains(where: { $0.0 == "form_token" }) { all.append(("form_token", formToken)) }
        var fields = fields
        fields[.contentType] = "application/x-www-form-urlencoded"
        fields[.origin] = origin
        return try await send(.post, path, all.map { "\($0)=\($1.formEncoded)" }.joined(separator: "&"), fields)
    }

    /// Signs in with a password that ``TestOAuth/password(_:for:)`` set.
    mutating func signIn(
        as username: String,
        password: String = TestOAuth.password,
        returnTo: String = "/profile"
    ) async throws -> TestOAuth.Answer {
        try await post(
            "/signin",
            [("organization", "acme"), ("username", username), ("password", password), ("return_to", returnTo)]
        )
    }

    private mutating func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String = "",
        _ fields: HTTPFields = [:]
    ) async throws -> TestOAuth.Answer {
        var fields = fields
        fields[.accept] = accept
        let cookies = [cookie, returnCookie].compactMap(\.self)
        if !cookies.isEmpty { fields[.cookie] = (["other=1"] + cookies).joined(separator: "; ") }
        let answer = try await oauth.send(method, path, body, from: address, fields: fields)
        if let set = answer.fields[.setCookie] {
            let pair = String(set.prefix { $0 != ";" })
            let kept = pair.hasSuffix("=") ? nil : pair
            if pair.contains("-return=") { returnCookie = kept } else { cookie = kept }
        }
        if let token = answer.hidden("form_token") ?? answer.body["form_token"]?.string { formToken = token }
        return answer
    }
}

extension TestOAuth {
    static let password = "a sentence of some length"

    /// Gives that member a password, as they set it by a link.
    func setPassword(_ text: String = Self.password, for user: UserID) async throws {
        let creation = PasswordLinkCreation(
            for: user,
            by: .systemOperator,
            Attribution(actor: .system("operator"), receivedAt: fixture.clock.now()),
            in: fixture.store
        )
        let link = try await fixture.store.perform(creation, in: organization.id)
        let hash = try PasswordHash(
            of: try #require(Password(typed: text)),
            cost: .cheap,
            using: fixture.randomness
        )
        #expect(try await fixture.store.setPassword(hash, by: link.secret, from: .init()))
    }

    /// A browser in which the admin is signed in.
    func signedInBrowser() async throws -> Browser {
        try await setPassword(for: admin.user)
        var browser = Browser(self)
        #expect(try await browser.signIn(as: admin.username).status == 303)
        _ = try await browser.get("/profile")
        return browser
    }
}

extension TestOAuth.Answer {
    /// The value of a hidden member of a form.
    func hidden(_ name: String) -> String? {
        guard let start = text.firstRange(of: "name=\"\(name)\" value=\"") else { return nil }
        return String(text[start.upperBound...].prefix { $0 != "\"" }).replacing("&#43;", with: "+")
    }

    var location: String { fields[.location] ?? "" }
}

extension String {
    var formEncoded: String {
        utf8.map { byte in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
