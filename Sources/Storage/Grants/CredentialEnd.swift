package import Domain
import Postgres
import Transparency

/// Ending one thing by which a grant's client proves who it is, at once, with the tokens that it bought: a secret, be it
/// the current one or one that works on beside it, or the registered keys. By an admin, or by the custodian, for whom
/// every other grant is not there. Unlike a new secret it is never blocked: who ends something takes nothing.
package struct CredentialEnd: Change {
    private let grant: GrantID
    private let credential: Credential
    private let custodian: UserID?
    private let attribution: Attribution

    /// What ends.
    package enum Credential: Sendable {
        case secret(GrantSecretID)
        case keys
    }

    /// `custodian` is who calls, where they do it because they keep the grant's secret; nil for an admin.
    package init(of grant: GrantID, _ credential: Credential, custodian: UserID?, by attribution: Attribution) {
        self.grant = grant
        self.credential = credential
        self.custodian = custodian
        self.attribution = attribution
    }

    package static func make(
        _ changes: [CredentialEnd],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<GrantView>] {
        var made: [Made<GrantView>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<GrantView> {
        let now = transaction.startedAt
        try await transaction.holdUser(of: grant)
        let rows = try await transaction.query(
            """
            SELECT g.status, u.person_id, u.custodian_id FROM grants g
            JOIN users u ON (u.organization_id, u.id) = (g.organization_id, g.user_id)
            WHERE g.id = \(grant) FOR NO KEY UPDATE OF g
            """
        )
        guard let row = rows.first else { return refused(.notFound, person: nil) }
        let person = try row.decode("person_id", as: PersonID?.self)
        let keeper = try row.decode("custodian_id", as: UserID?.self)
        guard custodian == nil || custodian == keeper else { return refused(.notFound, person: person) }
        guard try row.word("status", as: GrantStatus.self) != .ended else {
            return refused(.grantEnded, person: person)
        }
        let ending: SQL =
            switch credential {
            case .secret(let id):
                """
                UPDATE grant_secrets SET ended_at = \(now)
                WHERE id = \(id) AND grant_id = \(grant) AND ended_at IS NULL RETURNING id
                """
            case .keys: "DELETE FROM grant_keys WHERE grant_id = \(grant) RETURNING id"
            }
        guard try await !transaction.query(ending).isEmpty else { return refused(.notFound, person: person) }
        // Tokens name what they were bought with, and are judged by it: no walk over them.
        transaction.narrow(.grant(grant))
        _ = try await transaction.query(
            "UPDATE grants SET version = version + 1, updated_at = \(now) WHERE id = \(grant)"
        )
        guard let after = try await transaction.grant(grant) else { return refused(.notFound, person: person) }
        var draft = draft(person: person)
        draft.authority = custodian == nil ? .scope(.grantsWrite) : .custodian
        return .done(after, [Recorded(draft, by: attribution)])
    }

    private func draft(person: PersonID?) -> AuditDraft {
        switch credential {
        case .secret(let id):
            AuditDraft(.secretEnded, .grant(grant), after: ["secret": .string(id.description)], person: person)
        case .keys: AuditDraft(.grantKeysRemoved, .grant(grant), person: person)
        }
    }

    private func refused(_ reason: AccessRefusal, person: PersonID?) -> Made<GrantView> {
        var draft = draft(person: person)
        draft.outcome = .refused
        draft.reason = reason.rawValue
        return .refused(reason, [Recorded(draft, by: attribution)])
    }
}
