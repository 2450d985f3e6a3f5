import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

/// `/oauth/authorize` (RFC 6749 4.1): a member decides what an app may do. GET asks, POST decides; what is decided is read
/// anew from the request, never from the page.
struct AuthorizationPages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        door.page(.get, "/oauth/authorize", on: router) { request, _ in
            let query = request.uri.query ?? ""
            return try await answering(query) {
                guard let member = try await door.sessions.signedIn(request) else {
                    // Nothing is fetched for a stranger.
                    if AuthorizationRequest.namesDocument(query) { return OAuthDoor.signIn(thenBackTo: request) }
                    // An app that is not known is told here already, and not after somebody signed in for it.
                    let asked = try await AuthorizationRequest(query, by: nil, in: door)
                    return try await signIn(thenBackTo: request, for: asked)
                }
                try door.limits.admit(member.limited)
                let asked = try await AuthorizationRequest(query, by: member.caller, in: door)
                guard asked.client.isOpen(to: member.caller.organization) else { return try elsewhere(member) }
                guard try await isLetIn(asked.client, by: member.caller.organization) else {
                    return try uninvited(member)
                }
                return try await consent(asked, member, query)
            }
        }
        door.memberForm("/oauth/authorize", on: router) { form, context, member in
            try await answering(form["request"]) {
                let asked = try await AuthorizationRequest(form["request"], by: member.caller, in: door)
                guard asked.client.isOpen(to: member.caller.organization) else { return try elsewhere(member) }
                guard form["decision"] == "approve" else { return try await deny(asked, member, context) }
                guard form["shown"] == asked.shown else {
                    // What the app says of itself changed meanwhile: nobody approves what they did not see.
                    return try await consent(asked, member, form["request"], notice: Self.changed)
                }
                return try await approve(asked, member, context)
            }
        }
    }

    // MARK: Steps

    private func signIn(thenBackTo request: Request, for asked: AuthorizationRequest) async throws -> Response {
        var slug = asked.organizationHint
        if let organization = asked.client.organization {
            slug = try await door.store.read(as: organization) { try await $0.organization()?.slug }
        }
        var response = OAuthDoor.signIn(thenBackTo: request)
        if let slug { response.headers[.location]? += "&organization=\(slug)" }
        return response
    }

    private func consent(
        _ asked: AuthorizationRequest,
        _ member: Sessions.SignedIn,
        _ query: String,
        notice: String? = nil
    ) async throws -> Response {
        let own = try await door.store.read(as: member.caller.organization) { try await $0.ownScopes() }
        // The answer to the form is a redirect to the app, which the policy has to let through.
        var page = ConsentPage(asked, member, query, own: own)
        page.notice = notice
        return try door.pages.page(
            "consent",
            page,
            formTargets: [asked.redirect.policySource]
        )
    }

    private static let changed = "What the app asks for changed while this page was open. Look at it again."

    private func approve(
        _ asked: AuthorizationRequest,
        _ member: Sessions.SignedIn,
        _ context: EdgeContext
    ) async throws -> Response {
        let app: AppID
        do {
            app = try await asked.client.app(for: member, context, in: door)
        } catch ChangeRefusal.conflict {
            let draft = AuditDraft(
                .authorizationApproved,
                asked.client.target(in: member.caller.organization),
                outcome: .refused,
                reason: AccessRefusal.conflict.rawValue,
                after: ["client_id": .string(asked.client.name)],
                person: member.caller.person
            )
            let observation = Observation(draft, by: member.attribution(context))
            try await door.observations.perform(observation, in: member.caller.organization)
            return try uninvited(member)
        }
        let authorization = AppAuthorization(
            AppAuthorization.Request(
                app: app,
                scopes: asked.scopes,
                audience: asked.audience,
                redirect: asked.redirect,
                namesRedirect: asked.namesRedirect,
                challenge: asked.challenge
            ),
            by: member.caller,
            member.attribution(context),
            in: door.store
        )
        let code = try await door.store.perform(authorization, in: member.caller.organization)
        guard asked.wantsJSON else {
            return Pages.redirect(to: asked.answerer(issuer: door.issuer).address([("code", code.reveal())]))
        }
        let body: JSON = ["code": .string(code.reveal()), "state": asked.state.map(JSON.string) ?? .null]
        return body.response(fields: [.cacheControl: "no-store"])
    }

    private func deny(
        _ asked: AuthorizationRequest,
        _ member: Sessions.SignedIn,
        _ context: EdgeContext
    ) async throws -> Response {
        let draft = AuditDraft(
            .authorizationDenied,
            asked.client.target(in: member.caller.organization),
            after: ["client_id": .string(asked.client.name)],
            person: member.caller.person
        )
        let observation = Observation(draft, by: member.attribution(context))
        try await door.observations.perform(observation, in: member.caller.organization)
        let error = OAuthError(.accessDenied, "The user said no.")
        guard asked.wantsJSON else {
            return Pages.redirect(to: asked.answerer(issuer: door.issuer).address(error))
        }
        return error.response
    }

    // MARK: Refusals

    private func answering(_ query: String, _ respond: () async throws -> Response) async throws -> Response {
        do {
            return try await respond()
        } catch AuthorizationRequest.Refusal.untrusted(let error) {
            let lead = "\(error.description) Nothing was sent to anybody. Tell whoever made the app."
            return try door.pages.message(
                Message(title: "This app cannot be trusted (\(error.code.rawValue))", lead: lead),
                status: .badRequest
            )
        } catch AuthorizationRequest.Refusal.answered(let error, to: let answerer) {
            return Pages.redirect(to: answerer.address(error))
        }
    }

    /// Whether the organization lets its members let in a client of that kind; decided again when one does.
    private func isLetIn(_ client: RequestingClient, by organization: OrganizationID) async throws -> Bool {
        guard case .outside(let outside) = client, outside.origin != .builtIn else { return true }
        return try await door.store.read(as: organization) {
            try await $0.organization()?.terms.letsInOutsideApps ?? false
        }
    }

    private func uninvited(_ member: Sessions.SignedIn) throws -> Response {
        var message = Message(
            title: "This app is not let in",
            lead:
                "\(member.caller.organizationName) lets in only apps that a security admin registered, or has stopped "
                + "this one. Nothing was sent to anybody. Ask a security admin."
        )
        message.account = AccountLine(member.caller)
        message.link = Message.Link(address: "/profile", text: "Your account")
        return try door.pages.message(message, status: .forbidden)
    }

    private func elsewhere(_ member: Sessions.SignedIn) throws -> Response {
        var message = Message(
            title: "Another organization's app",
            lead: "You are signed in at \(member.caller.organizationName), which this app does not belong to. "
                + "Sign out there first."
        )
        message.account = AccountLine(member.caller)
        message.link = Message.Link(address: "/profile", text: "Your account")
        return try door.pages.message(message, status: .forbidden)
    }
}

