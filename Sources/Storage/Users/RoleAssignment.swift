package import Domain
import Postgres
import Transparency

/// Giving a member another role in the organization. All of the member's tokens and sessions end: what they may do from
/// here on, they sign in for. Refused for users of integrations and sources, for whoever is deactivated, and for the last
/// active security admin; asks for a second look at one's own account.
package struct RoleAssignment: SingleChange {
    package typealias Output = UserView

    let id: UserID
    let role: Role
    private let caller: UserID?
    private let confirmation: String?
    private let authority: Authority
    private let attribution: Attribution

    /// Roles that a member can have.
    package static let roles: [Role] = [.securityAdmin, .auditor, .member]

    /// `confirmation` is that of the question about one's own account; nil otherwise.
    package init(
        of id: UserID,
        to role: Role,
        by caller: Caller,
        confirmation: String?,
        _ attribution: Attribution
    ) {
        self.id = id
        self.role = role
        self.caller = caller.user
        self.confirmation = confirmation
        authority = .scope(.usersWrite)
        self.attribution = attribution
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let target = view.target, let role = view.request["role"]?.string.flatMap({ Role(rawValue: $0) }) else {
            throw ImpossibleRows(description: "approvals.request of \(view.id) is no role of somebody")
        }
        id = UserID(high: target.high, low: target.low)
        self.role = role
        caller = nil
        confirmation = nil
        authority = .approval(view.id)
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (UserView, [Recorded]) {
        // One change of an organization's admins at a time, so that two admins cannot be each other's last.
        _ = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            "SELECT id FROM users WHERE id = \(id) FOR UPDATE",
        ])
        let user = try await assignee(in: transaction)
        guard user.role != role else { return (user, []) }
        if user.role == .securityAdmin { try await refuseForLast(in: transaction) }
        let wanted = Confirmation(of: "own role", seeing: [id.description, role.rawValue])
        if id == caller, confirmation != wanted.value {
            throw ChangeRefusal.confirmationRequired(
                value: wanted.value,
                detail: "This is your own account: its tokens end, and you may do less from here on."
            )
        }
        transaction.narrow(.user(id))
        _ = try await transaction.query(
            """
            UPDATE users SET role = \(role.rawValue), epoch = epoch + 1, updated_at = \(transaction.startedAt)
            WHERE id = \(id)
            """
        )
        guard let changed = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .userRoleChanged,
            .user(id),
            authority: authority,
            before: ["role": .string(user.role.rawValue)],
            after: ["role": .string(role.rawValue)],
            person: user.person
        )
        return (changed, [Recorded(draft, by: attribution)])
    }

    /// Who gets the role; refused for whoever can have none.
    fileprivate func assignee(in transaction: OrganizationTransaction) async throws -> UserView {
        guard let user = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        guard Self.roles.contains(role) else { throw ChangeRefusal.invalid("/role", "No member has this role.") }
        guard user.kind == .member, user.status == .active else {
            throw ChangeRefusal.conflict("Only an active member has a role that is given.")
        }
        return user
    }

    private func refuseForLast(in transaction: OrganizationTransaction) async throws {
        let others = try await transaction.query(
            """
            SELECT id FROM users
            WHERE role = \(Role.securityAdmin.rawValue) AND status = 'active' AND id <> \(id) LIMIT 1
            """
        )
        guard !others.isEmpty else { throw ChangeRefusal.conflict("This is the last active security admin.") }
    }
}

/// Giving a member another role, or, for making a security admin where there is a second one or the organization wants one
/// for anything, and for taking the role from another, asking for them: else one admin would make their own second one, and
/// with that one replace the password of another.
package struct RoleAssignmentRequest: SingleChange {
    package typealias Output = Settled<UserView>

    private let assignment: RoleAssignment
    private let caller: UserID
    private let attribution: Attribution

    /// The organization's settings are looked at when the change is made.
    package init(_ assignment: RoleAssignment, by caller: Caller, _ attribution: Attribution) {
        self.assignment = assignment
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let settings = try await transaction.settings(lock: "FOR NO KEY UPDATE")
        let user = try await assignment.assignee(in: transaction)
        let others = try await transaction.query(
            """
            SELECT id FROM users
            WHERE role = \(Role.securityAdmin.rawValue) AND kind = 'member' AND status = 'active' AND id <> \(caller)
            LIMIT 1
            """
        )
        let needsSecond = !others.isEmpty || !settings.approvals.isEmpty
        let isAdminsChange = (assignment.role == .securityAdmin) != (user.role == .securityAdmin)
        guard isAdminsChange, assignment.id != caller, needsSecond else {
            let (changed, recorded) = try await assignment.make(in: transaction)
            return (.done(changed), recorded)
        }
        let (view, recorded) = try await transaction.requestApproval(
            .roleAssignment,
            of: IDBits(high: assignment.id.high, low: assignment.id.low),
            request: ["user": .string(assignment.id.description), "role": .string(assignment.role.rawValue)],
            by: caller,
            attribution
        )
        return (.waits(view), [recorded])
    }
}
