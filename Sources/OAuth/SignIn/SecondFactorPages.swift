import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage

/// `/profile/second-factor` and `/profile/recovery-codes`: adding and removing an authenticator app, and the codes for its
/// loss. Every code that is tried counts against the same limit as at the sign-in.
struct SecondFactorPages: Sendable {
    let door: OAuthDoor
    private var profile: ProfilePages { ProfilePages(door: door) }

    init(door: OAuthDoor) { self.door = door }

    func mount(on router: Router<EdgeContext>) {
        door.memberPage("/profile/second-factor", on: router) { _, _, member in try await enrolment(of: member) }
        door.memberForm("/profile/second-factor", on: router, enrol)
        door.memberForm("/profile/second-factor/remove", on: router, removeSecondFactor)
        door.memberForm("/profile/recovery-codes", on: router, makeRecoveryCodes)
    }

    private func enrolment(
        of member: Sessions.SignedIn,
        problem: String? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let caller = member.caller
        do {
            let secret = try await door.store.perform(SecondFactorProposal(by: caller), in: caller.organization)
            let page = EnrolmentPage(member, secret, problem: problem)
            return try door.pages.page("second-factor", page, status: status)
        } catch is ChangeRefusal {
            return Pages.redirect(to: "/profile")
        }
    }

    private func enrol(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        let caller = member.caller
        guard try await door.store.throttleCode(of: caller.user, in: caller.organization) == nil else {
            return try await enrolment(of: member, problem: ProfilePages.tooMany, status: .tooManyRequests)
        }
        let code = form["code"].filter { $0 != " " }
        let confirmation = SecondFactorConfirmation(code: code, by: caller, member.attribution(context))
        do {
            guard let codes = try await door.store.perform(confirmation, in: caller.organization) else {
                let problem = "This code is wrong. Is the clock of the device right?"
                return try await enrolment(of: member, problem: problem, status: .forbidden)
            }
            let notice = "From now on signing in asks for a code. Other sign-ins have ended."
            return try door.pages.page("recovery", RecoveryPage(caller, codes, notice: notice))
        } catch ChangeRefusal.notFound {
            return Pages.redirect(to: "/profile")
        }
    }

    private func removeSecondFactor(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        let caller = member.caller
        guard try await door.store.throttleCode(of: caller.user, in: caller.organization) == nil else {
            return try await profile.profile(of: member, problem: ProfilePages.tooMany, status: .tooManyRequests)
        }
        let code = form["code"].filter { $0 != " " }
        let removal = SecondFactorRemoval(code: code, by: caller, member.attribution(context))
        guard try await door.store.perform(removal, in: caller.organization) else {
            return try await profile.profile(
                of: member,
                problem: ProfilePages.wrongCode,
                status: .forbidden
            )
        }
        return try await profile.profile(of: member, notice: "Signing in no longer asks for a code.")
    }

    private func makeRecoveryCodes(
        _ form: PageForm,
        _ context: EdgeContext,
        _ member: Sessions.SignedIn
    ) async throws -> Response {
        let caller = member.caller
        guard try await door.store.throttleCode(of: caller.user, in: caller.organization) == nil else {
            return try await profile.profile(of: member, problem: ProfilePages.tooMany, status: .tooManyRequests)
        }
        let code = form["code"].filter { $0 != " " }
        let creation = RecoveryCodesCreation(code: code, by: caller, member.attribution(context))
        guard let codes = try await door.store.perform(creation, in: caller.organization) else {
            return try await profile.profile(of: member, problem: ProfilePages.wrongCode, status: .forbidden)
        }
        let notice = "Those that you had before are good no longer."
        return try door.pages.page("recovery", RecoveryPage(caller, codes, notice: notice))
    }
}

private struct RecoveryPage: Sendable {
    let title = "Your recovery codes"
    let codes: [Code]
    let account: AccountLine?
    var problem: String?
    let notice: String?

    struct Code: Sendable {
        let text: String
    }

    init(_ caller: SessionCaller, _ codes: [RecoveryCode], notice: String) {
        self.codes = codes.map { Code(text: $0.reveal()) }
        account = AccountLine(caller)
        self.notice = notice
    }
}

private struct EnrolmentPage: Sendable {
    let title = "Add a second factor"
    let formToken: String
    let secret: String
    let address: String
    let account: AccountLine?
    let problem: String?
    var notice: String?

    init(_ member: Sessions.SignedIn, _ secret: TimeCode, problem: String?) {
        formToken = member.formToken
        self.secret = secret.base32
        address = secret.enrolmentAddress(
            of: member.caller.username,
            at: "Rollcall " + member.caller.organizationName
        )
        account = AccountLine(member.caller)
        self.problem = problem
    }
}
