package import Domain
import Postgres
package import Transparency

/// A rejected request as it is shown, without what it said.
package struct RejectedRequestView: Sendable {
    package let id: RejectedRequestID
    package let source: SourceID
    /// Of the latest verdict, in words of ``Domain/Verdict/Refusal``.
    package let reason: String
    package let receivedAt: Timestamp
    /// When it is removed, unless it becomes a delivery before.
    package let expiresAt: Timestamp
    /// Whether keys changed since the latest verdict, and it waits for another.
    package let isUnderReview: Bool
    package let bytes: Int64
    package let request: RequestID
    /// As recorded.
    package let clientAddress: String?
    package let userAgent: String?
}

/// What a rejected request said. Credentials among its headers are keyed digests.
package struct RejectedContent: Sendable {
    package let id: RejectedRequestID
    package let method: String
    package let url: String
    package let headers: JSON.Object
    package let body: [UInt8]
}

extension OrganizationTransaction {
    /// The next rejected requests behind `after`, newest first; of one source where it is named.
    package func rejectedRequests(
        of source: SourceID? = nil,
        after: RejectedRequestID?,
        most: Int
    ) async throws -> [RejectedRequestView] {
        let named: SQL = source.map { " AND source_id = \($0)" } ?? ""
        let rows = try await query(
            Self.rejectedColumns + " WHERE id < \(after ?? .highest)" + named + " ORDER BY id DESC LIMIT \(most)"
        )
        return try rows.map { try RejectedRequestView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func rejectedRequest(_ id: RejectedRequestID) async throws -> RejectedRequestView? {
        let rows = try await query(Self.rejectedColumns + " WHERE id = \(id)")
        return try rows.first.map { try RejectedRequestView(row: $0) }
    }

    /// What it said; nil where the organization has none of that id.
    package func rejectedContent(_ id: RejectedRequestID) async throws -> RejectedContent? {
        let rows = try await query("SELECT sealed FROM rejected_requests WHERE id = \(id)")
        guard let row = rows.first else { return nil }
        let place = KeptRequest.place(of: id, in: organization)
        let request = try KeptRequest.decode(try store.keyring.open(try row.decode("sealed"), for: place))
        return RejectedContent(
            id: id,
            method: request.method,
            url: request.url,
            headers: KeptHeaders.object(request.headers),
            body: request.body
        )
    }

    private static var rejectedColumns: SQL {
        """
        SELECT id, source_id, reason, received_at, stored_at, review, bytes::bigint AS bytes, request_id, client_address,
            user_agent
        FROM rejected_requests
        """
    }
}

extension RejectedRequestView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            source: try row.decode("source_id"),
            reason: try row.decode("reason"),
            receivedAt: try row.decode("received_at"),
            expiresAt: try row.decode("stored_at", as: Timestamp.self) + RejectedRequest.lifetime,
            isUnderReview: try row.decode("review"),
            bytes: try row.decode("bytes"),
            request: try row.decode("request_id"),
            clientAddress: try row.decode("client_address"),
            userAgent: try row.decode("user_agent")
        )
    }
}
