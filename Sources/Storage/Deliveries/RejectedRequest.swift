import Crypto
package import Domain
import Foundation
import Postgres
import Transparency

/// A request whose proof was in good form and did not hold, on its way into its row.
///
/// It is kept so that what a genuine sender sent while a key here was wrong can be verified again after the key was
/// corrected. It is nothing but that: no other part of Rollcall acts on it.
package struct RejectedRequest: Sendable {
    package let id: RejectedRequestID
    package let source: SourceID
    package let receivedAt: Timestamp
    package let reason: Verdict.Refusal
    /// Of the keys that it was judged by: where others have come since, it is judged again.
    package let keysVersion: Int64
    /// Credentials among its headers are keyed digests already.
    package let request: HookRequest
    package let origin: Attribution.Origin

    /// Requests and bytes that one source may have here, and requests of one client network among them. What comes when
    /// there is no room is dropped: who floods must not push out what is genuine.
    package static let mostRequests = 1_000
    package static let mostBytes = 16 << 20
    package static let mostRequestsOfNetwork = 500
    /// How long one is kept.
    package static let lifetime = Duration.seconds(7 * 86_400)

    package init(
        id: RejectedRequestID,
        source: SourceID,
        receivedAt: Timestamp,
        reason: Verdict.Refusal,
        keysVersion: Int64,
        request: HookRequest,
        origin: Attribution.Origin
    ) {
        self.id = id
        self.source = source
        self.receivedAt = receivedAt
        self.reason = reason
        self.keysVersion = keysVersion
        self.request = request
        self.origin = origin
    }

    /// What it needs in memory, about.
    var bytes: Int {
        request.headers.reduce(request.body.count + request.url.utf8.count) {
            $0 + $1.name.utf8.count + $1.value.utf8.count
        }
    }

    /// The network that shares one quota: a /24 or a /48, since a /48 is what one site is given.
    var network: String { ClientNetwork.of(origin.address)?.description ?? "unknown" }

    /// The same for the same bytes under the same headers.
    var digest: [UInt8] { Array(SHA256.hash(data: KeptRequest.encode(request))) }
}

/// The networks by which callers that prove nothing are told apart.
package enum ClientNetwork {
    /// nil for an unknown address.
    package static func of(_ address: IPAddress?) -> NetworkRange? {
        address.flatMap { NetworkRange(around: $0, prefixLength: $0.isIPv4 ? 24 : 48) }
    }
}

/// A request as it is sealed: the length of its head as four bytes, most significant first, the head as JSON, the body.
enum KeptRequest {
    static func encode(_ request: HookRequest) -> [UInt8] {
        let head: JSON = [
            "method": .string(request.method), "url": .string(request.url),
            "headers": .array(request.headers.map { [.string($0.name), .string($0.value)] }),
        ]
        let bytes = head.bytes
        return (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) } + bytes + request.body
    }

    static func decode(_ bytes: [UInt8]) throws -> HookRequest {
        let length = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count >= 4 + length else { throw ImpossibleRows(description: "a rejected request ends too early") }
        let head = try JSON.parse(Array(bytes[4..<4 + length]))
        guard let method = head["method"]?.string, let url = head["url"]?.string, let headers = head["headers"]?.array
        else { throw ImpossibleRows(description: "a rejected request has another head") }
        return HookRequest(
            method: method,
            url: url,
            headers: headers.compactMap(\.array).map { ($0.first?.string ?? "", $0.last?.string ?? "") },
            body: Array(bytes[(4 + length)...])
        )
    }

    static func place(of id: RejectedRequestID, in organization: OrganizationID) -> SealedPlace {
        SealedPlace(organization: organization, row: id.description, field: "rejected_requests.sealed")
    }
}

/// Keeping rejected requests of one organization. That they were refused is told by the summary of their minute.
struct RejectedKeeping: Change {
    let request: RejectedRequest

    /// What became of it.
    enum Output {
        case kept
        /// The same bytes are kept already.
        case known
        /// There is no room for it, or no such source any more.
        case noRoom
    }

