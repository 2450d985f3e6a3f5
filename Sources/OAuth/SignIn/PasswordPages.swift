import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `/password/{link}`: GET shows for whom the link is and changes nothing, however often a mail scanner follows it; POST
/// sets the password, once.
struct PasswordPages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        door.page(.get, "/password/{link}", on: router) { _, context in
            guard let link = Self.link(context), let view = try await door.store.passwordLink(link) else {
                return try gone()
            }
            return try door.pages.page("password", PasswordForm(view))
        }
        door.page(.post, "/password/{link}", on: router) { request, context in
            try door.sessions.requireOwnPage(request)
            let form = try await PageForm(request)
            guard let link = Self.link(context), let view = try await door.store.passwordLink(link) else {
                return try gone()
            }
            guard let password = try Self.chosen(form, for: view.username) else {
                var shown = PasswordForm(view)
                shown.problem = Self.objection(form, for: view.username)
                return try door.pages.page("password", shown, status: .unprocessableContent)
            }
            let hash = try await door.hashing.hash(password, from: context.client)
            guard try await door.store.setPassword(hash, by: link, from: context.origin) else { return try gone() }
            var done = Message(
                title: "The password is set",
                lead: "Every former sign-in of this account has ended. Sign in with the new password."
            )
            let address = "/signin?organization=\(view.organizationSlug)"
            done.link = Message.Link(address: address, text: "Sign in")
            var response = try door.pages.message(done)
            response.headers[.setCookie] = door.sessions.clearedCookie
            return response
        }
    }

    /// The password that the form chose, twice the same and good enough.
    static func chosen(_ form: PageForm, for username: String) throws -> Password? {
        objection(form, for: username) == nil ? Password(typed: form["password"]) : nil
    }

    /// What is wrong with what the form chose.
    static func objection(_ form: PageForm, for username: String) -> String? {
        if form["password"] != form["again"] { return "The two are not the same." }
        return Password.objection(to: form["password"], for: username)
    }

    private static func link(_ context: EdgeContext) -> OpaqueSecret? {
        context.parameters.get("link").flatMap { OpaqueSecret($0) }.flatMap { $0.kind == .passwordLink ? $0 : nil }
    }

    /// Unknown, used, replaced and over look alike.
    private func gone() throws -> Response {
        let lead = "It was used, replaced by a newer one, or is over. Ask a security admin for another."
        return try door.pages.message(Message(title: "This link is no longer good", lead: lead), status: .notFound)
    }
}

private struct PasswordForm: Sendable {
    let title = "Set your password"
    let username: String
    let organization: String
    let fewest = Password.fewestCharacters
    var account: AccountLine?
    var problem: String?
    var notice: String?

    init(_ view: PasswordLinkView) {
        username = view.username
        organization = view.organizationName
    }
}
