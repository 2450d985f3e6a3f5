import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `/signin`, `/signin/code` and `/signout`: a member proves who they are, by password and, where there is one, by a code.
struct SignInPages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        door.page(.get, "/signin", on: router) { request, _ in
            let query = try query(of: request)
            if try await door.sessions.signedIn(request) != nil { return Pages.redirect(to: query.returnTo) }
            return try form(SignInForm(returnTo: query.returnTo, organization: query.organization))
        }
        door.page(.post, "/signin", on: router, signIn)
        door.page(.get, "/signin/code", on: router) { request, _ in
            guard let waiting = try await door.sessions.waiting(request) else { return Pages.redirect(to: "/signin") }
            return try door.pages.page("code", CodeForm(waiting, returnTo: try query(of: request).returnTo))
        }
        door.page(.post, "/signin/code", on: router, complete)
        door.page(.post, "/signout", on: router) { request, context in
            let form = try await PageForm(request)
            if let signedIn = try await door.sessions.signedIn(request) {
                try door.sessions.require(form, of: signedIn, request)
                let caller = signedIn.caller
                let end = SessionEnd(of: caller.session, ofUser: caller.user, by: signedIn.attribution(context))
                // One that ended meanwhile is what was wanted.
                do { try await door.store.perform(end, in: caller.organization) } catch ChangeRefusal.notFound {}
            }
            return Pages.redirect(to: "/signin", cookie: door.sessions.clearedCookie)
        }
    }

    // MARK: Password

    private func signIn(_ request: Request, _ context: EdgeContext) async throws -> Response {
        try door.sessions.requireOwnPage(request)
        let form = try await PageForm(request)
        let returnTo = LocalPath(form["return_to"]).description
        let username = String(form["username"].prefix(Self.mostUsernameCharacters))
        var shown = SignInForm(returnTo: returnTo, organization: form["organization"], username: username)
        let organization = try await organization(form["organization"])
        let account = try await organization.asyncFlatMap { organization in
            try await door.store.read(as: organization) { try await $0.account(named: username) }
        }
        if let organization,
            let wait = try await door.store.throttlePassword(
                of: account?.user,
                named: username,
                in: organization,
                from: context.client
            )
        {
            // Counted, and told in a summary: who guesses could fill the log.
            door.tallies.count(AccessRefusal.throttled.rawValue, of: .organization(organization), in: organization)
            shown.problem = "Too many attempts. Wait a while before the next."
            return try tooMany(door.pages.page("signin", shown, status: .tooManyRequests), wait)
        }
        guard let password = Password(typed: form["password"]),
            try await door.hashing.matches(password, account?.password, from: context.client), let account,
            let organization
        else {
            try await recordRefusal(of: account, in: organization, context)
            shown.problem = "Organization, username or password is wrong."
            return try self.form(shown, status: .forbidden)
        }
        let start = SessionStart(
            of: account,
            replacing: door.sessions.secret(in: request),
            from: context.origin,
            receivedAt: context.receivedAt,
            in: door.store
        )
        do {
            let started = try await door.store.perform(start, in: organization)
            try await door.store.forgetAttempts(at: account.user, in: organization, from: context.client)
            let next = started.needsCode ? "/signin/code?return_to=" + returnTo.asQueryValue : returnTo
            return Pages.redirect(to: next, cookie: door.sessions.cookie(of: started.secret))
        } catch AccessRefusal.superseded {
            shown.problem = "Organization, username or password is wrong."
            return try self.form(shown, status: .forbidden)
        }
    }

    private func organization(_ slug: String) async throws -> OrganizationID? {
        guard let slug = Slug(slug) else { return nil }
        return try await door.store.organization(slug: slug)
    }

    /// One for an account that is there and one that is not take the same way, and the same time.
    private func recordRefusal(
        of account: AccountFacts?,
        in organization: OrganizationID?,
        _ context: EdgeContext
    ) async throws {
        guard let organization else { return }
        let draft = AuditDraft(
            .sessionStarted,
            account.map { .user($0.user) } ?? .organization(organization),
            outcome: .refused,
            reason: AccessRefusal.wrongPassword.rawValue,
            person: account?.person
        )
        let attribution = Attribution(
            actor: .system("sign-in"),
            origin: context.origin,
            receivedAt: context.receivedAt
        )
        _ = try await door.observations.perform(Observation(draft, by: attribution), in: organization)
    }

    // MARK: Code

    private func complete(_ request: Request, _ context: EdgeContext) async throws -> Response {
        let form = try await PageForm(request)
        guard let waiting = try await door.sessions.waiting(request) else { return Pages.redirect(to: "/signin") }
        try door.sessions.require(form, of: waiting, request)
        let returnTo = LocalPath(form["return_to"]).description
        var shown = CodeForm(waiting, returnTo: returnTo)
        let caller = waiting.caller
        if let wait = try await door.store.throttleCode(of: caller.user, in: caller.organization) {
            door.tallies.count(
                AccessRefusal.throttled.rawValue,
                of: .organization(caller.organization),
                in: caller.organization
            )
            shown.problem = "Too many attempts. Wait a while before the next."
            return try tooMany(door.pages.page("code", shown, status: .tooManyRequests), wait)
        }
        let completion = SessionCompletion(
            of: caller,
            code: form["code"].filter { $0 != " " },
            from: context.origin,
            receivedAt: context.receivedAt,
            in: door.store
        )
        do {
            let started = try await door.store.perform(completion, in: caller.organization)
            return Pages.redirect(to: returnTo, cookie: door.sessions.cookie(of: started.secret))
        } catch AccessRefusal.wrongCode {
            shown.problem = "This code is wrong, or was used already. Wait for the next one."
            return try door.pages.page("code", shown, status: .forbidden)
        } catch AccessRefusal.superseded {
            return Pages.redirect(to: "/signin")
        }
    }

    // MARK: Answers

    /// Characters of a username that are looked at.
    private static let mostUsernameCharacters = 320

    private func form(_ form: SignInForm, status: HTTPResponse.Status = .ok) throws -> Response {
        try door.pages.page("signin", form, status: status)
    }

    private func tooMany(_ response: Response, _ wait: Duration) -> Response {
        var response = response
        response.headers[.retryAfter] = String(max(1, wait.components.seconds))
        return response
    }

    /// Where to after it: what the address says, else what a page that could not go on without it asked for.
    private func query(of request: Request) throws -> (returnTo: String, organization: String) {
        var returnTo = LocalPath(door.sessions.returnPath(in: request) ?? "").description
        var organization = ""
        for (name, value) in try QueryParameters.read(request.uri.query ?? "") {
            if name == "return_to" { returnTo = LocalPath(value).description }
            if name == "organization" { organization = String(value.prefix(64)) }
        }
        return (returnTo, organization)
    }
}

/// Where somebody is led after signing in: a page of ours, whatever was asked for.
struct LocalPath: Sendable, CustomStringConvertible {
    let description: String

    private static let known = ["/oauth/authorize?", "/profile", "/claim/"]
    private static let mostBytes = 8 * 1024

    /// The profile, for everything that is not one of our pages.
    init(_ text: String) {
        let isKnown = Self.known.contains { text.hasPrefix($0) }
        let isVisible = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }
        description = isKnown && isVisible && text.utf8.count <= Self.mostBytes ? text : "/profile"
    }
}

private struct SignInForm: Sendable {
    let title = "Sign in"
    let returnTo: String
    let organization: String
    var username = ""
    var account: AccountLine?
    var problem: String?
    var notice: String?
}

private struct CodeForm: Sendable {
    let title = "Second factor"
    let formToken: String
    let returnTo: String
    let account: AccountLine?
    var problem: String?
    var notice: String?

    init(_ waiting: Sessions.SignedIn, returnTo: String) {
        formToken = waiting.formToken
        self.returnTo = returnTo
        account = AccountLine(waiting.caller)
    }
}

extension Optional {
    fileprivate func asyncFlatMap<Value>(_ transform: (Wrapped) async throws -> Value?) async rethrows -> Value? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
