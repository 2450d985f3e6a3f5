package import Domain
import Postgres
import Transparency

/// Ending a user's access at once: its epoch moves on, so that no token of it is good from the commit, and its grants,
/// claim links, and what it let apps do end. With a member end the users that integrations have on behalf of their person, in
/// the same commit. Deactivating a deactivated user changes nothing.
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
        // With a member those who act for their person, in the order of ids, as whoever locks two users does.
        let locked = try await transaction.query(
            """
            SELECT u.id FROM users u
            WHERE u.id = \(id) OR u.kind = 'integration' AND u.status = 'active' AND u.person_id = (
                SELECT m.person_id FROM users m WHERE m.id = \(id) AND m.kind = 'member')
            ORDER BY u.id FOR UPDATE
            """
        )
        guard let user = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        guard user.status == .active else {
            return (user, [recorded(.userDeactivated, .user(id), of: user, "unchanged")])
        }
        try await refuseIfNeeded(user, in: transaction)
        let users = try await [user] + dependents(locked, in: transaction)
        let ids = users.map(\.id)
        let now = transaction.startedAt
        transaction.narrow(ids.map { .user($0) })
        let results = try await transaction.pipeline([
            """
            UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = \(now), updated_at = \(now)
            WHERE id = ANY(\(ids))
            """,
            """
            UPDATE grants SET status = 'ended', epoch = epoch + 1, ended_at = \(now),
                version = version + 1, updated_at = \(now)
            WHERE user_id = ANY(\(ids)) AND status <> 'ended' RETURNING id, user_id
            """,
            """
            UPDATE claim_links l SET ended_at = \(now)
            FROM grants g
            WHERE (g.organization_id, g.id) = (l.organization_id, l.grant_id) AND g.user_id = ANY(\(ids))
                AND l.claimed_at IS NULL AND l.ended_at IS NULL
            RETURNING l.id, g.user_id
            """,
            // What the person's events say from here on is judged without the member.
            """
            UPDATE lanes l SET reevaluate = true, ready_at = least(l.ready_at, \(now))
            FROM people p
            WHERE p.id = \(user.kind == .member ? user.person : nil) AND l.source_id = p.source_id
                AND l.external_id = p.external_id
            """,
        ])
        let authorizations = try await transaction.query(.endingAuthorizations(of: ids, at: now))
        guard let ended = try await transaction.user(id) else { throw ChangeRefusal.notFound }
        var entries = users.map { one in
            recorded(.userDeactivated, .user(one.id), of: one, one.id == id ? nil : "member_deactivated")
        }
        entries += try results[1].map { row in
            recorded(
                .grantEnded,
                .grant(try row.decode("id")),
                of: try Self.owner(of: row, in: users),
                "user_deactivated"
            )
        }
        entries += try results[2].map { row in
            let owner = try Self.owner(of: row, in: users)
            return recorded(.claimLinkEnded, .claimLink(try row.decode("id")), of: owner, "user_deactivated")
        }
        entries += try authorizations.map { row in
            let owner = try Self.owner(of: row, in: users)
            return recorded(.authorizationEnded, .authorization(try row.decode("id")), of: owner, "user_deactivated")
        }
        return (ended, entries)
    }

    /// Those of the locked rows that are another active user.
    private func dependents(_ rows: PostgresRows, in transaction: OrganizationTransaction) async throws -> [UserView] {
        var users: [UserView] = []
        for row in rows {
            let dependent = try row.decode("id", as: UserID.self)
            guard dependent != id, let user = try await transaction.user(dependent), user.status == .active else {
                continue
            }
            users.append(user)
        }
        return users
    }

    private static func owner(of row: PostgresRow, in users: [UserView]) throws -> UserView {
        let id = try row.decode("user_id", as: UserID.self)
        guard let owner = users.first(where: { $0.id == id }) else {
            throw ImpossibleRows(description: "a row of \(id), whose rows were not asked for")
        }
        return owner
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
            after: isOfUser ? ["status": "deactivated"] : ["user": .string(user.id.description)],
            person: user.person
        )
        return Recorded(draft, by: attribution)
    }
}
