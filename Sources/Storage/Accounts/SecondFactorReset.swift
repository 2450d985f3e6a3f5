package import Domain
import Postgres
import Transparency

/// Taking away a second factor whose owner lost it, with its recovery codes: the password alone signs in until they add
/// another. As where a password is replaced, nobody does it alone, the account's sessions end at once, and no secret is
/// claimed for ``PasswordLinkCreation/claimingBlock``.
package struct SecondFactorReset: SingleChange {
    package typealias Output = Void

    let user: UserID
    private let authority: Authority
    private let attribution: Attribution

    /// By an operator on the machine.
    package init(of user: UserID, byOperator attribution: Attribution) {
        self.user = user
        authority = .operatorAccess
        self.attribution = attribution
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let target = view.target else {
            throw ImpossibleRows(description: "approvals.target_id of \(view.id) is missing")
        }
        user = UserID(high: target.high, low: target.low)
        authority = .approval(view.id)
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let account = try await transaction.accountWithSecondFactor(user)
        let until = transaction.startedAt + PasswordLinkCreation.claimingBlock
        _ = try await transaction.pipeline([
            """
            UPDATE accounts SET totp_secret = NULL, totp_pending = NULL, totp_confirmed_at = NULL, totp_last_step = NULL,
                claiming_blocked_until = \(until)
            WHERE user_id = \(user)
            """,
            .removingRecoveryCodes(of: user),
        ])
        let draft = AuditDraft(
            .secondFactorReset,
            .user(user),
            authority: authority,
            after: ["claiming_blocked_until": .string(until.description)],
            person: account.person
        )
        let drafts = [draft] + (try await transaction.endSessions(of: user))
        return ((), drafts.map { Recorded($0, by: attribution) })
    }
}

/// Asking a second admin to take away a member's lost second factor, who does it by agreeing.
package struct SecondFactorResetRequest: SingleChange {
    package typealias Output = ApprovalView

    private let user: UserID
    private let caller: UserID
    private let attribution: Attribution

    /// Refused for whoever has no second factor.
    package init(of user: UserID, by caller: Caller, _ attribution: Attribution) {
        self.user = user
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (ApprovalView, [Recorded]) {
        _ = try await transaction.settings(lock: "FOR NO KEY UPDATE")
        _ = try await transaction.accountWithSecondFactor(user)
        let (view, recorded) = try await transaction.requestApproval(
            .secondFactorReset,
            of: IDBits(high: user.high, low: user.low),
            request: ["user": .string(user.description)],
            by: caller,
            attribution
        )
        return (view, [recorded])
    }
}

extension OrganizationTransaction {
    fileprivate func accountWithSecondFactor(_ user: UserID) async throws -> AccountFacts {
        _ = try await query("SELECT id FROM users WHERE id = \(user) FOR SHARE")
        guard let account = try await account(of: user) else { throw ChangeRefusal.notFound }
        guard account.isActive else { throw ChangeRefusal.conflict("The user is deactivated.") }
        guard account.hasSecondFactor else { throw ChangeRefusal.conflict("This account has no second factor.") }
        return account
    }
}
