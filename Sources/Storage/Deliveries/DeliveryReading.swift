package import Domain
import Postgres
package import Transparency

/// A delivery as it is shown: what came, what proved it, and what it said.
package struct DeliveryView: Sendable {
    package let id: DeliveryID
    package let source: SourceID
    package let status: DeliveryStatus
    /// Why it could not be mapped, with a JSON pointer.
    package let reason: String?
    package let signedAt: Timestamp?
    package let receivedAt: Timestamp
    package let key: SourceKeyID?
    /// Credentials among them are keyed digests.
    package let headers: JSON.Object
    package let bytes: Int64
    package let request: RequestID
    /// As recorded.
    package let clientAddress: String?
    package let userAgent: String?
    /// In the delivery's order; empty until it is mapped.
    package let events: [Event]
    /// Only where it was asked for.
    package let body: [UInt8]?

    /// An event of a delivery, in short.
    package struct Event: Sendable {
        package let id: EventID
        package let kind: EventKind
        package let status: EventStatus
    }
}

/// How far a delivery got.
package enum DeliveryStatus: String, Sendable, CaseIterable {
    /// Verified and kept; its events are not made yet.
    case accepted
    case mapped
    /// It says nothing that could be read.
    case unmapped
}

extension OrganizationTransaction {
    /// The next deliveries behind `after`, newest first, without their bodies.
    package func deliveries(after: DeliveryID?, most: Int) async throws -> [DeliveryView] {
        let rows = try await query(
            """
            SELECT id, source_id, status, reason, signed_at, received_at, key_id, headers, length(body)::bigint AS bytes,
                request_id, client_address, user_agent, NULL::bytea AS body
            FROM deliveries WHERE id < \(after ?? .highest)
            ORDER BY id DESC LIMIT \(most)
            """
        )
        return try await withEvents(rows)
    }

    /// nil where the organization has none of that id.
    package func delivery(_ id: DeliveryID, withBody: Bool) async throws -> DeliveryView? {
        let rows = try await query(
            """
            SELECT id, source_id, status, reason, signed_at, received_at, key_id, headers, length(body)::bigint AS bytes,
                request_id, client_address, user_agent, CASE WHEN \(withBody) THEN body END AS body
            FROM deliveries WHERE id = \(id)
            """
        )
        return try await withEvents(rows).first
    }

    private func withEvents(_ rows: PostgresRows) async throws -> [DeliveryView] {
        let ids = try rows.map { try $0.decode("id", as: DeliveryID.self) }
        guard !ids.isEmpty else { return [] }
        let found = try await query(
            "SELECT delivery_id, id, kind, status FROM events WHERE delivery_id = ANY(\(ids)) ORDER BY delivery_id, ordinal"
        )
        var events: [DeliveryID: [DeliveryView.Event]] = [:]
        for row in found {
            events[try row.decode("delivery_id"), default: []].append(
                DeliveryView.Event(
                    id: try row.decode("id"),
                    kind: try row.word("kind"),
                    status: try row.word("status")
                )
            )
        }
        return try rows.map { try DeliveryView(row: $0, events: events) }
    }
}

extension DeliveryView {
    fileprivate init(row: PostgresRow, events: [DeliveryID: [Event]]) throws {
        let id = try row.decode("id", as: DeliveryID.self)
        self.init(
            id: id,
            source: try row.decode("source_id"),
            status: try row.word("status"),
            reason: try row.decode("reason"),
            signedAt: try row.decode("signed_at"),
            receivedAt: try row.decode("received_at"),
            key: try row.decode("key_id"),
            headers: try row.jsonObject("headers"),
            bytes: try row.decode("bytes"),
            request: try row.decode("request_id"),
            clientAddress: try row.decode("client_address"),
            userAgent: try row.decode("user_agent"),
            events: events[id] ?? [],
            body: try row.decode("body")
        )
    }
}
