package import Domain
import Postgres
import Transparency

/// Ending a user's access at once: its epoch moves on, so that no token of it is good from the commit, and its grants,
/// claim links, and what it let apps do end. Deactivating a deactivated user changes nothing.
///
/// Refused for the last active security admin, for the user of a source, and without ``confirmation`` for one's own.
package struct UserDeactivation: SingleChange {
    package typealias Output = UserView

    private let id: UserID
    private let caller: UserID
    /// The id of the caller's own account, sent back by whoever means it.
    private let confirmation: String?
    private let attribution: Attribution

    /// `confirmation` is the id of the caller's own account, sent back by whoever means to end that one; nil otherwise.
    package init(of id: UserID, by caller: Caller, confirmation: String?, _ attribution: Attribution) {
        self.id = id
        self.caller = caller.user
        self.confirmation = confirmation
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (UserView, [Recorded]) {
        // One deactivation of an organization at a time, so that two admins cannot be each other's last.
        _ = try await transaction.query(
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE"
        )
        _ = try await transaction.query("SELECT id FROM users WHERE id = \(id) FOR UPDATE")
        guard let user = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        guard user.status == .active else {
            return (user, [recorded(.userDeactivated, .user(id), of: user, "unchanged")])
        }
        try await refuseIfNeeded(user, in: transaction)
        let now = transaction.startedAt
        transaction.narrow(.user(id))
        let results = try await transaction.pipeline([
            """
            UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = \(now), updated_at = \(now)
            WHERE id = \(id)
            """,
            """
            UPDATE grants SET status = 'ended', epoch = epoch + 1, ended_at = \(now),
                version = version + 1, updated_at = \(now)
            WHERE user_id = \(id) AND status <> 'ended' RETURNING id
            """,
            """
            UPDATE claim_links l SET ended_at = \(now)
            FROM grants g
            WHERE (g.organization_id, g.id) = (l.organization_id, l.grant_id) AND g.user_id = \(id)
                AND l.claimed_at IS NULL AND l.ended_at IS NULL
            RETURNING l.id
            """,
            // What was made for the person of a member ends with the member.
            """
            UPDATE lanes l SET reevaluate = true, ready_at = least(l.ready_at, \(now))
            FROM people p
            WHERE p.id = \(user.kind == .member ? user.person : nil) AND l.source_id = p.source_id
                AND l.external_id = p.external_id
            """,
        ])
        let authorizations = try await transaction.query(.endingAuthorizations(of: [id], at: now))
        guard let ended = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        var entries = [recorded(.userDeactivated, .user(id), of: user, nil)]
        entries += try results[1].map {
            recorded(.grantEnded, .grant(try $0.decode("id")), of: user, "user_deactivated")
        }
        entries += try results[2].map {
            recorded(.claimLinkEnded, .claimLink(try $0.decode("id")), of: user, "user_deactivated")
        }
        entries += try authorizations.map {
            recorded(.authorizationEnded, .authorization(try $0.decode("id")), of: user, "user_deactivated")
        }
        return (ended, entries)
    }

    private func refuseIfNeeded(_ user: UserView, in transaction: OrganizationTransaction) async throws {
        guard user.role != .source else {
            throw ChangeRefusal.conflict("This is the user of a source; pause the source instead.")
        }
        if user.role == .securityAdmin {
            let others = try await transaction.query(
                """
                SELECT id FROM users
                WHERE role = \(Role.securityAdmin.rawValue) AND status = 'active' AND id <> \(id) LIMIT 1
                """
            )
            guard !others.isEmpty else {
                throw ChangeRefusal.conflict("This is the last active security admin.")
            }
        }
        if id == caller, confirmation != id.description {
            throw ChangeRefusal.confirmationRequired(
                value: id.description,
                detail: "This is your own account: its tokens end with it."
            )
        }
    }

    private func recorded(
        _ action: ActionCode,
        _ target: AuditTarget,
        of user: UserView,
        _ reason: String?
    ) -> Recorded {
        let isOfUser = action == .userDeactivated
        let draft = AuditDraft(
            action,
            target,
            reason: reason,
            authority: .scope(.usersWrite),
            before: isOfUser ? ["status": .string(user.status.rawValue)] : [:],
            after: isOfUser ? ["status": "deactivated"] : ["user": .string(id.description)],
            person: user.person
        )
        return Recorded(draft, by: attribution)
    }
}
