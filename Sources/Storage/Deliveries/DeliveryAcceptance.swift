package import Domain
package import Postgres
package import Transparency

/// Keeping a delivery whose signature was verified. Accepting the same one again has no second effect and the same
/// answer.
package struct DeliveryAcceptance: Change {
    package let id: DeliveryID
    package let source: SourceID
    package let receivedAt: Timestamp
    package let signedAt: Timestamp?
    /// 1 to 64 bytes: the signed id, or a digest, as the profile says.
    package let deduplication: [UInt8]
    /// Credentials among them are keyed digests already.
    package let headers: JSON.Object
    package let body: [UInt8]
    package let key: SourceKeyID?
    /// Whether the proof covers the body. Events of one that it does not cover are held until an admin decided.
    package let isBodyProved: Bool
    /// Whether the key's last use is to be written with it: once a minute, not for each delivery.
    package let notesKeyUse: Bool
    package let request: RequestID
    package let attribution: Attribution
    /// That of a request which was received earlier and is accepted late; nil: behind everything that was stored before.
    var place: Place?

    /// Where a delivery stands among those of its source that carry no time of their own.
    struct Place: Sendable {
        let storedAt: Timestamp
        let sequence: Int64
    }

    package init(
        id: DeliveryID,
        source: SourceID,
        receivedAt: Timestamp,
        signedAt: Timestamp?,
        deduplication: [UInt8],
        headers: JSON.Object,
        body: [UInt8],
        key: SourceKeyID?,
        isBodyProved: Bool = true,
        notesKeyUse: Bool = false,
        request: RequestID,
        attribution: Attribution
    ) {
        self.id = id
        self.source = source
        self.receivedAt = receivedAt
        self.signedAt = signedAt
        self.deduplication = deduplication
        self.headers = headers
        self.body = body
        self.key = key
        self.isBodyProved = isBodyProved
        self.notesKeyUse = notesKeyUse
        self.request = request
        self.attribution = attribution
    }

    /// Which delivery stands for it.
    package struct Receipt: Sendable, Hashable {
        package let delivery: DeliveryID
        package let isDuplicate: Bool
    }

    package static func opening(_ changes: [DeliveryAcceptance], in organization: OrganizationID) -> [SQL] {
        [insert(changes, in: organization)]
    }

    package static func make(
        _ changes: [DeliveryAcceptance],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Receipt>] {
        try await receipts(of: changes, insertedAs: transaction.opened[0], in: transaction)
    }

    /// The same as a part of another change's transaction.
    static func keep(
        _ changes: [DeliveryAcceptance],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Receipt>] {
        let rows = try await transaction.query(insert(changes, in: transaction.organization))
        return try await receipts(of: changes, insertedAs: rows, in: transaction)
    }

    private static func receipts(
        of changes: [DeliveryAcceptance],
        insertedAs rows: PostgresRows,
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Receipt>] {
        let inserted = Set(try rows.map { try $0.decode("id", as: DeliveryID.self) })
        let duplicates = changes.filter { !inserted.contains($0.id) }
        let originals = duplicates.isEmpty ? [:] : try await originals(of: duplicates, in: transaction)
        return try changes.map { change in
            if inserted.contains(change.id) {
                return .done(Receipt(delivery: change.id, isDuplicate: false), [change.entry])
            }
            guard let original = originals[Identity(change.source, change.deduplication)] else {
                throw ImpossibleRows(description: "deliveries has neither the delivery nor the one it repeats")
            }
            return .done(Receipt(delivery: original, isDuplicate: true), [])
        }
    }

    private var entry: Recorded {
        var attribution = attribution
        attribution.delivery = id
        let after: JSON.Object = [
            "source": .string(source.description), "key": .orNull(key), "bytes": .integer(body.count),
        ]
        return Recorded(
            AuditDraft(.deliveryAccepted, .delivery(id), authority: .source(source), after: after),
            by: attribution
        )
    }

    private struct Identity: Hashable {
        let source: SourceID
        let deduplication: [UInt8]

        init(_ source: SourceID, _ deduplication: [UInt8]) {
            self.source = source
            self.deduplication = deduplication
        }
    }

    private static func insert(_ changes: [DeliveryAcceptance], in organization: OrganizationID) -> SQL {
        let origins = changes.map(\.attribution.origin)
        return keyUses(of: changes) + """
            INSERT INTO deliveries (organization_id, id, source_id, received_at, signed_at, deduplication, headers, body,
                key_id, body_proved, request_id, trace_id, client_address, user_agent, status, stored_at, sequence)
            OVERRIDING SYSTEM VALUE
            SELECT \(organization), d.id, d.source_id, d.received_at, d.signed_at, d.deduplication, d.headers, d.body,
                d.key_id, d.body_proved, d.request_id, d.trace_id, d.client_address, d.user_agent, 'accepted',
                coalesce(d.stored_at, clock_timestamp()), coalesce(d.sequence, nextval('deliveries_sequence_seq'))
            FROM unnest(\(changes.map(\.id)), \(changes.map(\.source)), \(changes.map(\.receivedAt)),
                \(changes.map(\.signedAt)), \(changes.map(\.deduplication)),
                \(changes.map { PostgresJSON($0.headers) }), \(changes.map(\.body)), \(changes.map(\.key)),
                \(changes.map(\.isBodyProved)), \(changes.map(\.request)), \(origins.map(\.trace)),
                \(origins.map { $0.address?.description }), \(origins.map(\.userAgent)),
                \(changes.map(\.place?.storedAt)), \(changes.map(\.place?.sequence)))
                AS d(id, source_id, received_at, signed_at, deduplication, headers, body, key_id, body_proved, request_id,
                    trace_id, client_address, user_agent, stored_at, sequence)
            ON CONFLICT ON CONSTRAINT deliveries_once DO NOTHING
            RETURNING id
            """
    }

    /// Goes with the deliveries in one statement, and waits for nobody: a key that is being changed is noted next time.
    private static func keyUses(of changes: [DeliveryAcceptance]) -> SQL {
        let noted = changes.filter(\.notesKeyUse)
        guard let newest = noted.map(\.receivedAt).max() else { return "" }
        return """
            WITH used AS (
                UPDATE source_keys SET last_used_at = greatest(last_used_at, \(newest))
                WHERE id IN (SELECT k.id FROM source_keys k WHERE k.id = ANY(\(noted.compactMap(\.key)))
                    FOR NO KEY UPDATE SKIP LOCKED))

            """
    }

    private static func originals(
        of duplicates: [DeliveryAcceptance],
        in transaction: OrganizationTransaction
    ) async throws -> [Identity: DeliveryID] {
        let rows = try await transaction.query(
            """
            SELECT d.id, d.source_id, d.deduplication FROM deliveries d
            JOIN unnest(\(duplicates.map(\.source)), \(duplicates.map(\.deduplication)))
                AS wanted(source_id, deduplication) USING (source_id, deduplication)
            """
        )
        var originals: [Identity: DeliveryID] = [:]
        for row in rows {
            originals[Identity(try row.decode("source_id"), try row.decode("deduplication"))] = try row.decode("id")
        }
        return originals
    }
}
