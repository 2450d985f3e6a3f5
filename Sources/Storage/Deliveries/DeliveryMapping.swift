package import Domain
import Foundation
import Postgres
import Transparency

/// Makes events of accepted deliveries: the first half of what a worker does.
///
/// What does not map is kept and shown with its reasons and JSON pointers; it is no failure, and blocks nobody. Where only a
/// part of a delivery does not map, it is `partly_mapped` and its other events are made. Events of a body that no proof
/// covers are held until an admin decided for its source (``SourceUpdate``).
package struct DeliveryMapping: ClaimedWork {
    private let mappings: [String: Mapping]
    private let profiles: [String: SigningProfile]

    /// By the names by which sources choose them; the profile says what of a body is the payload.
    package init(mappings: [String: Mapping], profiles: [String: SigningProfile]) {
        self.mappings = mappings
        self.profiles = profiles
    }

    /// The reason of a held event.
    package static let unprovedBody = "unproved_body"

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<DeliveryID>? {
        try await transaction.claim("SELECT organization_id, id FROM next_deliveries(\(Int32(most)))")
    }

    package func make(
        _ items: [DeliveryID],
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        let rows = try await transaction.query(
            """
            SELECT d.id, d.sequence, d.source_id, d.stored_at, d.received_at, d.headers, d.body, d.request_id, d.trace_id,
                d.client_address, d.user_agent, s.profile, s.mapping, s.time_zone, s.user_id, s.status AS source_status,
                NOT d.body_proved AND s.unproved_accepted_at IS NULL AS is_held
            FROM deliveries d JOIN sources s ON (s.organization_id, s.id) = (d.organization_id, d.source_id)
            WHERE d.id = ANY(\(items)) ORDER BY d.sequence FOR SHARE OF s
            """
        )
        var events: [MappedEvent] = []
        var refused: [Refused] = []
        var recorded: [Recorded] = []
        for row in rows {
            let delivery = try DeliveryRow(row)
            let refusals: [MappingError]
            let before = events.count
            do throws(MappingError) {
                let reading = try reading(of: delivery)
                events += reading.events.map { MappedEvent($0, of: delivery, in: reading.zone, transaction.store) }
                refusals = reading.refusals
            } catch {
                refusals = [error]
            }
            guard !refusals.isEmpty else { continue }
            let new = Refused(delivery.id, for: refusals, isPartly: events.count > before)
            refused.append(new)
            recorded.append(Recorded(new.draft, by: delivery.attribution))
        }
        try await write(events, refused, of: items, in: transaction)
        return recorded
    }

    package func recordFailure(
        of item: DeliveryID,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        let problem = "could not be kept as events: \(EventFailure.describe(error))"
        let refused = Refused(item, for: [MappingError(pointer: "", problem: problem)], isPartly: false)
        _ = try await transaction.query(
            """
            UPDATE deliveries SET status = \(refused.status.rawValue), reasons = \(refused.reasons)
            WHERE id = \(item) AND status = 'accepted'
            """
        )
        let attribution = Attribution(actor: .system("provisioning"), delivery: item, receivedAt: transaction.startedAt)
        return [Recorded(refused.draft, by: attribution)]
    }

    private typealias Reading = (
        events: [Mapping.Reading.Placed], refusals: [MappingError], zone: TimeZone
    )

    private func reading(of delivery: DeliveryRow) throws(MappingError) -> Reading {
        guard let mapping = mappings[delivery.mapping] else {
            throw MappingError(pointer: "", problem: "cannot be read: mapping \(delivery.mapping) is not installed")
        }
        guard let zone = TimeZone(identifier: delivery.timeZone) else {
            throw MappingError(
                pointer: "",
                problem: "cannot be dated: time zone \(delivery.timeZone) is not known here"
            )
        }
        guard let payload = try payload(of: delivery) else { return ([], [], zone) }
        let reading = try mapping.read(payload)
        return (reading.events, reading.refusals, zone)
    }

    /// The JSON that a delivery carries; nil for a ping, which says nothing of anybody.
    private func payload(of delivery: DeliveryRow) throws(MappingError) -> [UInt8]? {
        guard let profile = profiles[delivery.profile] else {
            throw MappingError(pointer: "", problem: "cannot be read: profile \(delivery.profile) is not installed")
        }
        let payload: Payload
        do {
            payload = try profile.payload(of: delivery.body, headers: delivery.headers)
        } catch {
            let form = error == .formMalformed ? "form" : "token"
            throw MappingError(pointer: "", problem: "cannot be read: it is not a well-formed \(form)")
        }
        guard case .json(let bytes) = payload else { return nil }
        return try Self.isPing(bytes, of: profile) ? nil : bytes
    }

    private static func isPing(_ payload: [UInt8], of profile: SigningProfile) throws(MappingError) -> Bool {
        var conditions: [Handshake.Condition] = []
        for case .acceptPing(_, let condition?) in profile.handshakes { conditions.append(condition) }
        if conditions.isEmpty { return false }
        do {
            let said = try JSON.parse(payload)
            return conditions.contains { $0.holds(in: said) }
        } catch {
            throw MappingError(pointer: "", problem: "\(error)")
        }
    }

    private func write(
        _ events: [MappedEvent],
        _ refused: [Refused],
        of items: [DeliveryID],
        in transaction: OrganizationTransaction
    ) async throws {
        var statements: [SQL] = [
            """
            UPDATE deliveries d SET status = coalesce(r.status, 'mapped'), reasons = r.reasons
            FROM unnest(\(items)) AS i(id)
            LEFT JOIN unnest(\(refused.map(\.id)), \(refused.map(\.status.rawValue)), \(refused.map(\.reasons)))
                AS r(id, status, reasons) USING (id)
            WHERE d.id = i.id
            """
        ]
        if !events.isEmpty {
            statements += [
                MappedEvent.insert(events, at: transaction.startedAt, in: transaction.organization)
            ]
            let awake = events.filter { !$0.delivery.isHeld && !$0.delivery.isPaused }
            if !awake.isEmpty { statements.append(MappedEvent.wakeLanes(awake, in: transaction.organization)) }
        }
        _ = try await transaction.pipeline(statements)
    }
}

