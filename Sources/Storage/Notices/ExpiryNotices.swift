package import Domain
import Postgres
import Transparency

/// Telling that a grant or token runs out in 14, 7 or 1 days: once each, as an entry of the log.
package struct ExpiryNotices: ClaimedWork {
    /// What runs out, and when.
    package struct Item: Sendable {
        let subject: Subject
        let days: Int32
        let expiresAt: Timestamp
        let person: PersonID?

        enum Subject: Sendable {
            case grant(GrantID)
            case token(TokenID)
        }
    }

    package init() {}

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<Item>? {
        let rows = try await transaction.query(
            "SELECT organization_id, id, noun, days, expires_at, person_id FROM next_expiring(\(Int32(most)))"
        )
        guard let first = rows.first else { return nil }
        return Claimed(organization: try first.decode("organization_id"), items: try rows.map { try Item(row: $0) })
    }

    package func make(_ items: [Item], in transaction: OrganizationTransaction) async throws -> [Recorded] {
        _ = try await transaction.query(
            """
            INSERT INTO notices (organization_id, noun, subject_id, expires_at, days, noticed_at)
            SELECT \(transaction.organization), n.noun, n.id, n.expires_at, n.days, \(transaction.startedAt)
            FROM unnest(\(items.map(\.noun)), \(items.map(\.bits)), \(items.map(\.expiresAt)), \(items.map(\.days)))
                AS n(noun, id, expires_at, days)
            """
        )
        let attribution = Attribution(actor: .system("notices"), receivedAt: transaction.startedAt)
        return items.map { Recorded($0.draft, by: attribution) }
    }

    /// Nothing to record: it is found again at the next look.
    package func recordFailure(
        of item: Item,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] { [] }
}

extension ExpiryNotices.Item {
    fileprivate init(row: PostgresRow) throws {
        subject =
            try row.decode("noun", as: String.self) == "grant"
            ? .grant(try row.decode("id")) : .token(try row.decode("id"))
        days = try row.decode("days")
        expiresAt = try row.decode("expires_at")
        person = try row.decode("person_id")
    }

    fileprivate var noun: String {
        switch subject {
        case .grant: "grant"
        case .token: "token"
        }
    }

    fileprivate var bits: IDBits {
        switch subject {
        case .grant(let id): IDBits(high: id.high, low: id.low)
        case .token(let id): IDBits(high: id.high, low: id.low)
        }
    }

    fileprivate var draft: AuditDraft {
        let after: JSON.Object = ["days": .integer(Int(days)), "expires_at": .string(expiresAt.description)]
        return switch subject {
        case .grant(let id): AuditDraft(.grantExpiring, .grant(id), after: after, person: person)
        case .token(let id): AuditDraft(.tokenExpiring, .token(id), after: after, person: person)
        }
    }
}

/// Settling requests that nobody decided in time.
package struct ApprovalExpiry: ClaimedWork {
    package init() {}

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<ApprovalID>? {
        try await transaction.claim("SELECT organization_id, id FROM next_expired_approvals(\(Int32(most)))")
    }

    package func make(_ items: [ApprovalID], in transaction: OrganizationTransaction) async throws -> [Recorded] {
        _ = try await transaction.query(
            """
            UPDATE approvals SET status = 'expired', decided_at = \(transaction.startedAt)
            WHERE id = ANY(\(items)) AND status = 'pending'
            """
        )
        let attribution = Attribution(actor: .system("notices"), receivedAt: transaction.startedAt)
        return items.map { Recorded(AuditDraft(.approvalExpired, .approval($0)), by: attribution) }
    }

    /// Nothing to record: it is found again at the next look.
    package func recordFailure(
        of item: ApprovalID,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] { [] }
}