    static func make(
        _ changes: [RejectedKeeping],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Output>] {
        let store = transaction.store
        // In one order of sources on every node, so that no two wait for each other's quotas.
        let order = changes.indices.sorted { changes[$0].request.source < changes[$1].request.source }
        let statements = try order.map { place in
            let request = changes[place].request
            let sealed = try store.keyring.seal(
                KeptRequest.encode(request.request),
                for: KeptRequest.place(of: request.id, in: transaction.organization),
                using: store.randomness
            )
            return insert(request, sealed, in: transaction.organization)
        }
        let results = try await transaction.pipeline(statements)
        var outputs = [Output](repeating: .noRoom, count: changes.count)
        for (place, rows) in zip(order, results) where rows.affected == 1 { outputs[place] = .kept }
        let others = changes.indices.filter { outputs[$0] == .noRoom }
        let found = try await transaction.pipeline(others.map { isKnown(changes[$0].request) })
        for (place, rows) in zip(others, found) where !rows.isEmpty { outputs[place] = .known }
        return outputs.map { .done($0, []) }
    }

    private static func isKnown(_ request: RejectedRequest) -> SQL {
        """
        SELECT id FROM rejected_requests WHERE source_id = \(request.source) AND digest = \(request.digest) LIMIT 1
        """
    }

    /// One statement takes the room and fills it. The quota's row is locked by whoever comes first, and its bounds are
    /// compared with what that one left, so that no number of writers gets past them. The source is locked before it, as
    /// a change of keys locks it: whoever comes second sees the other.
    private static func insert(_ request: RejectedRequest, _ sealed: [UInt8], in organization: OrganizationID) -> SQL {
        """
        WITH source AS MATERIALIZED (
            SELECT s.id, s.keys_version FROM sources s WHERE s.id = \(request.source) FOR SHARE),
        room AS (
            INSERT INTO rejected_quotas AS q (organization_id, source_id, requests, bytes, networks)
            SELECT \(organization), source.id, 1, \(Int64(sealed.count)), jsonb_build_object(\(request.network), 1)
            FROM source WHERE NOT EXISTS (
                SELECT FROM rejected_requests r WHERE r.source_id = source.id AND r.digest = \(request.digest))
            ON CONFLICT (source_id) DO UPDATE SET requests = q.requests + 1, bytes = q.bytes + excluded.bytes,
                networks = q.networks || jsonb_build_object(\(request.network),
                    coalesce((q.networks ->> \(request.network))::integer, 0) + 1)
            WHERE q.requests < \(Int32(RejectedRequest.mostRequests))
                AND q.bytes + excluded.bytes <= \(Int64(RejectedRequest.mostBytes))
                AND coalesce((q.networks ->> \(request.network))::integer, 0)
                    < \(Int32(RejectedRequest.mostRequestsOfNetwork))
            RETURNING source_id)
        INSERT INTO rejected_requests (organization_id, id, source_id, received_at, reason, digest, sealed, bytes, network,
            request_id, trace_id, client_address, user_agent, review)
        SELECT \(organization), \(request.id), room.source_id, \(request.receivedAt), \(request.reason.rawValue),
            \(request.digest), \(sealed), \(Int32(sealed.count)), \(request.network), \(request.origin.request),
            \(request.origin.trace), \(request.origin.address?.description), \(request.origin.userAgent),
            source.keys_version <> \(request.keysVersion)
        FROM room JOIN source ON source.id = room.source_id
        """
    }
}

extension OrganizationTransaction {
    /// Brings the quotas of sources to what is there, after rows were removed. In two steps, so that the second sees what
    /// was committed before the lock was had.
    func recountRejected(of sources: [SourceID]) async throws {
        let sources = Set(sources).sorted()
        _ = try await query(
            """
            SELECT q.source_id FROM rejected_quotas q WHERE q.source_id = ANY(\(sources)) ORDER BY q.source_id FOR UPDATE
            """
        )
        _ = try await query(
            """
            UPDATE rejected_quotas q SET
                requests = (SELECT count(*) FROM rejected_requests r WHERE r.source_id = q.source_id),
                bytes = (SELECT coalesce(sum(r.bytes), 0) FROM rejected_requests r WHERE r.source_id = q.source_id),
                networks = coalesce((SELECT jsonb_object_agg(n.network, n.requests) FROM (
                    SELECT r.network, count(*) AS requests FROM rejected_requests r
                    WHERE r.source_id = q.source_id GROUP BY r.network) n), '{}')
            WHERE q.source_id = ANY(\(sources))
            """
        )
    }
}