private struct ConsentPage: Sendable {
    let title: String
    let appName: String
    let description: String
    let contactEmail: String?
    let warning: String?
    let host: String
    let isLegacy: Bool
    let audience: String?
    let scopes: [Item]
    let request: String
    /// Comes back with the decision: it is one about what stands here.
    let shown: String
    let formToken: String
    let account: AccountLine?
    var problem: String?
    var notice: String?

    struct Item: Sendable {
        let name: String
        let opens: String
    }

    init(_ asked: AuthorizationRequest, _ member: Sessions.SignedIn, _ query: String, own: [OwnScope]) {
        let terms = asked.client.terms
        title = "Let \(terms.name) act for you?"
        appName = terms.name
        description = terms.description
        contactEmail = terms.contactEmail == .nobody ? nil : terms.contactEmail.description
        warning = asked.client.warning
        host = asked.redirect.host
        isLegacy = terms.isLegacy
        audience = asked.audience
        let words = Scope.catalogue.map { ($0.scope, $0.opens) } + own.map { ($0.scope, $0.opens) }
        let known = Dictionary(words) { builtIn, _ in builtIn }
        scopes = asked.scopes.scopes.map { Item(name: $0.description, opens: known[$0] ?? "") }
        request = query
        shown = asked.shown
        formToken = member.formToken
        account = AccountLine(member.caller)
    }
}
