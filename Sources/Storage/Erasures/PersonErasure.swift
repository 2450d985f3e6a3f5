package import Domain
import Postgres
import Transparency

/// Destroying what is known of a person: the key under which the log discloses them, and their values wherever the
/// database has them. The leaves of the log stay, and so does every proof.
///
/// Invariants:
/// - The person is on the list outside the database before the commit: a database that is restored erases them again.
/// - The source, the person's lane, the person and their accounts are locked meanwhile, in this order, as those lock them
///   who change people.
/// - Nothing that a hold names is destroyed; the erasure waits for its end instead (``ErasureView/Status/queued``).
///
/// Erasing an erased person changes nothing. Refused while the person has access, while a delivery that names them waits,
/// and while a text that an admin wrote says one of their values.
package struct PersonErasure: SingleChange {
    package typealias Output = ErasureView

    /// What leads to it.
    enum Cause {
        case asked
        case approved(ApprovalID)
        /// It waited for the end of a hold.
        case queued
        /// The list outside names it, and the database does not know of it.
        case listed
    }

    let id: PersonID
    private let cause: Cause
    private let requestedBy: UserID?
    private let attribution: Attribution

    /// Has to be a security admin's own wish.
    package init(of id: PersonID, by caller: Caller, _ attribution: Attribution) {
        self.init(id, because: .asked, requestedBy: caller.user, attribution)
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let target = view.target else {
            throw ImpossibleRows(description: "approvals.target_id of \(view.id) is missing")
        }
        let id = PersonID(high: target.high, low: target.low)
        self.init(id, because: .approved(view.id), requestedBy: view.requestedBy, attribution)
    }

    init(queued id: PersonID, at now: Timestamp) {
        self.init(id, because: .queued, requestedBy: nil, Attribution(actor: .system("erasure"), receivedAt: now))
    }

    /// Ends also the access that a restore brought back, and no hold keeps it: what held the person then was lifted before
    /// they were erased.
    init(repeated id: PersonID, at now: Timestamp) {
        self.init(id, because: .listed, requestedBy: nil, Attribution(actor: .system("erasure"), receivedAt: now))
    }

    private init(_ id: PersonID, because cause: Cause, requestedBy: UserID?, _ attribution: Attribution) {
        (self.id, self.cause, self.requestedBy, self.attribution) = (id, cause, requestedBy, attribution)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (ErasureView, [Recorded]) {
        let known = try await KnownPerson(id, lockedIn: transaction)
        if known.isErased, let done = try await transaction.erasure(of: id) {
            return (done, [recorded(.personErased, reason: "unchanged")])
        }
        guard let register = transaction.store.erasures else { throw stopped(by: .listMissing) }
        if !isRepeated {
            if let obstacle = try await known.obstacle(in: transaction) { throw stopped(by: obstacle) }
            if try await transaction.isHeld(id) { return try await queue(in: transaction) }
        }
        let wiping = PersonWiping(known, in: transaction)
        let access = try await wiping.endAccess(by: attribution, in: transaction)
        let counts = try await wiping.wipe(in: transaction)
        _ = try await transaction.query(
            """
            INSERT INTO erasures AS e (organization_id, person_id, status, requested_by, requested_at, executed_at)
            VALUES (\(transaction.organization), \(id), 'executed', \(requestedBy), \(transaction.startedAt),
                \(transaction.startedAt))
            ON CONFLICT (organization_id, person_id) DO UPDATE
                SET status = 'executed', reason = NULL, due_at = NULL, executed_at = excluded.executed_at
            """
        )
        guard let done = try await transaction.erasure(of: id) else {
            throw ImpossibleRows(description: "erasures has no row of \(id), just made")
        }
        var after = counts
        after["requested_by"] = .orNull(done.requestedBy)
        let entry = recorded(
            .personErased,
            reason: isRepeated ? "restored" : nil,
            before: ["status": .string(known.status.rawValue)],
            after: after
        )
        // Last: what fails before leaves nothing on the list. A commit of which nobody knows leaves it there, and the next
        // start erases the person, as was asked for.
        try await register.note(transaction.organization, id)
        return (done, access + [entry])
    }

    private var isRepeated: Bool { if case .listed = cause { true } else { false } }

    /// Who waited is told what is in the way now, and waits on.
    private func stopped(by obstacle: ErasureObstacle) -> any Error {
        if case .queued = cause { obstacle } else { obstacle.refusal }
    }

    private var authority: Authority? {
        switch cause {
        case .asked: .scope(.usersWrite)
        case .approved(let approval): .approval(approval)
        case .queued, .listed: nil
        }
    }

    private func queue(in transaction: OrganizationTransaction) async throws -> (ErasureView, [Recorded]) {
        let isNew = try await transaction.erasure(of: id) == nil
        _ = try await transaction.query(
            """
            INSERT INTO erasures (organization_id, person_id, status, reason, requested_by, requested_at)
            VALUES (\(transaction.organization), \(id), 'queued', \(ErasureObstacle.held.rawValue), \(requestedBy),
                \(transaction.startedAt))
            ON CONFLICT (organization_id, person_id) DO UPDATE
                SET reason = excluded.reason, due_at = NULL
            """
        )
        guard let waiting = try await transaction.erasure(of: id) else {
            throw ImpossibleRows(description: "erasures has no row of \(id), just made")
        }
        return (waiting, isNew ? [recorded(.personErasureQueued, reason: ErasureObstacle.held.rawValue)] : [])
    }

    private func recorded(
        _ action: ActionCode,
        reason: String?,
        before: JSON.Object = [:],
        after: JSON.Object = [:]
    ) -> Recorded {
        let draft = AuditDraft(
            action,
            .person(id),
            reason: reason,
            authority: authority,
            before: before,
            after: after,
            person: id
        )
        return Recorded(draft, by: attribution)
    }
}

extension ErasureObstacle {
    /// What whoever asked is told.
    package var refusal: ChangeRefusal {
        switch self {
        case .held: .conflict("A legal hold is in the way.")
        case .hasAccess: .conflict("The person still has access: the source says they are there, or a user is active.")
        case .namedElsewhere:
            .conflict(
                "A name, an address or a filter that an admin wrote says one of the person's values. Change it first."
            )
        case .deliveryWaits: .conflict("A delivery that names the person is not mapped yet. Try again.")
        case .listMissing:
            .conflict("This service has no list of erasures outside the database (ROLLCALL_CHECKPOINT_COPIES).")
        }
    }
}
