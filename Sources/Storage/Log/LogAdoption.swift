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
            after: Self.told(before)
        )
        return (before, [Recorded(draft, by: attribution)])
    }

    private static func told(_ log: LogView) -> JSON.Object {
        [
            "size": .integer(log.size), "root": .string(log.root.base64),
            "checkpoint_size": .integer(log.signed?.checkpoint.size ?? 0),
        ]
    }

    /// What an organization is told of the root log's adoption.
    package static func told(
        to organization: OrganizationID,
        of log: LogView,
        by attribution: Attribution
    ) -> Observation {
        Observation(
            AuditDraft(
                .logAdopted,
                .organization(organization),
                reason: log.halted,
                authority: .operatorAccess,
                after: told(log).merged(with: ["origin": .string(log.origin)])
            ),
            by: attribution
        )
    }
}

extension Store {
    /// Has the root log go on, once its adoption was told to every organization.
    package func releaseRootLog() async throws {
        try await read(as: .root) { transaction in
            _ = try await transaction.query(
                """
                UPDATE audit_logs SET halted = NULL, halted_at = NULL WHERE organization_id = \(transaction.organization)
                """
            )
        }
    }
}
