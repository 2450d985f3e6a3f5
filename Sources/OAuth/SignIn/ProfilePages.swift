import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `/profile`: what a signed-in member sees and changes of their own account.
struct ProfilePages: Sendable {
    let door: OAuthDoor

    func mount(on router: Router<EdgeContext>) {
        door.memberPage("/profile", on: router) { _, _, member in try await profile(of: member) }
        door.memberForm("/profile/sessions/{id}/end", on: router) { _, context, member in
            if let id = context.parameters.get("id").flatMap({ SessionID($0) }) {
                let end = SessionEnd(of: id, ofUser: member.caller.user, by: member.attribution(context))
                // One that has ended already is what was wanted.
                do { try await door.store.perform(end, in: member.caller.organization) } catch ChangeRefusal.notFound {}
            }
            return Pages.redirect(to: "/profile")
        }
        door.memberForm("/profile/apps/{id}/end", on: router) { _, context, member in
            if let id = context.parameters.get("id").flatMap({ AuthorizationID($0) }) {
                let end = AuthorizationEnd(of: id, approvedBy: member.caller.user, by: member.attribution(context))
                // One that has ended already is what was wanted.
                do { try await door.store.perform(end, in: member.caller.organization) } catch ChangeRefusal.notFound {}
            }
            return Pages.redirect(to: "/profile")
        }
        door.memberForm("/profile/password", on: router, changePassword)
    }

    func profile(
        of member: Sessions.SignedIn,
        problem: String? = nil,
        notice: String? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let caller = member.caller
        let page = try await door.store.read(as: caller.organization) { transaction in
            guard let account = try await transaction.account(of: caller.user) else { throw EdgeError.notFound }
            return ProfilePage(
                member,
                account,
                sessions: try await transaction.sessions(of: caller.user),
                apps: try await transaction.authorizations(of: caller.user),
                recoveryCodes: try await transaction.recoveryCodesLeft(of: caller.user),
                problem: problem,
                notice: notice
            )
        }
        return try door.pages.page("profile", page, status: status)
    }

    // MARK: Password

    private func changePassword(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        let caller = member.caller
        guard try await admits(caller, context) else {
            return try await profile(of: member, problem: Self.tooMany, status: .tooManyRequests)
        }
        let account = try await door.store.read(as: caller.organization) { try await $0.account(of: caller.user) }
        guard let current = Password(typed: form["current"]), let account,
            try await door.hashing.matches(current, account.password, from: context.client)
        else {
            let draft = AuditDraft(
                .passwordSet,
                .user(caller.user),
                outcome: .refused,
                reason: AccessRefusal.wrongPassword.rawValue,
                person: caller.person
            )
            let observation = Observation(draft, by: member.attribution(context))
            try await door.observations.perform(observation, in: caller.organization)
            return try await profile(of: member, problem: "The present password is wrong.", status: .forbidden)
        }
        guard let password = try PasswordPages.chosen(form, for: caller.username) else {
            let problem = PasswordPages.objection(form, for: caller.username)
            return try await profile(of: member, problem: problem, status: .unprocessableContent)
        }
        let change = PasswordChange(
            to: try await door.hashing.hash(password, from: context.client),
            provedBy: account,
            by: caller,
            member.attribution(context)
        )
        try await door.store.perform(change, in: caller.organization)
        return try await profile(of: member, notice: "The password is changed. Every other sign-in has ended.")
    }

    private func admits(_ caller: SessionCaller, _ context: EdgeContext) async throws -> Bool {
        try await door.store.throttlePassword(
            of: caller.user,
            named: caller.username,
            in: caller.organization,
            from: context.client
        ) == nil
    }

    static let wrongCode = "This code is wrong, or was used already."
    static let tooMany = "Too many attempts. Wait a while before the next."
}

private struct ProfilePage: Sendable {
    let title = "Your account"
    let formToken: String
    let username: String
    let organization: String
    let role: String
    let hasSecondFactor: Bool
    let recoveryCodes: Int
    let claimingBlockedUntil: String?
    let fewest = Password.fewestCharacters
    let sessions: [Session]
    let apps: [App]
    let hasApps: Bool
    let account: AccountLine?
    let problem: String?
    let notice: String?

    struct App: Sendable {
        let id: String
        let name: String
        let scopes: String
        let since: String
        let formToken: String
    }

    struct Session: Sendable {
        let id: String
        let isThis: Bool
        let userAgent: String
        let since: String
        let lastSeen: String
        let address: String?
        let formToken: String
    }

    init(
        _ member: Sessions.SignedIn,
        _ account: AccountFacts,
        sessions: [SessionView],
        apps: [AuthorizationView],
        recoveryCodes: Int,
        problem: String?,
        notice: String?
    ) {
        self.recoveryCodes = recoveryCodes
        formToken = member.formToken
        username = account.username
        organization = member.caller.organizationName
        role = account.role.rawValue.replacing("_", with: " ")
        hasSecondFactor = account.hasSecondFactor
        claimingBlockedUntil = member.caller.claimingBlockedUntil.map(PageTime.text)
        self.sessions = sessions.map { session in
            Session(
                id: session.id.description,
                isThis: session.id == member.caller.session,
                userAgent: session.userAgent ?? "Unknown browser",
                since: PageTime.text(session.authenticatedAt),
                lastSeen: PageTime.text(session.lastSeenAt),
                address: session.address,
                formToken: member.formToken
            )
        }
        self.apps = apps.map { app in
            App(
                id: app.id.description,
                name: app.appName,
                scopes: app.scopes.names.joined(separator: ", "),
                since: PageTime.text(app.approvedAt),
                formToken: member.formToken
            )
        }
        hasApps = !apps.isEmpty
        self.account = AccountLine(member.caller)
        self.problem = problem
        self.notice = notice
    }
}
