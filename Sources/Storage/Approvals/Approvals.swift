package import Domain
import Postgres
package import Transparency

/// A request that waits for a second admin, or what became of it.
package struct ApprovalView: Sendable {
    package let id: ApprovalID
    package let kind: ApprovalKind
    /// What it is about, or what came of it.
    package let target: IDBits?
    /// Exactly what was asked for.
    package let request: JSON.Object
    package let requestedBy: UserID
    package let requesterName: String
    package let requestedAt: Timestamp
    package let expiresAt: Timestamp
    package let status: ApprovalStatus
    package let decidedBy: UserID?
    package let decidedAt: Timestamp?
    package let reason: String?
    /// When it was done, where agreeing does not do it.
    package let usedAt: Timestamp?

    /// How long a request waits for a decision.
    package static let lifetime = Duration.seconds(3 * 86_400)
    /// How long what was agreed to can be done, where agreeing does not do it.
    package static let useLifetime = Duration.seconds(86_400)
    /// Requests of an organization that wait at once.
    package static let mostPending = 200
}

/// A change that was made, or that waits for a second admin.
package enum Settled<Value: Sendable>: Sendable {
    case done(Value)
    case waits(ApprovalView)
}

extension OrganizationTransaction {
    /// The next requests behind `after`, oldest first.
    package func approvals(after: ApprovalID?, most: Int) async throws -> [ApprovalView] {
        try await query(ApprovalView.selection + " WHERE a.id > \(after ?? .lowest) ORDER BY a.id LIMIT \(most)")
            .map { try ApprovalView(row: $0, at: startedAt) }
    }

    /// nil where the organization has none of that id.
    package func approval(_ id: ApprovalID) async throws -> ApprovalView? {
        try await query(ApprovalView.selection + " WHERE a.id = \(id)").first
            .map { try ApprovalView(row: $0, at: startedAt) }
    }

    /// Asks for a second admin. `request` has to say everything that is done, and holds no personal value: it stands in
    /// the entry, which the caller has to record. Refused where too many wait.
    package func requestApproval(
        _ kind: ApprovalKind,
        of target: IDBits?,
        request: JSON.Object,
        by caller: UserID,
        _ attribution: Attribution
    ) async throws -> (ApprovalView, Recorded) {
        let id = store.newID(ApprovalID.self)
        let results = try await pipeline([
            "SELECT id FROM organizations WHERE id = \(organization) FOR NO KEY UPDATE",
            """
            SELECT count(*) AS waiting FROM approvals
            WHERE organization_id = \(organization) AND status = 'pending' AND expires_at > \(startedAt)
            """,
            """
            INSERT INTO approvals (organization_id, id, kind, target_id, request, requested_by, responsible_id,
                requested_at, expires_at)
            SELECT \(organization), \(id), \(kind.rawValue), \(target), \(PostgresJSON(request)), u.id,
                coalesce(CASE WHEN u.kind = 'integration' THEN u.custodian_id END, u.id), \(startedAt),
                \(startedAt + ApprovalView.lifetime)
            FROM users u WHERE u.id = \(caller)
            """,
        ])
        guard try results[1].only().decode("waiting", as: Int64.self) < ApprovalView.mostPending else {
            throw ChangeRefusal.conflict("Too many requests wait for a second admin.")
        }
        guard let view = try await approval(id) else {
            throw ImpossibleRows(description: "approvals has no row of \(id), just made")
        }
        let draft = AuditDraft(
            .approvalRequested,
            .approval(id),
            authority: .scope(kind.scope),
            after: [
                "kind": .string(kind.rawValue), "request": .object(request),
                "expires_at": .string(view.expiresAt.description),
            ]
        )
        return (view, Recorded(draft, by: attribution))
    }

    /// Uses, the once, what a second admin agreed to, for a kind that agreeing does not do. Only who asked may, within
    /// ``ApprovalView/useLifetime``, for the target and exactly the request that was asked for. Returns by what right it is
    /// done.
    package func useApproval(
        _ id: ApprovalID,
        of kind: ApprovalKind,
        for target: IDBits,
        request: JSON.Object,
        by caller: UserID
    ) async throws -> Authority {
        let used = try await query(
            """
            UPDATE approvals SET used_at = \(startedAt)
            WHERE id = \(id) AND kind = \(kind.rawValue) AND target_id = \(target) AND requested_by = \(caller)
                AND status = 'approved' AND used_at IS NULL AND decided_at > \(startedAt - ApprovalView.useLifetime)
            RETURNING id
            """
        )
        guard !used.isEmpty, try await approval(id)?.request == request else {
            throw ChangeRefusal.conflict("There is no approval of yours for exactly this that can still be used.")
        }
        return .approval(id)
    }
}

extension ApprovalView {
    fileprivate static let selection: SQL = """
        SELECT a.id, a.kind, a.target_id, a.request, a.requested_by, u.username AS requester_name, a.requested_at,
            a.expires_at, a.status, a.decided_by, a.decided_at, a.reason, a.used_at
        FROM approvals a JOIN users u ON (u.organization_id, u.id) = (a.organization_id, a.requested_by)
        """

    fileprivate init(row: PostgresRow, at now: Timestamp) throws {
        let status = try row.word("status", as: ApprovalStatus.self)
        let expiresAt = try row.decode("expires_at", as: Timestamp.self)
        let target = try row.decode("target_id", as: GrantID?.self)
        self.init(
            id: try row.decode("id"),
            kind: try row.word("kind"),
            target: target.map { IDBits(high: $0.high, low: $0.low) },
            request: try row.jsonObject("request"),
            requestedBy: try row.decode("requested_by"),
            requesterName: try row.decode("requester_name"),
            requestedAt: try row.decode("requested_at"),
            expiresAt: expiresAt,
            status: status == .pending && expiresAt <= now ? .expired : status,
            decidedBy: try row.decode("decided_by"),
            decidedAt: try row.decode("decided_at"),
            reason: try row.decode("reason"),
            usedAt: try row.decode("used_at")
        )
    }
}
