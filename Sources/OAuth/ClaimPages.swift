import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

/// `/claim/{link}`: GET shows what the link is for and changes nothing, however often a mail scanner follows it; POST
/// claims, once. A page for a browser, JSON for everybody else.
///
/// The link alone opens nothing: the custodian's session has to come with it. Whoever is not signed in is led to the
/// sign-in, a custodian without a password to the link that a security admin makes for one, and all of them back here.
struct ClaimPages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        route(.get, on: router, show)
        route(.post, on: router, claim)
    }

    private func route(
        _ method: HTTPRequest.Method,
        on router: Router<EdgeContext>,
        _ respond: @escaping @Sendable (Request, EdgeContext, OpaqueSecret, ClaimLinkView) async throws -> Response
    ) {
        router.on("/claim/{link}", method: method) { request, context in
            do {
                try door.limits.admit(context.client)
                guard let link = Self.link(context), let view = try await door.store.claimLink(link) else {
                    return try gone(request)
                }
                return try await respond(request, context, link, view)
            } catch {
                guard Self.wantsPage(request) else { throw error }
                return try door.pages.refusal(error)
            }
        }
    }

    private static func link(_ context: EdgeContext) -> OpaqueSecret? {
        context.parameters.get("link").flatMap { OpaqueSecret($0) }.flatMap { $0.kind == .claim ? $0 : nil }
    }

    // MARK: Looking

    private func show(
        _ request: Request,
        _ context: EdgeContext,
        _ link: OpaqueSecret,
        _ view: ClaimLinkView
    ) async throws -> Response {
        let member = try await door.sessions.signedIn(request)
        let isClaimant = member.map { $0.caller.user == view.claimant } ?? false
        guard Self.wantsPage(request) else {
            let body: JSON = [
                "organization": .string(view.organizationName),
                "client_name": .string(view.clientName),
                "username": .string(view.username),
                "custodian": view.custodian.map(JSON.string) ?? .null,
                "expires_at": .string(view.expiresAt.description),
                // What the custodian's POST carries besides the cookie.
                "form_token": isClaimant ? member.map { .string($0.formToken) } ?? .null : .null,
            ]
            return body.response(fields: Self.fields)
        }
        var response = try door.pages.page("claim", ClaimPage(view, member, path: request.uri.path))
        if !isClaimant { response.headers[.setCookie] = door.sessions.returnCookie(to: request.uri.path) }
        return response
    }

    // MARK: Claiming

    private func claim(
        _ request: Request,
        _ context: EdgeContext,
        _ link: OpaqueSecret,
        _ view: ClaimLinkView
    ) async throws -> Response {
        guard let member = try await door.sessions.signedIn(request) else {
            guard Self.wantsPage(request) else { throw EdgeError.unauthorized(.missing) }
            return OAuthDoor.signIn(thenBackTo: request)
        }
        try door.sessions.require(try await PageForm(request), of: member, request)
        let claimed: SecretClaim.Claimed?
        do {
            claimed = try await door.store.claim(link, from: context.origin, by: member.caller)
        } catch let refusal as AccessRefusal where [.notCustodian, .claimingBlocked].contains(refusal) {
            guard Self.wantsPage(request) else { throw EdgeError.forbidden(needs: nil) }
            let page = ClaimPage(view, member, path: request.uri.path)
            return try door.pages.page("claim", page, status: .forbidden)
        }
        guard let claimed else { return try gone(request) }
        var response =
            Self.wantsPage(request)
            ? try door.pages.page("secret", SecretPage(member.caller, claimed)) : Self.json(claimed)
        response.headers[.setCookie] = door.sessions.clearedReturnCookie
        return response
    }

    private static func json(_ claimed: SecretClaim.Claimed) -> Response {
        let body: JSON = [
            "client_id": .string(claimed.client.description),
            "client_secret": .string(claimed.secret.reveal()),
        ]
        return body.response(fields: fields)
    }

    /// Unknown, used, replaced and over look alike.
    private func gone(_ request: Request) throws -> Response {
        guard Self.wantsPage(request) else { throw EdgeError.notFound }
        let lead = "It was used, replaced by a newer one, or is over. Ask a security admin for another."
        var response = try door.pages.message(
            Message(title: "This link is no longer good", lead: lead),
            status: .notFound
        )
        response.headers[.setCookie] = door.sessions.clearedReturnCookie
        return response
    }

    private static func wantsPage(_ request: Request) -> Bool {
        request.headers[.accept]?.lowercased().contains("text/html") ?? false
    }

    private static let fields: HTTPFields = [.cacheControl: "no-store"]
}

private struct ClaimPage: Sendable {
    let title = "Claim a client secret"
    let lead: String
    let organization: String
    let clientName: String
    let username: String
    let custodian: String
    let expiresAt: String
    let canClaim: Bool
    let formToken: String
    let signIn: String?
    let signOut: Bool
    let steps: Steps?
    let account: AccountLine?
    let problem: String?
    var notice: String?

    /// What has to happen first, in its order.
    struct Steps: Sendable {
        let heading = "Before that"
        let items: [Item]

        struct Item: Sendable {
            let text: String
        }

        init(_ texts: String...) { items = texts.map(Item.init) }
    }

    init(_ view: ClaimLinkView, _ member: Sessions.SignedIn?, path: String) {
        lead = "The secret is shown once and kept nowhere. Have the integration at hand that needs it."
        organization = view.organizationName
        clientName = view.clientName
        username = view.username
        custodian = view.custodian ?? "nobody"
        expiresAt = PageTime.text(view.expiresAt)
        formToken = member?.formToken ?? ""
        account = member.map { AccountLine($0.caller) }
        let isClaimant = member.map { $0.caller.user == view.claimant } ?? false
        let blockedUntil = isClaimant ? member?.caller.claimingBlockedUntil : nil
        canClaim = isClaimant && blockedUntil == nil
        signOut = member != nil && !isClaimant && view.claimant != nil
        signIn =
            member == nil && view.claimant != nil
            ? "/signin?organization=\(view.organizationSlug)&return_to=" + path.asQueryValue : nil
        problem = Self.problem(view, member, isClaimant: isClaimant, blockedUntil: blockedUntil)
        steps =
            member == nil && view.claimant != nil && !view.hasPassword
            ? Steps(
                "Ask a security admin of \(view.organizationName) for a password link: this account has no password yet.",
                "Open that link in this browser, and set the password.",
                "Sign in. You are led back to this page."
            ) : nil
    }

    private static func problem(
        _ view: ClaimLinkView,
        _ member: Sessions.SignedIn?,
        isClaimant: Bool,
        blockedUntil: Timestamp?
    ) -> String? {
        guard let custodian = view.custodian else {
            return "Nobody can claim this secret now: its custodian has left. A security admin has to name another."
        }
        if let member, !isClaimant {
            return "You are signed in as \(member.caller.username). Only \(custodian) can claim this secret."
        }
        return blockedUntil.map { "Not before \(PageTime.text($0)): the password was replaced by way of an admin." }
    }
}
