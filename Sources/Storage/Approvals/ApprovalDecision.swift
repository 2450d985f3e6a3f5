package import Domain
import Postgres
import Transparency

/// Deciding on a request. Only an active security admin agrees or refuses, and never who asked or the human behind who
/// asked, which the table itself states; only who asked withdraws. What was decided or has expired is not decided again.
///
/// Agreeing does exactly what was asked for, in the same transaction. Where that is no longer possible nothing is done,
/// and the request has moved.
package struct ApprovalDecision: Change {
    private let id: ApprovalID
    private let verdict: Verdict
    private let caller: Caller
    private let attribution: Attribution
    private let store: Store

    /// What is decided.
    package enum Verdict: Sendable {
        case approve
        case refuse
        case withdraw
    }

    /// `caller` has a scope of one of the kinds; that of the request's kind is asked for here.
    package init(of id: ApprovalID, _ verdict: Verdict, by caller: Caller, _ attribution: Attribution, in store: Store)
    {
        self.id = id
        self.verdict = verdict
        self.caller = caller
        self.attribution = attribution
        self.store = store
    }

    package static func make(
        _ changes: [ApprovalDecision],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<ApprovalView>] {
        var made: [Made<ApprovalView>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<ApprovalView> {
        // The organization first, as everybody locks it who changes what an admin may do.
        _ = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            "SELECT id FROM approvals WHERE id = \(id) FOR UPDATE",
        ])
        guard let view = try await transaction.approval(id) else { throw ChangeRefusal.notFound }
        if let refusal = try await refusal(of: view, in: transaction) {
            let draft = AuditDraft(action, .approval(id), outcome: .refused, reason: refusal.rawValue)
            return .refused(refusal, [Recorded(draft, by: attribution)])
        }
        switch verdict {
        case .withdraw: return try await settle(view, as: .withdrawn, in: transaction)
        case .refuse: return try await settle(view, as: .refused, in: transaction)
        case .approve where !view.kind.isDoneByAgreeing: return try await settle(view, as: .approved, in: transaction)
        case .approve: return try await execute(view, in: transaction)
        }
    }

    private func refusal(
        of view: ApprovalView,
        in transaction: OrganizationTransaction
    ) async throws -> AccessRefusal? {
        if verdict == .withdraw {
            guard view.requestedBy == caller.user else { return .notFound }
        } else {
            let deciders = try await transaction.query(
                """
                SELECT u.id FROM users u JOIN approvals a ON a.id = \(id)
                WHERE u.id = \(caller.user) AND u.kind = 'member' AND u.role = \(Role.securityAdmin.rawValue)
                    AND u.status = 'active' AND u.id NOT IN (a.requested_by, a.responsible_id)
                """
            )
            guard !deciders.isEmpty else { return .secondAdminNeeded }
            guard caller.scopes.contains(view.kind.scope) else { return .scopeMissing }
        }
        return view.status == .pending ? nil : .conflict
    }

    private var action: ActionCode {
        switch verdict {
        case .approve: .approvalApproved
        case .refuse: .approvalRefused
        case .withdraw: .approvalWithdrawn
        }
    }

    private func settle(
        _ view: ApprovalView,
        as status: ApprovalStatus,
        reason: String? = nil,
        target: IDBits? = nil,
        in transaction: OrganizationTransaction,
        with more: [Recorded] = []
    ) async throws -> Made<ApprovalView> {
        _ = try await transaction.query(
            """
            UPDATE approvals SET status = \(status.rawValue), decided_by = \(caller.user),
                decided_at = \(transaction.startedAt), reason = \(reason as String?),
                target_id = coalesce(\(target as IDBits?), target_id)
            WHERE id = \(id) AND status = 'pending'
            """
        )
        guard let after = try await transaction.approval(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            status == .moved ? .approvalMoved : action,
            .approval(id),
            reason: reason,
            authority: .scope(view.kind.scope),
            before: ["status": "pending"],
            after: ["status": .string(status.rawValue), "requested_by": .string(view.requestedBy.description)]
        )
        return .done(after, [Recorded(draft, by: attribution)] + more)
    }

    private func execute(
        _ view: ApprovalView,
        in transaction: OrganizationTransaction
    ) async throws -> Made<ApprovalView> {
        do {
            let (target, recorded) = try await carryOut(view, in: transaction)
            return try await settle(view, as: .approved, target: target, in: transaction, with: recorded)
        } catch let refusal as ChangeRefusal {
            // Said by checks that come before anything is written.
            return try await settle(view, as: .moved, reason: refusal.moved, in: transaction)
        }
    }

    private func carryOut(
        _ view: ApprovalView,
        in transaction: OrganizationTransaction
    ) async throws -> (IDBits?, [Recorded]) {
        switch view.kind {
        case .grantCreation:
            let creation = try GrantCreation(approved: view, by: attribution, in: store)
            let (grant, recorded) = try await creation.make(in: transaction)
            return (IDBits(high: grant.id.high, low: grant.id.low), recorded)
        case .grantChange:
            let (_, recorded) = try await GrantUpdate(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .settingsChange:
            let (_, recorded) = try await OrganizationUpdate(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .integrationCreation:
            let creation = try IntegrationCreation(approved: view, by: attribution, in: store)
            let (integration, recorded) = try await creation.make(in: transaction)
            return (IDBits(high: integration.id.high, low: integration.id.low), recorded)
        case .integrationChange:
            let (_, recorded) = try await IntegrationUpdate(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .workspaceTokenChange:
            let (_, recorded) = try await WorkspaceTokenUpdate(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .secondFactorReset:
            let (_, recorded) = try await SecondFactorReset(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .roleAssignment:
            let (_, recorded) = try await RoleAssignment(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .custodianAssignment:
            let (_, recorded) = try await CustodianAssignment(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .personErasure:
            let (_, recorded) = try await PersonErasure(approved: view, by: attribution).make(in: transaction)
            return (nil, recorded)
        case .passwordLink, .workspaceToken:
            throw ImpossibleRows(description: "approvals.kind \(view.kind) of \(id) is not done by agreeing")
        }
    }
}

extension ChangeRefusal {
    /// Why what was agreed to is no longer possible: a fixed word.
    fileprivate var moved: String {
        switch self {
        case .notFound: "gone"
        case .stale: "changed_meanwhile"
        case .confirmationRequired: "cuts_off_more"
        default: "no_longer_acceptable"
        }
    }
}