/// A delivery that does not map, wholly or in part, with what is told of it.
private struct Refused {
    let id: DeliveryID
    let status: DeliveryStatus
    let reasons: PostgresJSON
    let draft: AuditDraft

    /// Refusals of one delivery that are told; of more, their number.
    static let mostReasons = 20

    /// `isPartly`: something of it maps all the same.
    init(_ id: DeliveryID, for refusals: [MappingError], isPartly: Bool) {
        self.id = id
        status = isPartly ? .partlyMapped : .unmapped
        var told = refusals.prefix(Self.mostReasons).map { DeliveryView.Reason(pointer: $0.pointer, text: $0.problem) }
        var text = refusals.prefix(Self.mostReasons).map(\.description).joined(separator: "; ")
        let rest = refusals.count - Self.mostReasons
        if rest > 0 {
            told.append(DeliveryView.Reason(pointer: "", text: "\(rest) more are not told"))
            text += "; and \(rest) more"
        }
        reasons = PostgresJSON(text: JSON.array(told.map { .object($0.json) }).text)
        draft = AuditDraft(isPartly ? .deliveryPartlyMapped : .deliveryUnmapped, .delivery(id), reason: text)
    }
}

/// What mapping needs of a delivery.
struct DeliveryRow {
    let id: DeliveryID
    let sequence: Int64
    let source: SourceID
    let storedAt: Timestamp
    let headers: [(name: String, value: String)]
    let body: [UInt8]
    let profile: String
    let mapping: String
    let timeZone: String
    /// Its events wait for a decision, because no proof covers its body.
    let isHeld: Bool
    /// Its events wait until the source is resumed.
    let isPaused: Bool
    let attribution: Attribution

    init(_ row: PostgresRow) throws {
        id = try row.decode("id")
        sequence = try row.decode("sequence")
        source = try row.decode("source_id")
        storedAt = try row.decode("stored_at")
        headers = try row.jsonObject("headers").members.flatMap { name, values in
            (values.array ?? []).map { (name: name, value: $0.string ?? "") }
        }
        body = try row.decode("body")
        profile = try row.decode("profile")
        mapping = try row.decode("mapping")
        timeZone = try row.decode("time_zone")
        isHeld = try row.decode("is_held")
        isPaused = try row.word("source_status", as: SourceStatus.self) == .paused
        attribution = try Attribution(ofDelivery: row, id: id)
    }
}

