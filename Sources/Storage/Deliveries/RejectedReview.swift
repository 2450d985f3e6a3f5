package import Domain
import Postgres
import Transparency

/// Verifies rejected requests again after the keys of their source, or the parties of its tokens, changed: against the time at which they were received,
/// with the keys of now. Those that hold become deliveries like any other: the same deduplication, the same holding of
/// what no proof covers, the same mapping. They stand where they were received: what came after them is newer.
///
/// A request of a disabled source stays as it is; it is looked at when the source is enabled again.
package struct RejectedReview: ClaimedWork {
    private let profiles: [String: SigningProfile]

    /// By the names by which sources choose them.
    package init(profiles: [String: SigningProfile]) {
        self.profiles = profiles
    }

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<RejectedRequestID>? {
        try await transaction.claim("SELECT organization_id, id FROM next_rejected(\(Int32(most)))")
    }

    package func make(
        _ items: [RejectedRequestID],
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        let rows = try await transaction.query(
            """
            SELECT r.id, r.source_id, r.received_at, r.stored_at, r.sequence, r.sealed, r.request_id, r.trace_id, r.client_address, r.user_agent,
                r.reason, s.profile, s.user_id, s.status, s.token_issuers, s.token_audiences
            FROM rejected_requests r JOIN sources s ON s.id = r.source_id
            WHERE r.id = ANY(\(items)) ORDER BY r.received_at, r.id
            """
        )
        var keys: [SourceID: [SigningKey]] = [:]
        var accepted: [(id: RejectedRequestID, delivery: DeliveryAcceptance)] = []
        var refused: [(id: RejectedRequestID, reason: String)] = []
        for row in rows {
            let kept = try RejectedRow(row, in: transaction)
            guard let profile = profiles[kept.profile]?.expecting(kept.tokenParties), kept.sourceStatus != .disabled
            else {
                refused.append((kept.id, kept.reason))
                continue
            }
            if keys[kept.source] == nil {
                keys[kept.source] = try await transaction.hookKeys(of: kept.source).map {
                    try $0.signingKey(for: profile)
                }
            }
            let verdict = await verify(kept, by: profile, keys[kept.source] ?? [], in: transaction.store)
            switch verdict {
            case .accepted(let acceptance):
                accepted.append((kept.id, kept.delivery(as: acceptance, in: transaction.store)))
            // A credential that is kept as its digest no longer has the form of one.
            case .refused(.credentialMalformed): refused.append((kept.id, kept.reason))
            case .refused(let refusal): refused.append((kept.id, refusal.rawValue))
            }
        }
        return try await settle(accepted, refused, of: Array(keys.keys), in: transaction)
    }

    /// One that cannot be opened or written is not looked at again until the keys change once more.
    package func recordFailure(
        of item: RejectedRequestID,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        _ = try await transaction.query("UPDATE rejected_requests SET review = false WHERE id = \(item)")
        return []
    }

    private func verify(
        _ kept: RejectedRow,
        by profile: SigningProfile,
        _ keys: [SigningKey],
        in store: Store
    ) async -> Verdict {
        await SignatureVerifier.verify(
            profile: profile,
            request: kept.request,
            receivedAt: kept.receivedAt,
            keys: keys,
            credential: { presented, expected in store.keyring.matches(expected, headerDigest: presented) }
        )
    }

    private func settle(
        _ accepted: [(id: RejectedRequestID, delivery: DeliveryAcceptance)],
        _ refused: [(id: RejectedRequestID, reason: String)],
        of sources: [SourceID],
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        _ = try await transaction.query(
            """
            UPDATE rejected_requests r SET review = false, reason = v.reason
            FROM unnest(\(refused.map(\.id)), \(refused.map(\.reason))) AS v(id, reason) WHERE r.id = v.id
            """
        )
        guard !accepted.isEmpty else { return [] }
        let made = try await DeliveryAcceptance.keep(accepted.map(\.delivery), in: transaction)
        _ = try await transaction.query("DELETE FROM rejected_requests WHERE id = ANY(\(accepted.map(\.id)))")
        try await transaction.recountRejected(of: sources)
        var recorded: [Recorded] = []
        for ((id, delivery), made) in zip(accepted, made) {
            recorded += made.recorded
            recorded.append(try Self.entry(of: id, delivery, made.result.get(), at: transaction.startedAt))
        }
        return recorded
    }

    private static func entry(
        of id: RejectedRequestID,
        _ delivery: DeliveryAcceptance,
        _ receipt: DeliveryAcceptance.Receipt,
        at now: Timestamp
    ) -> Recorded {
        let after: JSON.Object = [
            "delivery": .string(receipt.delivery.description), "duplicate": .bool(receipt.isDuplicate),
            "source": .string(delivery.source.description), "key": .orNull(delivery.key),
        ]
        let draft = AuditDraft(
            .rejectedAccepted,
            .rejectedRequest(id),
            authority: .source(delivery.source),
            after: after
        )
        var attribution = Attribution(
            actor: .system("provisioning"),
            origin: delivery.attribution.origin,
            receivedAt: delivery.receivedAt
        )
        attribution.delivery = receipt.delivery
        return Recorded(draft, by: attribution)
    }
}

