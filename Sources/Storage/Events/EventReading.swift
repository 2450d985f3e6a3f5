package import Domain
import Postgres
import Transparency

/// What became of one thing that a delivery says about one person.
package struct EventView: Sendable {
    package let id: EventID
    package let delivery: DeliveryID
    package let ordinal: Int64
    package let source: SourceID
    /// The person as the source names them.
    package let externalID: String
    /// nil while there is none.
    package let person: PersonID?
    package let kind: EventKind
    /// The sender's own id of it.
    package let senderEventID: String?
    package let occurredAt: Timestamp?
    package let effectiveAt: Timestamp?
    package let status: EventStatus
    package let attempts: Int64
    package let dueAt: Timestamp
    package let reason: String?
    package let settledAt: Timestamp?
    package let createdAt: Timestamp
}

/// How far an event got.
package enum EventStatus: String, Sendable, CaseIterable {
    case pending
    /// No proof covers its body, and no admin has said that such bodies of its source are acted on.
    case held
    case applied
    /// Older than what was applied to its person.
    case stale
    /// Taken back by a later one before it was due.
    case superseded
    case ignored
    /// Tried as often as we do; an admin can have it tried again.
    case dead
}

extension OrganizationTransaction {
    /// The next events behind `after`, newest first.
    package func events(after: EventID?, most: Int) async throws -> [EventView] {
        let rows = try await query(
            Self.eventColumns + " WHERE e.id < \(after ?? .highest) ORDER BY e.id DESC LIMIT \(most)"
        )
        return try rows.map { try EventView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func event(_ id: EventID) async throws -> EventView? {
        let rows = try await query(Self.eventColumns + " WHERE e.id = \(id)")
        return try rows.first.map { try EventView(row: $0) }
    }

    private static var eventColumns: SQL {
        """
        SELECT e.id, e.delivery_id, e.ordinal, e.source_id, e.external_id, p.id AS person_id, e.kind, e.sender_event_id,
            e.occurred_at, e.effective_at, e.status, e.attempts, e.due_at, e.reason, e.settled_at, e.created_at
        FROM events e LEFT JOIN people p ON (p.source_id, p.external_id) = (e.source_id, e.external_id)
        """
    }
}

extension EventView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            delivery: try row.decode("delivery_id"),
            ordinal: try row.decode("ordinal"),
            source: try row.decode("source_id"),
            externalID: try row.decode("external_id"),
            person: try row.decode("person_id"),
            kind: try row.word("kind"),
            senderEventID: try row.decode("sender_event_id"),
            occurredAt: try row.decode("occurred_at"),
            effectiveAt: try row.decode("effective_at"),
            status: try row.word("status"),
            attempts: try row.decode("attempts"),
            dueAt: try row.decode("due_at"),
            reason: try row.decode("reason"),
            settledAt: try row.decode("settled_at"),
            createdAt: try row.decode("created_at")
        )
    }
}

/// Having a dead event tried again, as if it had never been tried. Refused for any other event.
package struct EventRetry: SingleChange {
    package typealias Output = EventView

    private let id: EventID
    private let attribution: Attribution

    package init(of id: EventID, by attribution: Attribution) {
        self.id = id
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (EventView, [Recorded]) {
        guard let event = try await transaction.event(id) else { throw ChangeRefusal.notFound }
        let now = transaction.startedAt
        // The lane before the event, as workers lock them.
        let results = try await transaction.pipeline([
            """
            UPDATE lanes SET ready_at = least(ready_at, \(now))
            WHERE (source_id, external_id) = (\(event.source), \(event.externalID))
            """,
            """
            UPDATE events SET status = 'pending', attempts = 0, due_at = \(now), reason = NULL, settled_at = NULL
            WHERE id = \(id) AND status = 'dead' AND person IS NOT NULL
            """,
        ])
        guard event.status != .dead || results[1].affected == 1 else {
            throw ChangeRefusal.conflict("What it said is no longer kept.")
        }
        guard results[1].affected == 1 else {
            throw ChangeRefusal.conflict("Only a dead event can be tried again.")
        }
        guard let retried = try await transaction.event(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .eventRetried,
            .event(id),
            authority: .scope(.eventsWrite),
            before: ["status": "dead", "attempts": .integer(event.attempts)],
            after: ["status": "pending"],
            person: event.person
        )
        return (retried, [Recorded(draft, by: attribution)])
    }
}
