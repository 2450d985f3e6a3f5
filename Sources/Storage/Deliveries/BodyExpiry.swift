package import Domain
import Postgres
import Transparency

/// Removes what deliveries said once it was kept for its time: of a body its SHA-256 and length stay, of headers nothing,
/// and of a settled event not what it says of its person. An event that still waits keeps that until it is settled. Nothing
/// that a hold names goes. One entry a source, with how many.
package struct BodyExpiry: ClaimedWork {
    private let lifetime: Duration

    /// How long bodies are kept where the operator did not say otherwise.
    package static let standardLifetime = Duration.seconds(90 * 86_400)

    package init(after lifetime: Duration = standardLifetime) { self.lifetime = lifetime }

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<DeliveryID>? {
        try await transaction.claim(
            """
            SELECT organization_id, id FROM next_expired_bodies(
                clock_timestamp() - \(lifetime.wholeMicroseconds) * interval '1 microsecond', \(Int32(most)))
            """
        )
    }

    package func make(_ items: [DeliveryID], in transaction: OrganizationTransaction) async throws -> [Recorded] {
        let results = try await transaction.pipeline([
            """
            UPDATE events SET person = NULL
            WHERE delivery_id = ANY(\(items)) AND status NOT IN ('pending', 'held') AND person IS NOT NULL
            """,
            """
            UPDATE deliveries d SET body = NULL, headers = '{}', body_digest = sha256(d.body),
                body_bytes = length(d.body), body_removed_at = \(transaction.startedAt), body_removed_by = 'expiry'
            WHERE d.id = ANY(\(items)) AND d.body IS NOT NULL RETURNING d.source_id
            """,
            """
            UPDATE deliveries d SET statements_remain = EXISTS (
                SELECT FROM events e WHERE e.delivery_id = d.id AND e.person IS NOT NULL)
            WHERE d.id = ANY(\(items))
            """,
        ])
        let sources = try results[1].map { try $0.decode("source_id", as: SourceID.self) }
        let attribution = Attribution(actor: .system("provisioning"), receivedAt: transaction.startedAt)
        return Dictionary(grouping: sources, by: \.self).sorted { $0.key < $1.key }.map { source, bodies in
            let draft = AuditDraft(.deliveryExpired, .source(source), after: ["count": .integer(bodies.count)])
            return Recorded(draft, by: attribution)
        }
    }

    package func recordFailure(
        of item: DeliveryID,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        throw error
    }
}