extension HookKey {
    /// Throws for a secret that the profile cannot use.
    package func signingKey(for profile: SigningProfile) throws(SigningKeyError) -> SigningKey {
        try SigningKey(
            secret: secret.reveal(),
            forms: profile.secretForms,
            id: id,
            label: label,
            notBefore: notBefore,
            notAfter: notAfter
        )
    }
}

/// What verifying again needs of a rejected request.
private struct RejectedRow {
    let id: RejectedRequestID
    let source: SourceID
    let receivedAt: Timestamp
    let reason: String
    let profile: String
    let sourceStatus: SourceStatus
    let tokenParties: TokenParties
    let request: HookRequest
    let attribution: Attribution
    let place: DeliveryAcceptance.Place

    init(_ row: PostgresRow, in transaction: OrganizationTransaction) throws {
        id = try row.decode("id")
        source = try row.decode("source_id")
        receivedAt = try row.decode("received_at")
        place = DeliveryAcceptance.Place(
            storedAt: try row.decode("stored_at"),
            sequence: try row.decode("sequence")
        )
        reason = try row.decode("reason")
        profile = try row.decode("profile")
        sourceStatus = try row.word("status")
        tokenParties = try TokenParties(row: row)
        let sealed = try row.decode("sealed", as: [UInt8].self)
        let place = KeptRequest.place(of: id, in: transaction.organization)
        request = try KeptRequest.decode(try transaction.store.keyring.open(sealed, for: place))
        var attribution = try Attribution(ofDelivery: row, id: transaction.store.newID())
        attribution.delivery = nil
        self.attribution = attribution
    }

    func delivery(as acceptance: Verdict.Acceptance, in store: Store) -> DeliveryAcceptance {
        var delivery = DeliveryAcceptance(
            id: store.newID(),
            source: source,
            receivedAt: receivedAt,
            signedAt: acceptance.signedAt,
            deduplication: acceptance.deduplication,
            headers: KeptHeaders.object(request.headers),
            body: request.body,
            key: acceptance.keyID,
            isBodyProved: acceptance.bodyIsProved,
            request: attribution.origin.request ?? store.newID(),
            attribution: attribution
        )
        delivery.place = place
        return delivery
    }
}

/// Removes rejected requests that were kept for ``RejectedRequest/lifetime``, with one entry a source.
package struct RejectedExpiry: ClaimedWork {
    package init() {}

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<RejectedRequestID>? {
        try await transaction.claim(
            """
            SELECT organization_id, id FROM next_expired_rejected(
                clock_timestamp() - \(RejectedRequest.lifetime.wholeMicroseconds) * interval '1 microsecond',
                \(Int32(most)))
            """
        )
    }

    package func make(
        _ items: [RejectedRequestID],
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        let removed = try await transaction.query(
            "DELETE FROM rejected_requests WHERE id = ANY(\(items)) RETURNING source_id"
        )
        let sources = try removed.map { try $0.decode("source_id", as: SourceID.self) }
        try await transaction.recountRejected(of: sources)
        let attribution = Attribution(actor: .system("provisioning"), receivedAt: transaction.startedAt)
        return Dictionary(grouping: sources, by: \.self).sorted { $0.key < $1.key }.map { source, requests in
            let draft = AuditDraft(.rejectedExpired, .source(source), after: ["count": .integer(requests.count)])
            return Recorded(draft, by: attribution)
        }
    }

    package func recordFailure(
        of item: RejectedRequestID,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        throw error
    }
}