extension Attribution {
    /// What a source said, by the user of the source, with the origin of the request that brought it.
    init(ofDelivery row: PostgresRow, id: DeliveryID, event: EventID? = nil) throws {
        self.init(
            actor: .integrationUser(try row.decode("user_id")),
            delivery: id,
            event: event,
            origin: Origin(
                request: try row.decode("request_id"),
                trace: try row.decode("trace_id"),
                address: try row.parseIfPresent("client_address", as: IPAddress.self),
                userAgent: try row.decode("user_agent")
            ),
            receivedAt: try row.decode("received_at")
        )
    }
}

/// An event on its way into its row.
struct MappedEvent {
    let id: EventID
    let ordinal: Int
    let event: CanonicalEvent
    let delivery: DeliveryRow
    let zone: TimeZone

    init(_ placed: Mapping.Reading.Placed, of delivery: DeliveryRow, in zone: TimeZone, _ store: Store) {
        id = store.newID()
        ordinal = placed.ordinal
        event = placed.event
        self.delivery = delivery
        self.zone = zone
    }

    /// A ping names nobody; it settles in a lane of its own.
    private var externalID: String { event.person?.externalID.description ?? "ping" }
    private var dueAt: Timestamp { event.actsAt(in: zone) ?? delivery.storedAt }
    private var heldFor: String? { delivery.isHeld ? DeliveryMapping.unprovedBody : nil }

    static func insert(_ events: [MappedEvent], at now: Timestamp, in organization: OrganizationID) -> SQL {
        """
        INSERT INTO events (organization_id, id, delivery_id, ordinal, source_id, external_id, kind, sender_event_id,
            occurred_at, effective_at, position_at, sequence, person, status, reason, due_at, created_at)
        SELECT \(organization), e.id, e.delivery_id, e.ordinal, e.source_id, e.external_id, e.kind, e.sender_event_id,
            e.occurred_at, e.effective_at, e.position_at, e.sequence, e.person,
            CASE WHEN e.reason IS NULL THEN 'pending' ELSE 'held' END, e.reason, e.due_at, \(now)
        FROM unnest(\(events.map(\.id)), \(events.map(\.delivery.id)), \(events.map { Int32($0.ordinal) }),
            \(events.map(\.delivery.source)), \(events.map(\.externalID)), \(events.map(\.event.kind.rawValue)),
            \(events.map(\.event.senderID)), \(events.map(\.event.occurredAt)),
            \(events.map { $0.event.effectiveAt?.instant(in: $0.zone) }),
            \(events.map { $0.event.positionTime(storedAt: $0.delivery.storedAt, in: $0.zone) }),
            \(events.map(\.delivery.sequence)),
            \(events.map { PostgresJSON($0.event.person?.attributes ?? [:]) }), \(events.map(\.heldFor)),
            \(events.map(\.dueAt)))
            AS e(id, delivery_id, ordinal, source_id, external_id, kind, sender_event_id, occurred_at, effective_at,
                position_at, sequence, person, reason, due_at)
        """
    }

    /// In the lanes' order, so that two workers never wait for each other in a circle.
    static func wakeLanes(_ events: [MappedEvent], in organization: OrganizationID) -> SQL {
        """
        INSERT INTO lanes AS l (organization_id, source_id, external_id, ready_at)
        SELECT \(organization), e.source_id, e.external_id, min(e.due_at)
        FROM unnest(\(events.map(\.delivery.source)), \(events.map(\.externalID)), \(events.map(\.dueAt)))
            AS e(source_id, external_id, due_at)
        GROUP BY e.source_id, e.external_id
        ORDER BY e.source_id, e.external_id
        ON CONFLICT (source_id, external_id)
            DO UPDATE SET ready_at = least(l.ready_at, excluded.ready_at)
        """
    }
}
