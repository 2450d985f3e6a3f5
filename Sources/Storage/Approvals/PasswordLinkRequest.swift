package import Domain
import Postgres
import Transparency

/// Making the link by which a member sets a password, or, where the account has one already, asking for a second admin;
/// and, once one agreed, making it, once, for who asked: the link is shown to them alone.
package struct PasswordLinkRequest: SingleChange {
    package typealias Output = Settled<PasswordLinkCreation.Created>

    private let user: UserID
    private let approval: ApprovalID?
    private let caller: UserID
    private let attribution: Attribution
    private let store: Store

    /// `approval` is that of another admin, for the same account; nil where none was asked for yet.
    package init(
        for user: UserID,
        approval: ApprovalID?,
        by caller: Caller,
        _ attribution: Attribution,
        in store: Store
    ) {
        self.user = user
        self.approval = approval
        self.caller = caller.user
        self.attribution = attribution
        self.store = store
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let target = IDBits(high: user.high, low: user.low)
        let request: JSON.Object = ["user": .string(user.description)]
        var approver: UserID?
        if let approval {
            _ = try await transaction.useApproval(
                approval,
                of: .passwordLink,
                for: target,
                request: request,
                by: caller
            )
            approver = try await transaction.approval(approval)?.decidedBy
        } else {
            // The organization first, as everybody locks it who changes what an admin may do.
            _ = try await transaction.settings(lock: "FOR NO KEY UPDATE")
            guard let account = try await transaction.account(of: user) else { throw ChangeRefusal.notFound }
            // An admin without a password, say with a token from bootstrapping, is no account to walk into either.
            let isOfAnotherAuthority = account.role != .member && user != caller
            if account.password != nil || isOfAnotherAuthority, account.isActive {
                let (view, recorded) = try await transaction.requestApproval(
                    .passwordLink,
                    of: target,
                    request: request,
                    by: caller,
                    attribution
                )
                return (.waits(view), [recorded])
            }
        }
        let creation = PasswordLinkCreation(
            for: user,
            by: .admin(caller, approvedBy: approver),
            attribution,
            in: store
        )
        let (created, recorded) = try await creation.make(in: transaction)
        return (.done(created), recorded)
    }
}
