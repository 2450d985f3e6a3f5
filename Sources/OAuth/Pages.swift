import Domain
import Edge
import HTTPTypes
import Hummingbird
import Mustache
import NIOCore

/// The pages of this door: every one on the layout, without a script, under a policy by which nothing else is loaded and
/// nothing frames it.
struct Pages: Sendable {
    private let library: MustacheLibrary

    /// Throws when a template cannot be read, which stops start-up.
    init() throws {
        library = MustacheLibrary(
            templates: try Self.templates.mapValues {
                try MustacheTemplate(string: String(decoding: $0, as: UTF8.self))
            }
        )
    }

    private static let templates: [String: [UInt8]] = [
        "layout": PackageResources.layout_mustache,
        "claim": PackageResources.claim_mustache,
        "signin": PackageResources.signin_mustache,
        "code": PackageResources.code_mustache,
        "password": PackageResources.password_mustache,
        "consent": PackageResources.consent_mustache,
        "message": PackageResources.message_mustache,
        "second-factor": PackageResources.second_factor_mustache,
        "profile": PackageResources.profile_mustache,
        "grants": PackageResources.grants_mustache,
        "tokens": PackageResources.tokens_mustache,
        "token": PackageResources.token_mustache,
        "recovery": PackageResources.recovery_mustache,
        "secret": PackageResources.secret_mustache,
        "confirm": PackageResources.confirm_mustache,
    ]

    /// Routes what every page loads.
    func mount(on router: Router<EdgeContext>) {
        let files: [(name: String, type: String, bytes: [UInt8])] = [
            ("rollcall.css", "text/css; charset=utf-8", PackageResources.rollcall_css),
            ("icon.svg", "image/svg+xml", PackageResources.icon_svg),
        ]
        for file in files {
            router.get(RouterPath("/assets/" + file.name)) { _, _ in
                Response(
                    status: .ok,
                    headers: [
                        .contentType: file.type, .cacheControl: "public, max-age=300",
                        .contentSecurityPolicy: "default-src 'none'",
                    ],
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes))
                )
            }
        }
    }

    /// The page of that name. `context` is read by reflection: its members are named as the template names them.
    /// `formTargets`: where else than here its forms may lead, as sources of the policy.
    func page(
        _ name: String,
        _ context: some Sendable,
        status: HTTPResponse.Status = .ok,
        formTargets: [String] = []
    ) throws -> Response {
        guard let text = library.render(context, withTemplate: name) else { throw EdgeError.notFound }
        return Response(
            status: status,
            headers: Self.fields(formTargets: formTargets),
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }

    private static func fields(formTargets: [String]) -> HTTPFields {
        var fields: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
            .contentSecurityPolicy:
                "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
                + "form-action " + (["'self'"] + formTargets).joined(separator: " "),
            // Our own forms name the site that they come from; nobody else is told what page it was.
            .referrerPolicy: "same-origin",
        ]
        if let name = HTTPField.Name("X-Frame-Options") { fields[name] = "DENY" }
        return fields
    }

    /// A page that says one thing.
    func message(_ message: Message, status: HTTPResponse.Status = .ok) throws -> Response {
        try page("message", message, status: status)
    }

    /// What a browser is shown for a refusal that no page has words for; other errors are thrown on.
    func refusal(_ error: any Error) throws -> Response {
        guard let refusal = error as? EdgeError else { throw error }
        switch refusal {
        case .notFound:
            return try message(Message(title: "There is nothing here", lead: "Check the address."), status: .notFound)
        case .forbidden:
            let lead =
                "It was not sent from a page of this site, or you signed in again since. Go back and reload the page."
            return try message(Message(title: "This form is not accepted", lead: lead), status: .forbidden)
        case .unavailable(let seconds):
            let lead = "Too many people are signing in at this moment. Try again in a few seconds."
            var response = try message(Message(title: "Busy", lead: lead), status: .serviceUnavailable)
            response.headers[.retryAfter] = String(seconds)
            return response
        case .tooManyRequests(let seconds):
            let lead = "Too many requests came from your network. Try again in a while."
            var response = try message(Message(title: "Too many requests", lead: lead), status: .tooManyRequests)
            response.headers[.retryAfter] = String(seconds)
            return response
        default: throw error
        }
    }

    static func redirect(to address: String, cookie: String? = nil) -> Response {
        var fields: HTTPFields = [.location: address, .cacheControl: "no-store"]
        fields[.setCookie] = cookie
        return Response(status: .seeOther, headers: fields)
    }
}

// Contexts of templates, with the names as the templates write them.

/// Who the head of a page says is signed in.
struct AccountLine: Sendable {
    let username: String
    let organization: String

    init(_ caller: SessionCaller) {
        username = caller.username
        organization = caller.organizationName
    }
}

/// A page that says one thing.
struct Message: Sendable {
    let title: String
    let lead: String
    var link: Link?
    var account: AccountLine?
    var problem: String?
    var notice: String?

    struct Link: Sendable {
        let address: String
        let text: String
    }
}
