package import Domain
import Postgres
import Transparency

/// An HR system connected to the organization. Its keys are named, never shown.
package struct SourceView: Sendable {
    package let id: SourceID
    package let slug: Slug
    package let profile: String
    package let mapping: String
    /// A name of the time zone database.
    package let timeZone: String
    package let status: SourceStatus
    /// From where its sender may post; nil: from anywhere; never empty.
    package let ipAllowList: [NetworkRange]?
    /// From whom and for whom its tokens have to be; ``TokenParties/any`` of a sender that pushes none.
    package let tokenParties: TokenParties
    /// nil: events of bodies that no proof covers are held.
    package let unprovedDecision: UnprovedDecision?
    package let user: UserID
    package let keys: [SourceKeyView]
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
}

/// That events of bodies which no proof covers may be applied for a source, and who said so.
package struct UnprovedDecision: Sendable, Hashable {
    package let by: UserID
    package let at: Timestamp
}

/// Whether a source's deliveries are taken, and whether what they say is applied.
package enum SourceStatus: String, Sendable, CaseIterable {
    case active
    /// Deliveries are accepted, kept and mapped; their events wait until it is active again.
    case paused
    /// Nothing is taken any more (410). What was accepted before is applied.
    case disabled
}

/// A key of a source, without its secret.
package struct SourceKeyView: Sendable {
    package let id: SourceKeyID
    package let label: String?
    package let notBefore: Timestamp?
    package let notAfter: Timestamp?
    /// When a delivery was last verified with it, to the minute.
    package let lastUsedAt: Timestamp?
    package let version: Int64
    package let createdAt: Timestamp
}

extension SourceView {
    /// The key with which a delivery was verified last; nil where none was.
    package var keyUsedLast: SourceKeyView? {
        keys.filter { $0.lastUsedAt != nil }.max { ($0.lastUsedAt ?? $0.createdAt) < ($1.lastUsedAt ?? $1.createdAt) }
    }
}

extension OrganizationTransaction {
    /// The next sources behind `after`, in the order of their ids, which is no order of time.
    package func sources(after: SourceID?, most: Int) async throws -> [SourceView] {
        let results = try await pipeline([
            Self.sourceColumns + """
                 WHERE id > \(after ?? .lowest)
                ORDER BY id LIMIT \(most)
                """,
            """
            SELECT k.source_id, k.id, k.label, k.not_before, k.not_after, k.last_used_at, k.version,
                k.created_at
            FROM source_keys k
            WHERE k.source_id IN (
                SELECT s.id FROM sources s WHERE s.id > \(after ?? .lowest) ORDER BY s.id LIMIT \(most))
            ORDER BY k.created_at, k.id
            """,
        ])
        return try Self.sources(results)
    }

    /// nil where the organization has none of that id.
    package func source(_ id: SourceID) async throws -> SourceView? {
        let results = try await pipeline([
            Self.sourceColumns + " WHERE id = \(id)",
            """
            SELECT source_id, id, label, not_before, not_after, last_used_at, version, created_at FROM source_keys
            WHERE source_id = \(id) ORDER BY created_at, id
            """,
        ])
        return try Self.sources(results).first
    }

    private static var sourceColumns: SQL {
        """
        SELECT id, slug, profile, mapping, time_zone, status, ip_allow_list, unproved_accepted_by, unproved_accepted_at,
            token_issuers, token_audiences, user_id, version, created_at, updated_at FROM sources
        """
    }

    private static func sources(_ results: [PostgresRows]) throws -> [SourceView] {
        var keys: [SourceID: [SourceKeyView]] = [:]
        for row in results[1] {
            keys[try row.decode("source_id"), default: []].append(try SourceKeyView(row: row))
        }
        return try results[0].map { row in
            try SourceView(row: row, keys: keys[try row.decode("id", as: SourceID.self)] ?? [])
        }
    }
}

extension SourceView {
    fileprivate init(row: PostgresRow, keys: [SourceKeyView]) throws {
        self.init(
            id: try row.decode("id"),
            slug: try row.parse("slug"),
            profile: try row.decode("profile"),
            mapping: try row.decode("mapping"),
            timeZone: try row.decode("time_zone"),
            status: try row.word("status"),
            ipAllowList: try row.networks("ip_allow_list"),
            tokenParties: try TokenParties(row: row),
            unprovedDecision: try UnprovedDecision(row: row),
            user: try row.decode("user_id"),
            keys: keys,
            version: try row.decode("version"),
            createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at")
        )
    }
}

extension TokenParties {
    /// Of a row with the columns `token_issuers` and `token_audiences`.
    init(row: PostgresRow) throws {
        self.init(issuers: try row.decode("token_issuers"), audiences: try row.decode("token_audiences"))
    }

    /// As entries tell them.
    var json: JSON.Object {
        let (issuers, audiences) = (issuers.map(Self.texts), audiences.map(Self.texts))
        return ["token_issuers": issuers ?? .null, "token_audiences": audiences ?? .null]
    }

    private static func texts(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
}

extension UnprovedDecision {
    fileprivate init?(row: PostgresRow) throws {
        guard let by = try row.decode("unproved_accepted_by", as: UserID?.self) else { return nil }
        self.init(by: by, at: try row.decode("unproved_accepted_at"))
    }
}

extension SourceKeyView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            label: try row.decode("label"),
            notBefore: try row.decode("not_before"),
            notAfter: try row.decode("not_after"),
            lastUsedAt: try row.decode("last_used_at"),
            version: try row.decode("version"),
            createdAt: try row.decode("created_at")
        )
    }
}
