package import Domain
import Postgres
import Transparency

/// Naming another member who keeps the secrets of a user that was made for nobody. Every secret, key and token of its grants
/// ends: the former custodian knows them. Refused for the user of a person or a workspace token, and for a custodian who is
/// no active member.
package struct CustodianAssignment: SingleChange {
    package typealias Output = UserView

    let id: UserID
    let custodian: UserID
    private let authority: Authority
    private let attribution: Attribution

    /// Naming the custodian that there is already changes nothing.
    package init(of id: UserID, to custodian: UserID, by attribution: Attribution) {
        self.id = id
        self.custodian = custodian
        authority = .scope(.usersWrite)
        self.attribution = attribution
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let target = view.target, let custodian = view.request["custodian"]?.string.flatMap({ UserID($0) }) else {
            throw ImpossibleRows(description: "approvals.request of \(view.id) is no custodian of somebody")
        }
        id = UserID(high: target.high, low: target.low)
        self.custodian = custodian
        authority = .approval(view.id)
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (UserView, [Recorded]) {
        let (user, grants) = try await check(in: transaction)
        guard user.custodian != custodian else { return (user, []) }
        _ = try await transaction.query(
            "UPDATE users SET custodian_id = \(custodian), updated_at = \(transaction.startedAt) WHERE id = \(id)"
        )
        var links: [ClaimLinkID] = []
        for grant in grants { links += try await transaction.endCredentials(of: grant.id) }
        guard let changed = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .userCustodianChanged,
            .user(id),
            authority: authority,
            before: ["custodian": .orNull(user.custodian)],
            after: [
                "custodian": .string(custodian.description),
                "grants": .array(grants.map { .string($0.id.description) }),
            ]
        )
        let ended = links.map {
            AuditDraft.ended($0, because: "custodian_changed", person: nil, authority: authority)
        }
        return (changed, ([draft] + ended).map { Recorded($0, by: attribution) })
    }

    /// The user and its grants that have not ended, locked, once nothing can be said against the change.
    fileprivate func check(
        in transaction: OrganizationTransaction
    ) async throws -> (user: UserView, grants: [GrantView]) {
        // In the order of ids, as whoever locks two users does.
        _ = try await transaction.query(
            "SELECT id FROM users WHERE id = ANY(\([id, custodian])) ORDER BY id FOR NO KEY UPDATE"
        )
        guard let user = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        guard user.kind == .integration, user.integration != nil, user.person == nil, user.status == .active else {
            throw ChangeRefusal.conflict("Only an active user of an integration that was made for nobody has one.")
        }
        let keeper = try await transaction.user(custodian)
        guard let keeper, keeper.kind == .member, keeper.status == .active else {
            throw ChangeRefusal.invalid("/custodian", "There is no such active member.")
        }
        let rows = try await transaction.query(
            "SELECT id FROM grants WHERE user_id = \(id) AND status <> 'ended' ORDER BY id FOR UPDATE"
        )
        var grants: [GrantView] = []
        for row in rows {
            guard let grant = try await transaction.grant(try row.decode("id")) else { continue }
            grants.append(grant)
        }
        return (user, grants)
    }
}

/// Naming another custodian, or, where one of the user's grants would need a second admin if it were new, asking for one:
/// the secret of what two agreed to is not for one to take.
package struct CustodianRequest: SingleChange {
    package typealias Output = Settled<UserView>

    private let assignment: CustodianAssignment
    private let caller: UserID
    private let attribution: Attribution

    /// The organization's settings are looked at when the change is made.
    package init(_ assignment: CustodianAssignment, by caller: Caller, _ attribution: Attribution) {
        self.assignment = assignment
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let settings = try await transaction.settings(lock: "FOR NO KEY UPDATE")
        let (user, grants) = try await assignment.check(in: transaction)
        let needsSecond = grants.contains { settings.wantsApproval(of: $0.terms, after: nil) }
        guard needsSecond, user.custodian != assignment.custodian else {
            let (changed, recorded) = try await assignment.make(in: transaction)
            return (.done(changed), recorded)
        }
        let (view, recorded) = try await transaction.requestApproval(
            .custodianAssignment,
            of: IDBits(high: assignment.id.high, low: assignment.id.low),
            request: [
                "user": .string(assignment.id.description), "custodian": .string(assignment.custodian.description),
            ],
            by: caller,
            attribution
        )
        return (.waits(view), [recorded])
    }
}
