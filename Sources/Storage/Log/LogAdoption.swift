package import Domain
import Postgres
import Transparency

/// An operator's decision that a halted log goes on as the database has it. The copy outside was replaced before
/// (`Store.adoptLog`).
package struct LogAdoption: SingleChange {
    package typealias Output = LogView

    private let organization: OrganizationID
    private let attribution: Attribution

    /// By an operator alone, with the owner's connection.
    package init(of organization: OrganizationID, by attribution: Attribution) {
        self.organization = organization
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (LogView, [Recorded]) {
        guard let before = try await transaction.log() else { throw ChangeRefusal.notFound }
        guard let halted = before.halted else { throw ChangeRefusal.conflict("The log is not halted.") }
        _ = try await transaction.query(
            "UPDATE audit_logs SET halted = NULL, halted_at = NULL WHERE organization_id = \(organization)"
        )
        let draft = AuditDraft(
            .logAdopted,
            .organization(organization),
            reason: halted,
            authority: .operatorAccess,
            after: [
                "size": .integer(before.size),
                "root": .string(before.root.base64),
                "checkpoint_size": .integer(before.signed?.checkpoint.size ?? 0),
            ]
        )
        return (before, [Recorded(draft, by: attribution)])
    }
}
