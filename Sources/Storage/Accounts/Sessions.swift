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
        let rows = try await query(
            """
            SELECT id, second_factor, authenticated_at, last_seen_at, expires_at, address, user_agent FROM sessions
            WHERE user_id = \(user) AND ended_at IS NULL AND second_factor <> 'due' AND expires_at > \(startedAt)
                AND last_seen_at > \(startedAt - SessionTerms.idle)
            ORDER BY authenticated_at DESC, id DESC LIMIT \(Int32(SessionTerms.mostOpen))
            """
        )
        return try rows.map { row in
            SessionView(
                id: try row.decode("id"),
                authenticatedAt: try row.decode("authenticated_at"),
                lastSeenAt: try row.decode("last_seen_at"),
                address: try row.decode("address"),
                userAgent: try row.decode("user_agent")
            )
        }
    }
}

/// A sign-in as its member sees it.
package struct SessionView: Sendable {
    package let id: SessionID
    package let authenticatedAt: Timestamp
    /// To the minute.
    package let lastSeenAt: Timestamp
    package let address: String?
    package let userAgent: String?
}

/// Ending a session of one's own: this one, or another. One that is not there, or not the caller's, changes nothing.
package struct SessionEnd: SingleChange {
    package typealias Output = Void

    private let id: SessionID
    private let caller: SessionCaller
    private let attribution: Attribution

    package init(of id: SessionID, by caller: SessionCaller, _ attribution: Attribution) {
        self.id = id
        self.caller = caller
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let rows = try await transaction.query(
            """
            UPDATE sessions SET ended_at = \(transaction.startedAt)
            WHERE id = \(id) AND user_id = \(caller.user) AND ended_at IS NULL RETURNING id
            """
        )
        guard !rows.isEmpty else { return ((), []) }
        let draft = AuditDraft(
            .sessionEnded,
            .session(id),
            after: ["user": .string(caller.user.description)],
            person: caller.person
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}
