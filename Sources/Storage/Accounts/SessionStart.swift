package import Domain
import Postgres
import Transparency

/// Signing a member in whose password was right. The inserting statement checks user, epoch and password again: a leaver
/// or a new password committed meanwhile gets no session. The browser's former session ends, so that none that
/// somebody planted is ever signed in.
package struct SessionStart: Change {
    private let account: AccountFacts
    private let former: [[UInt8]]
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp
    private let secret: OpaqueSecret
    private let id: SessionID
    private let digest: [UInt8]

    /// `former` is what the browser presented, of whatever account.
    package init(
        of account: AccountFacts,
        replacing former: OpaqueSecret?,
        from origin: Attribution.Origin,
        receivedAt: Timestamp,
        in store: Store
    ) {
        self.account = account
        self.former = former.map(store.keyring.digests(of:)) ?? []
        self.origin = origin
        self.receivedAt = receivedAt
        secret = .make(.session, using: store.randomness)
        id = store.newID()
        digest = store.keyring.digest(of: secret)
    }

    /// A session, whose secret goes into the browser's cookie and nowhere else.
    package struct Started: Sendable {
        package let secret: OpaqueSecret
        package let id: SessionID
        /// Whether a code is asked for before it is good for anything else.
        package let needsCode: Bool
        package let expiresAt: Timestamp
    }

    package static func make(
        _ changes: [SessionStart],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Started>] {
        var made: [Made<Started>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<Started> {
        let now = transaction.startedAt
        let needsCode = account.hasSecondFactor
        let expiresAt = now + (needsCode ? SessionTerms.secondFactorPatience : SessionTerms.absolute)
        let results = try await transaction.pipeline([
            """
            UPDATE sessions s SET ended_at = \(now) FROM users u
            WHERE s.digest = ANY(\(former)) AND s.ended_at IS NULL
                AND (u.organization_id, u.id) = (s.organization_id, s.user_id)
            RETURNING s.id, s.user_id, u.person_id
            """,
            """
            INSERT INTO sessions (organization_id, id, digest, user_id, user_epoch, second_factor, authenticated_at,
                last_seen_at, expires_at, address, user_agent)
            SELECT u.organization_id, \(id), \(digest), u.id, u.epoch,
                CASE WHEN a.totp_secret IS NULL THEN 'none' ELSE 'due' END, \(now), \(now), \(expiresAt),
                \(origin.address?.description as String?), \(origin.userAgent as String?)
            FROM users u JOIN accounts a ON (a.organization_id, a.user_id) = (u.organization_id, u.id)
            WHERE u.id = \(account.user) AND u.status = 'active' AND u.epoch = \(account.epoch)
                AND a.password_set_at = \(account.passwordSetAt as Timestamp?) AND (a.totp_secret IS NOT NULL) = \(needsCode)
            RETURNING id
            """,
            .endingOldest(of: account.user, at: now),
        ])
        var attribution = Attribution(actor: .member(account.user), origin: origin, receivedAt: receivedAt)
        attribution.credential = .init(session: id, digestPrefix: CredentialDigest.prefix(of: digest))
        let replaced = try AuditDraft.replacedSessions(results[0]) + AuditDraft.replacedSessions(results[2])
        guard !results[1].isEmpty else {
            attribution.actor = .system("sign-in")
            // No session came of it.
            attribution.credential = nil
            let draft = AuditDraft(
                .sessionStarted,
                .user(account.user),
                outcome: .refused,
                reason: AccessRefusal.superseded.rawValue,
                person: account.person
            )
            return .refused(AccessRefusal.superseded, ([draft] + replaced).map { Recorded($0, by: attribution) })
        }
        let draft = AuditDraft(
            .sessionStarted,
            .session(id),
            after: ["user": .string(account.user.description), "second_factor": .string(needsCode ? "due" : "none")],
            person: account.person
        )
        let started = Started(secret: secret, id: id, needsCode: needsCode, expiresAt: expiresAt)
        return .done(started, ([draft] + replaced).map { Recorded($0, by: attribution) })
    }
}

extension SQL {
    /// Keeps the newest ``SessionTerms/mostOpen`` sessions of a member.
    static func endingOldest(of user: UserID, at now: Timestamp) -> SQL {
        """
        UPDATE sessions o SET ended_at = \(now) FROM users u
        WHERE o.ended_at IS NULL AND (u.organization_id, u.id) = (o.organization_id, o.user_id) AND o.id IN (
            SELECT s.id FROM sessions s WHERE s.user_id = \(user) AND s.ended_at IS NULL
            ORDER BY s.authenticated_at DESC, s.id DESC OFFSET \(Int32(SessionTerms.mostOpen)))
        RETURNING o.id, o.user_id, u.person_id
        """
    }
}

extension AuditDraft {
    /// The entries of sessions that a sign-in ended in order to take their place.
    fileprivate static func replacedSessions(_ rows: PostgresRows) throws -> [AuditDraft] {
        try rows.map { row in
            AuditDraft(
                .sessionEnded,
                .session(try row.decode("id")),
                reason: "replaced",
                after: ["user": .string(try row.decode("user_id", as: UserID.self).description)],
                person: try row.decode("person_id")
            )
        }
    }
}

/// Answering the code that a right password waits for, with one of the authenticator app or a recovery code. It is taken
/// for good, so that of two who present the same one is signed in. The session that waited ends, and another begins.
package struct SessionCompletion: Change {
    private let waiting: SessionCaller
    private let code: String
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp
    private let secret: OpaqueSecret
    private let id: SessionID
    private let digest: [UInt8]

    /// `waiting` is what ``Store/sessionWaiting(of:)`` proved.
    package init(
        of waiting: SessionCaller,
        code: String,
        from origin: Attribution.Origin,
        receivedAt: Timestamp,
        in store: Store
    ) {
        self.waiting = waiting
        self.code = code
        self.origin = origin
        self.receivedAt = receivedAt
        secret = .make(.session, using: store.randomness)
        id = store.newID()
        digest = store.keyring.digest(of: secret)
    }

    package static func make(
        _ changes: [SessionCompletion],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<SessionStart.Started>] {
        var made: [Made<SessionStart.Started>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<SessionStart.Started> {
        let now = transaction.startedAt
        guard let proof = try await transaction.takeSecondFactor(code, of: waiting.user) else {
            var attribution = Attribution(session: waiting, origin: origin, receivedAt: receivedAt)
            attribution.actor = .system("sign-in")
            let draft = AuditDraft(
                .sessionStarted,
                .user(waiting.user),
                outcome: .refused,
                reason: AccessRefusal.wrongCode.rawValue,
                person: waiting.person
            )
            return .refused(AccessRefusal.wrongCode, [Recorded(draft, by: attribution)])
        }
        let expiresAt = now + SessionTerms.absolute
        let results = try await transaction.pipeline([
            """
            WITH waiting AS (
                UPDATE sessions SET ended_at = \(now)
                WHERE id = \(waiting.session) AND second_factor = 'due' AND ended_at IS NULL AND expires_at > \(now)
                RETURNING organization_id, id, user_id, user_epoch),
            made AS (
            INSERT INTO sessions (organization_id, id, digest, user_id, user_epoch, second_factor, authenticated_at,
                last_seen_at, expires_at, address, user_agent)
            SELECT w.organization_id, \(id), \(digest), u.id, u.epoch, \(proof.rawValue), \(now), \(now), \(expiresAt),
                \(origin.address?.description as String?), \(origin.userAgent as String?)
            FROM waiting w JOIN users u ON (u.organization_id, u.id) = (w.organization_id, w.user_id)
            WHERE u.status = 'active' AND u.epoch = w.user_epoch
            RETURNING id)
            SELECT w.id, w.user_id, EXISTS (SELECT FROM made) AS is_made, u.person_id FROM waiting w
            JOIN users u ON (u.organization_id, u.id) = (w.organization_id, w.user_id)
            """,
            .endingOldest(of: waiting.user, at: now),
        ])
        var attribution = Attribution(session: waiting, origin: origin, receivedAt: receivedAt)
        let replaced = try AuditDraft.replacedSessions(results[0]) + AuditDraft.replacedSessions(results[1])
        guard try results[0].first?.decode("is_made", as: Bool.self) ?? false else {
            attribution.actor = .system("sign-in")
            let draft = AuditDraft(
                .sessionStarted,
                .user(waiting.user),
                outcome: .refused,
                reason: AccessRefusal.superseded.rawValue,
                person: waiting.person
            )
            return .refused(AccessRefusal.superseded, ([draft] + replaced).map { Recorded($0, by: attribution) })
        }
        attribution.credential = .init(session: id, digestPrefix: CredentialDigest.prefix(of: digest))
        let draft = AuditDraft(
            .sessionStarted,
            .session(id),
            after: ["user": .string(waiting.user.description), "second_factor": .string(proof.rawValue)],
            person: waiting.person
        )
        let started = SessionStart.Started(secret: secret, id: id, needsCode: false, expiresAt: expiresAt)
        return .done(started, ([draft] + replaced).map { Recorded($0, by: attribution) })
    }
}

extension OrganizationTransaction {
    /// Whether that is a code of the member now, taken for good: its step and those before are used.
    func takeCode(_ code: String, of user: UserID) async throws -> Bool {
        let rows = try await query(
            "SELECT totp_secret, totp_last_step FROM accounts WHERE user_id = \(user) FOR UPDATE"
        )
        guard let row = rows.first, let sealed = try row.decode("totp_secret", as: [UInt8]?.self) else { return false }
        let secret = try store.keyring.open(sealed, for: .secondFactor(of: user, in: organization))
        let last = try row.decode("totp_last_step", as: Int64?.self)
        let timeCode = TimeCode(secret: secret)
        guard let step = timeCode.step(of: code, at: store.clock.now(), after: last) else { return false }
        _ = try await query("UPDATE accounts SET totp_last_step = \(step) WHERE user_id = \(user)")
        return true
    }
}
