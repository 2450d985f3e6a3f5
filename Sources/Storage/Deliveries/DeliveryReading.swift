package import Domain
import Postgres
package import Transparency

/// A delivery as it is shown: what came, what proved it, and what it said.
package struct DeliveryView: Sendable {
    package let id: DeliveryID
    package let source: SourceID
    package let status: DeliveryStatus
    /// Why it, or a part of it, could not be mapped; empty where all of it could.
    package let reasons: [Reason]
    package let signedAt: Timestamp?
    package let receivedAt: Timestamp
    package let key: SourceKeyID?
    /// Credentials among them are keyed digests.
    package let headers: JSON.Object
    package let bytes: Int64
    /// Where the body is no longer kept: what it was, since when, and whether for its age or for somebody's erasure.
    package let removed: RemovedBody?
    package let request: RequestID
    /// As recorded.
    package let clientAddress: String?
    package let userAgent: String?
    /// How often one came that cannot be told from it, of a sender that signs neither an id nor a time, and the last time.
    package let repeated: Int64
    package let repeatedAt: Timestamp?
    /// In the delivery's order; empty until it is mapped.
    package let events: [Event]
    /// Only where it was asked for.
    package let body: [UInt8]?

    /// What is left of a body.
    package struct RemovedBody: Sendable {
        package let sha256: [UInt8]
        package let at: Timestamp
        package let by: Cause

        /// Raw values stand in the table and in answers.
        package enum Cause: String, Sendable, CaseIterable {
            case expiry
            case erasure
        }
    }

    /// Why something of a delivery could not be mapped. Holds no value of the payload.
    package struct Reason: Sendable, Hashable {
        /// RFC 6901, into the payload; empty for the whole.
        package let pointer: String
        package let text: String

        /// As it is kept and shown.
        package var json: JSON.Object { ["pointer": .string(pointer), "reason": .string(text)] }
    }

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
    /// Some of its events are made, and some of it could not be read.
    case partlyMapped = "partly_mapped"
    /// It says nothing that could be read.
    case unmapped
}

extension OrganizationTransaction {
    /// The next deliveries behind `after`, newest first, without their bodies; of one source where it is named.
    package func deliveries(of source: SourceID? = nil, after: DeliveryID?, most: Int) async throws -> [DeliveryView] {
        let rows = try await query(Self.listing(of: source, after: after, most: most))
        return try await withEvents(rows)
    }

    /// Two statements, so that each has the index that it needs.
    private static func listing(of source: SourceID?, after: DeliveryID?, most: Int) -> SQL {
        let behind: SQL = " WHERE id < \(after ?? .highest)"
        let named: SQL = source.map { " AND source_id = \($0)" } ?? ""
        return deliveryColumns + ", NULL::bytea AS body FROM deliveries" + behind + named
            + " ORDER BY id DESC LIMIT \(most)"
    }

    private static var deliveryColumns: SQL {
        """
        SELECT id, source_id, status, reasons, signed_at, received_at, key_id, headers,
            coalesce(body_bytes, length(body)) AS bytes, body_digest, body_removed_at, body_removed_by, request_id,
            client_address, user_agent, repeated, repeated_at
        """
    }

    /// nil where the organization has none of that id.
    package func delivery(_ id: DeliveryID, withBody: Bool) async throws -> DeliveryView? {
        let rows = try await query(
            Self.deliveryColumns + ", CASE WHEN \(withBody) THEN body END AS body FROM deliveries WHERE id = \(id)"
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
            reasons: try Reason.read(row),
            signedAt: try row.decode("signed_at"),
            receivedAt: try row.decode("received_at"),
            key: try row.decode("key_id"),
            headers: try row.jsonObject("headers"),
            bytes: try row.decode("bytes"),
            removed: try RemovedBody(row),
            request: try row.decode("request_id"),
            clientAddress: try row.decode("client_address"),
            userAgent: try row.decode("user_agent"),
            repeated: try row.decode("repeated"),
            repeatedAt: try row.decode("repeated_at"),
            events: events[id] ?? [],
            body: try row.decode("body")
        )
    }
}

extension DeliveryView.RemovedBody {
    fileprivate init?(_ row: PostgresRow) throws {
        guard let at = try row.decode("body_removed_at", as: Timestamp?.self) else { return nil }
        self.init(sha256: try row.decode("body_digest"), at: at, by: try row.word("body_removed_by"))
    }
}

extension DeliveryView.Reason {
    fileprivate static func read(_ row: PostgresRow) throws -> [DeliveryView.Reason] {
        guard let json = try row.decode("reasons", as: PostgresJSON?.self) else { return [] }
        return try (JSON.parse(Array(json.text.utf8)).array ?? []).map { told in
            DeliveryView.Reason(pointer: told["pointer"]?.string ?? "", text: told["reason"]?.string ?? "")
        }
    }
}
