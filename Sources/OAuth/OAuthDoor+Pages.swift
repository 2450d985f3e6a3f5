import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

extension OAuthDoor {
    typealias MemberPage = @Sendable (Request, EdgeContext, Sessions.SignedIn) async throws -> Response
    typealias MemberForm = @Sendable (PageForm, EdgeContext, Sessions.SignedIn) async throws -> Response

    /// A page for a browser, whose refusals are pages too.
    func page(
        _ method: HTTPRequest.Method,
        _ path: RouterPath,
        on router: Router<EdgeContext>,
        _ respond: @escaping @Sendable (Request, EdgeContext) async throws -> Response
    ) {
        router.on(path, method: method) { request, context in
            do {
                try limits.admit(context.client)
                return try await respond(request, context)
            } catch {
                return try pages.refusal(error)
            }
        }
    }

    /// A page of a signed-in member; everybody else is led to the sign-in, and back.
    func memberPage(_ path: RouterPath, on router: Router<EdgeContext>, _ respond: @escaping MemberPage) {
        page(.get, path, on: router) { request, context in
            guard let member = try await sessions.signedIn(request) else { return Self.signIn(thenBackTo: request) }
            try limits.admit(member.limited)
            return try await respond(request, context, member)
        }
    }

    /// A form of a signed-in member, refused unless it comes from a page of their session.
    func memberForm(_ path: RouterPath, on router: Router<EdgeContext>, _ respond: @escaping MemberForm) {
        page(.post, path, on: router) { request, context in
            let form = try await PageForm(request)
            guard let member = try await sessions.signedIn(request) else { return Pages.redirect(to: "/signin") }
            try sessions.require(form, of: member, request)
            try limits.admit(member.limited)
            return try await respond(form, context, member)
        }
    }

    /// To the sign-in, and from there back to this page.
    static func signIn(thenBackTo request: Request) -> Response {
        let path = request.uri.path + (request.uri.query.map { "?" + $0 } ?? "")
        return Pages.redirect(to: "/signin?return_to=" + path.asQueryValue)
    }
}

extension Sessions.SignedIn {
    /// As ``Edge/Caller/limited``: an account has one limit, with a session or a token.
    var limited: IDBits { IDBits(high: caller.user.high, low: caller.user.low) }

    /// Who does what this form does.
    func attribution(_ context: EdgeContext) -> Attribution {
        Attribution(session: caller, origin: context.origin, receivedAt: context.receivedAt)
    }
}

extension String {
    /// Percent-encoded as one value of a query or a form.
    var asQueryValue: String {
        utf8.reduce(into: "") { text, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
