package import Domain
import Postgres
import Transparency

/// Giving a member another role in the organization. All of the member's tokens and sessions end: what they may do from
/// here on, they sign in for. Refused for users of integrations and sources, for whoever is deactivated, and for the last
/// active security admin; asks for a second look at one's own account.
package struct RoleAssignment: SingleChange {
    package typealias Output = UserView

    private let id: UserID
    private let role: Role
    private let caller: UserID
    private let confirmation: String?
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
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (UserView, [Recorded]) {
        // One change of an organization's admins at a time, so that two admins cannot be each other's last.
        _ = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            "SELECT id FROM users WHERE id = \(id) FOR UPDATE",
        ])
        guard let user = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        guard Self.roles.contains(role) else { throw ChangeRefusal.invalid("/role", "No member has this role.") }
        guard user.kind == .member, user.status == .active else {
            throw ChangeRefusal.conflict("Only an active member has a role that is given.")
        }
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
            authority: .scope(.usersWrite),
            before: ["role": .string(user.role.rawValue)],
            after: ["role": .string(role.rawValue)],
            person: user.person
        )
        return (changed, [Recorded(draft, by: attribution)])
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
