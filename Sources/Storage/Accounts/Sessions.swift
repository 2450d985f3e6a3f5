package import Domain
import Postgres
import Transparency

extension Store {
    /// Who is signed in with that cookie; nil where it is unknown, ended, over, idle for too long, waits for a code, or the
    /// member was deactivated since.
    package func session(of secret: OpaqueSecret) async throws -> SessionCaller? {
        try await session(of: secret, isWaiting: false)
    }

    /// Whose right password waits for a code; nil otherwise.
    package func sessionWaiting(of secret: OpaqueSecret) async throws -> SessionCaller? {
        try await session(of: secret, isWaiting: true)
    }

    private func session(of secret: OpaqueSecret, isWaiting: Bool) async throws -> SessionCaller? {
        guard secret.kind == .session else { return nil }
        for digest in keyring.digests(of: secret) {
            let found = try await pool.query("SELECT organization_of_session(\(digest)) AS organization_id")
            guard let organization = try found.only().decode("organization_id", as: OrganizationID?.self) else {
                continue
            }
            return try await read(as: organization) { transaction in
                try await transaction.session(digest, isWaiting: isWaiting)
            }
        }
        return nil
    }
}

extension OrganizationTransaction {
    /// How often it is written that a session is in use.
    private static let seenEvery = Duration.seconds(60)

    fileprivate func session(_ digest: [UInt8], isWaiting: Bool) async throws -> SessionCaller? {
        let rows = try await query(
            """
            SELECT s.id, s.authenticated_at, s.expires_at, s.second_factor, s.last_seen_at, u.id AS user_id, u.role,
                u.username, u.person_id, o.name, a.claiming_blocked_until
            FROM sessions s
            JOIN users u ON (u.organization_id, u.id) = (s.organization_id, s.user_id)
            JOIN organizations o ON o.id = s.organization_id
            LEFT JOIN accounts a ON (a.organization_id, a.user_id) = (s.organization_id, s.user_id)
            WHERE s.digest = \(digest) AND s.ended_at IS NULL AND s.expires_at > \(startedAt)
                AND s.last_seen_at > \(startedAt - SessionTerms.idle) AND (s.second_factor = 'due') = \(isWaiting)
                AND u.status = 'active' AND u.epoch = s.user_epoch
            """
        )
        guard let row = rows.first else { return nil }
        let id = try row.decode("id", as: SessionID.self)
        if try row.decode("last_seen_at", as: Timestamp.self) < startedAt - Self.seenEvery {
            // Not through `perform`: that it is in use is no change of anything.
            _ = try await query("UPDATE sessions SET last_seen_at = \(startedAt) WHERE id = \(id)")
        }
        return SessionCaller(
            organization: organization,
            organizationName: try row.decode("name"),
            user: try row.decode("user_id"),
            role: try row.word("role"),
            username: try row.decode("username"),
            person: try row.decode("person_id"),
            session: id,
            digestPrefix: CredentialDigest.prefix(of: digest),
            authenticatedAt: try row.decode("authenticated_at"),
            expiresAt: try row.decode("expires_at"),
            hasSecondFactor: try row.decode("second_factor", as: String.self) != "none",
            claimingBlockedUntil: try row.decode("claiming_blocked_until", as: Timestamp?.self)
                .flatMap { $0 > startedAt ? $0 : nil }
        )
    }

    /// Sessions of a member that are good now, newest first.
    package func sessions(of user: UserID) async throws -> [SessionView] {
        let most = Int32(SessionTerms.mostOpen)
        let newest: SQL = " AND s.user_id = \(user) ORDER BY s.authenticated_at DESC, s.id DESC LIMIT \(most)"
        return try await query(openSessions + newest).map { try SessionView(row: $0) }
    }

    /// The next sessions behind `after` that are good now, oldest first, of one member or of everybody.
    package func sessions(of user: UserID?, after: SessionID?, most: Int) async throws -> [SessionView] {
        let ofUser: SQL = user.map { " AND s.user_id = \($0)" } ?? ""
        let next: SQL = " AND s.id > \(after ?? .lowest) ORDER BY s.id LIMIT \(most)"
        return try await query(openSessions + ofUser + next).map { try SessionView(row: $0) }
    }

    private var openSessions: SQL {
        """
        SELECT s.id, s.user_id, u.username, s.second_factor, s.authenticated_at, s.last_seen_at, s.expires_at, s.address,
            s.user_agent
        FROM sessions s JOIN users u ON (u.organization_id, u.id) = (s.organization_id, s.user_id)
        WHERE s.ended_at IS NULL AND s.second_factor <> 'due' AND s.expires_at > \(startedAt)
            AND s.last_seen_at > \(startedAt - SessionTerms.idle) AND u.status = 'active' AND u.epoch = s.user_epoch
        """
    }
}

/// A sign-in as its member sees it, and admins do.
package struct SessionView: Sendable {
    package let id: SessionID
    package let user: UserID
    package let username: String
    package let secondFactor: SecondFactorProof?
    package let authenticatedAt: Timestamp
    /// To the minute.
    package let lastSeenAt: Timestamp
    package let expiresAt: Timestamp
    package let address: String?
    package let userAgent: String?

    fileprivate init(row: PostgresRow) throws {
        id = try row.decode("id")
        user = try row.decode("user_id")
        username = try row.decode("username")
        secondFactor = SecondFactorProof(rawValue: try row.decode("second_factor"))
        authenticatedAt = try row.decode("authenticated_at")
        lastSeenAt = try row.decode("last_seen_at")
        expiresAt = try row.decode("expires_at")
        address = try row.decode("address")
        userAgent = try row.decode("user_agent")
    }
}

/// Ending a session: one's own, or as an admin that of somebody. One that is not there, has ended, or is not `user`'s is
/// not found.
package struct SessionEnd: SingleChange {
    package typealias Output = Void

    private let id: SessionID
    private let user: UserID?
    private let attribution: Attribution

    /// `user` nil: whoever's it is, for an admin.
    package init(of id: SessionID, ofUser user: UserID?, by attribution: Attribution) {
        self.id = id
        self.user = user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let owned: SQL = user.map { " AND s.user_id = \($0)" } ?? ""
        let ending: SQL = """
            UPDATE sessions s SET ended_at = \(transaction.startedAt) FROM users u
            WHERE s.id = \(id) AND s.ended_at IS NULL AND (u.organization_id, u.id) = (s.organization_id, s.user_id)
            """
        let rows = try await transaction.query(ending + owned + " RETURNING s.user_id, u.person_id")
        guard let row = rows.first else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .sessionEnded,
            .session(id),
            authority: user == nil ? .scope(.usersWrite) : nil,
            after: ["user": .string(try row.decode("user_id", as: UserID.self).description)],
            person: try row.decode("person_id")
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}

/// Ending every session of a member at once, by an admin. Tokens and what apps may do stay: a deactivation ends these too.
package struct SessionsEnd: SingleChange {
    package typealias Output = Int

    private let user: UserID
    private let attribution: Attribution

    /// Returns how many that were.
    package init(of user: UserID, by attribution: Attribution) {
        self.user = user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Int, [Recorded]) {
        guard let known = try await transaction.user(user) else { throw ChangeRefusal.notFound }
        let drafts = try await transaction.endSessions(of: user).map { ended in
            var draft = ended
            draft.authority = .scope(.usersWrite)
            draft.person = known.person
            return draft
        }
        return (drafts.count, drafts.map { Recorded($0, by: attribution) })
    }
}
