import Domain
import Edge
import HTTPTypes
import Hummingbird
import Mustache
import NIOCore
import Storage
import Transparency

/// `/claim/{link}`: GET shows what the link is for and changes nothing, however often a mail scanner follows it; POST
/// claims, once. A page for a browser, JSON for everybody else.
///
/// Where the custodian has a password, the custodian's session has to come with it; before that, whoever holds the link can
/// claim (Threat model).
struct ClaimPages: Sendable {
    private let store: Store
    private let sessions: Sessions
    private let template: MustacheTemplate

    init(store: Store, sessions: Sessions) throws {
        self.store = store
        self.sessions = sessions
        template = try MustacheTemplate(string: String(decoding: PackageResources.claim_mustache, as: UTF8.self))
    }

    func mount(on router: Router<EdgeContext>) {
        router.get("/claim/{link}") { request, context in
            guard let link = link(context), let view = try await store.claimLink(link) else {
                return try gone(request, context)
            }
            let member = view.claimant == nil ? nil : try await sessions.signedIn(request)
            return show(view, member, request)
        }
        router.post("/claim/{link}") { request, context in
            try Self.refuseCrossSite(request)
            guard let link = link(context), let view = try await store.claimLink(link) else {
                return try gone(request, context)
            }
            let member = try await claimant(view, request)
            guard let claimed = try await store.claim(link, from: context.origin, by: member) else {
                return try gone(request, context)
            }
            return hand(claimed, request)
        }
    }

    /// The custodian whose session came with the form; nil where none is needed. Refuses everybody else.
    private func claimant(_ view: ClaimLinkView, _ request: Request) async throws -> SessionCaller? {
        guard let claimant = view.claimant else { return nil }
        guard let member = try await sessions.signedIn(request) else { throw EdgeError.unauthorized(.missing) }
        guard member.caller.user == claimant else { throw EdgeError.forbidden(needs: nil) }
        try sessions.require(try await PageForm(request), of: member, request)
        return member.caller
    }

    private func link(_ context: EdgeContext) -> OpaqueSecret? {
        context.parameters.get("link").flatMap { OpaqueSecret($0) }.flatMap { $0.kind == .claim ? $0 : nil }
    }

    /// A page of another site cannot use up a link that it came to know of.
    private static func refuseCrossSite(_ request: Request) throws {
        let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
        guard site == nil || site == "same-origin" || site == "none" else { throw EdgeError.forbidden(needs: nil) }
    }

    // MARK: Answers

    private func show(_ view: ClaimLinkView, _ member: Sessions.SignedIn?, _ request: Request) -> Response {
        guard Self.wantsPage(request) else {
            let body: JSON = [
                "organization": .string(view.organizationName),
                "client_name": .string(view.clientName),
                "username": .string(view.username),
                "custodian": view.custodian.map(JSON.string) ?? .null,
                "expires_at": .string(view.expiresAt.description),
            ]
            return body.response(fields: Self.fields)
        }
        return page(
            Page(
                title: "Claim a client secret",
                lead: "The secret is shown once and kept nowhere. Have the integration at hand that needs it.",
                rows: [
                    .init("Organization", view.organizationName),
                    .init("Grant", view.clientName),
                    .init("Integration user", view.username),
                    .init("For", view.custodian ?? "the person whom you got this link from"),
                    .init("Link good until", view.expiresAt.description),
                ],
                canClaim: view.claimant == nil || member?.caller.user == view.claimant,
                formToken: member?.formToken,
                signIn: view.claimant == nil || member?.caller.user == view.claimant
                    ? nil : "/signin?return_to=" + request.uri.path.asQueryValue
            )
        )
    }

    private func hand(_ claimed: SecretClaim.Claimed, _ request: Request) -> Response {
        guard Self.wantsPage(request) else {
            let body: JSON = [
                "client_id": .string(claimed.client.description),
                "client_secret": .string(claimed.secret.reveal()),
            ]
            return body.response(fields: Self.fields)
        }
        return page(
            Page(
                title: "Your client secret",
                lead: "Copy it now: this page cannot be shown again. If it is lost, ask for another link.",
                rows: [
                    .init("Client id", claimed.client.description, isCode: true),
                    .init("Client secret", claimed.secret.reveal(), isCode: true),
                ],
                canClaim: false
            )
        )
    }

    /// Unknown, used, replaced and over look alike.
    private func gone(_ request: Request, _ context: EdgeContext) throws -> Response {
        guard Self.wantsPage(request) else { throw EdgeError.notFound }
        let lead = "It was used, replaced by a newer one, or is over. Ask a security admin for another."
        return page(Page(title: "This link is no longer good", lead: lead, rows: [], canClaim: false), .notFound)
    }

    private static func wantsPage(_ request: Request) -> Bool {
        request.headers[.accept]?.lowercased().contains("text/html") ?? false
    }

    private static let fields: HTTPFields = [.cacheControl: "no-store"]

    private func page(_ page: Page, _ status: HTTPResponse.Status = .ok) -> Response {
        var fields = Self.fields
        fields[.contentType] = "text/html; charset=utf-8"
        fields[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        let text = template.render(page)
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

// Names as the template writes them; Mustache reads them by reflection.
private struct Page {
    let title: String
    let lead: String
    let rows: [Row]
    let canClaim: Bool
    let hasRows: Bool
    let formToken: String?
    let signIn: String?

    init(
        title: String,
        lead: String,
        rows: [Row],
        canClaim: Bool,
        formToken: String? = nil,
        signIn: String? = nil
    ) {
        self.title = title
        self.lead = lead
        self.rows = rows
        self.canClaim = canClaim
        hasRows = !rows.isEmpty
        self.formToken = formToken
        self.signIn = signIn
    }

    struct Row {
        let name: String
        let value: String
        let isCode: Bool

        init(_ name: String, _ value: String, isCode: Bool = false) {
            self.name = name
            self.value = value
            self.isCode = isCode
        }
    }
}
