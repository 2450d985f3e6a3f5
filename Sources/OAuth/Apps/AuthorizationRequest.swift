import Domain
import Edge
import Storage

/// What an app sends a browser to `/oauth/authorize` with, understood in the order in which trust grows: first the client
/// and where its answers go, and only then anything that is answered there.
struct AuthorizationRequest: Sendable {
    let client: RequestingClient
    let redirect: RedirectURI
    let namesRedirect: Bool
    let state: String?
    /// The code as JSON and not by a redirect: a legacy app's wish.
    let wantsJSON: Bool
    let scopes: ScopeSet
    let audience: String?
    let challenge: CodeChallenge?
    /// Slug of the organization in which somebody is to sign in: a wish of a client that belongs to none.
    let organizationHint: Slug?

    /// Why there is no request to show.
    enum Refusal: Error {
        /// Nothing is sent anywhere: the client, or where it wants its answers, is not known.
        case untrusted(OAuthError)
        /// The app is told.
        case answered(OAuthError, to: Answerer)
    }

    /// Where an app gets its answers.
    struct Answerer: Sendable {
        let redirect: RedirectURI
        let state: String?
        let issuer: String

        /// The redirect with these members, `state` and `iss` (RFC 9207).
        func address(_ members: [(String, String)]) -> String {
            var members = members
            if let state { members.append(("state", state)) }
            members.append(("iss", issuer))
            let text = members.map { "\($0)=\($1.asQueryValue)" }.joined(separator: "&")
            return redirect.description + (redirect.description.contains("?") ? "&" : "?") + text
        }

        func address(_ error: OAuthError) -> String {
            address([("error", error.code.rawValue), ("error_description", error.description)])
        }
    }

    /// Reads a query. `member` is who is signed in and decides; nil while nobody is.
    init(_ query: String, by member: SessionCaller?, in door: OAuthDoor) async throws {
        let values = try Self.values(query)
        guard let client = try await door.client(asking: values["client_id"], of: member?.organization) else {
            throw Refusal.untrusted(OAuthError(.invalidClientID, "No active app has this client_id."))
        }
        let terms = client.terms
        guard let redirect = terms.redirect(for: values["redirect_uri"]) else {
            let text = "redirect_uri is not one that this app is registered with, character by character."
            throw Refusal.untrusted(OAuthError(.invalidRequest, text))
        }
        self.client = client
        self.redirect = redirect
        namesRedirect = values["redirect_uri"] != nil
        organizationHint = client.organization == nil ? values["organization"].flatMap { Slug($0) } : nil
        state = values["state"]
        let answerer = Answerer(redirect: redirect, state: state, issuer: door.issuer)
        do {
            wantsJSON = try Self.wantsJSON(values, terms)
            challenge = try Self.challenge(values, terms)
            // What an outside client asks for is looked up once it is known in which organization.
            audience =
                try await (client.organization ?? member?.organization).asyncMap {
                    try await door.target(values["resource"], in: $0).audience
                } ?? nil
            scopes = try Self.scopes(values["scope"], of: terms, for: member?.role)
        } catch let error as OAuthError {
            // Whoever registered a client chose where its answers go: a link here would lead anybody there (RFC 9700 4.11.2).
            guard client.isVouchedFor else { throw Refusal.untrusted(error) }
            throw Refusal.answered(error, to: answerer)
        }
    }

    /// Everything that the page shows somebody who decides, in short.
    var shown: String {
        let terms = client.terms
        let texts = [
            ("client", client.name), ("name", terms.name), ("description", terms.description),
            ("scopes", scopes.joined), ("audience", audience ?? ""), ("redirect", redirect.description),
            ("contact", terms.contactEmail.description), ("warning", client.warning ?? ""),
        ]
        return Confirmation(of: "consent", seeing: texts.map { "\($0) \($1)" }).value
    }

    func answerer(issuer: String) -> Answerer { Answerer(redirect: redirect, state: state, issuer: issuer) }

    /// Whether its client is known by a document.
    static func namesDocument(_ query: String) -> Bool {
        // What cannot be read names nothing.
        (try? values(query))?["client_id"].flatMap { ClientDocumentURL($0) } != nil
    }

    // MARK: Parts

    /// A parameter that stands twice could be read either way: nothing of such a request is believed.
    private static func values(_ query: String) throws -> [String: String] {
        var values: [String: String] = [:]
        let pairs: [(name: String, value: String)]
        do throws(EdgeError) {
            pairs = try QueryParameters.read(query)
        } catch {
            throw Refusal.untrusted(OAuthError(.invalidRequest, "The query cannot be read."))
        }
        for (name, value) in pairs where !value.isEmpty {
            guard values.updateValue(value, forKey: name) == nil else {
                throw Refusal.untrusted(OAuthError(.invalidRequest, "A parameter stands more than once."))
            }
        }
        return values
    }

    private static func wantsJSON(_ values: [String: String], _ terms: AppTerms) throws(OAuthError) -> Bool {
        guard values["response_mode"] ?? "query" == "query", values["request"] == nil, values["request_uri"] == nil
        else {
            throw OAuthError(.invalidRequest, "response_mode, request and request_uri are not supported.")
        }
        switch values["response_type"] {
        case "code": return false
        case "json_code" where terms.isLegacy: return true
        case nil where terms.isLegacy: return false
        case nil: throw OAuthError(.invalidRequest, "response_type is missing.")
        default: throw OAuthError(.unsupportedResponseType, "Only the response_type code is supported.")
        }
    }

    /// Required of every app but legacy ones, which may.
    private static func challenge(_ values: [String: String], _ terms: AppTerms) throws(OAuthError) -> CodeChallenge? {
        guard let text = values["code_challenge"] else {
            guard terms.isLegacy, values["code_challenge_method"] == nil else {
                throw OAuthError(.invalidRequest, "code_challenge is missing (RFC 7636).")
            }
            return nil
        }
        guard values["code_challenge_method"] == "S256", let challenge = CodeChallenge(text) else {
            throw OAuthError(.invalidRequest, "code_challenge has to be one by the method S256.")
        }
        return challenge
    }

    /// What is asked for within what the app may have; of that, what the member may do is what is shown.
    private static func scopes(_ text: String?, of terms: AppTerms, for role: Role?) throws(OAuthError) -> ScopeSet {
        var asked = terms.scopes
        if let text {
            guard let requested = RequestedScopes.parse(text, isLegacy: terms.isLegacy) else {
                throw OAuthError(.invalidScope, "scope is no list of scopes.")
            }
            asked = requested.set ?? terms.scopes
        }
        guard asked.isSubset(of: terms.scopes) else {
            throw OAuthError(.invalidScope, "This app may not ask for all of these scopes.")
        }
        guard let role else { return asked }
        let shown = role.bounding(asked)
        guard !shown.isEmpty else {
            throw OAuthError(.invalidScope, "This account may do nothing of what was asked for.")
        }
        return shown
    }
}
