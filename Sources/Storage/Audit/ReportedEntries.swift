package import Domain
import Postgres
package import Transparency

/// Entries of what callers did at an API of the organization that is not behind a proxy of ours: told by that API, with
/// the token by which each caller came. All of them are kept, or none.
///
/// The actor is the user of that token, and the entry's credential is that token, whatever else the API says. Who told it
/// stands in `after.reporter`, by which credential and from where beside it. Times that it says are `occurred_at` alone.
package struct ReportedEntries: Change {
    /// One thing that was done there.
    package struct Report: Sendable {
        /// Of the token that the API was presented with; looked up and judged by the door.
        package let subject: Caller
        package let action: ExternalAction
        package let outcome: AuditOutcome
        package let occurredAt: Timestamp?
        /// From where the caller came, as the API says.
        package let address: IPAddress?
        /// What the API says of it. Without personal values: leaves are for ever.
        package let details: JSON.Object

        package init(
            subject: Caller,
            action: ExternalAction,
            outcome: AuditOutcome,
            occurredAt: Timestamp?,
            address: IPAddress?,
            details: JSON.Object
        ) {
            self.subject = subject
            self.action = action
            self.outcome = outcome
            self.occurredAt = occurredAt
            self.address = address
            self.details = details
        }
    }

    private let reports: [Report]
    private let reporter: Caller
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp

    /// `reporter` is the API that calls.
    package init(_ reports: [Report], by reporter: Caller, from origin: Attribution.Origin, receivedAt: Timestamp) {
        self.reports = reports
        self.reporter = reporter
        self.origin = origin
        self.receivedAt = receivedAt
    }

    /// How many there are; their own ids are the log's.
    package static func make(
        _ changes: [ReportedEntries],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Int>] {
        changes.map { change in .done(change.reports.count, change.reports.map(change.recorded)) }
    }

    private func recorded(_ report: Report) -> Recorded {
        var from = origin
        from.address = report.address
        from.userAgent = nil
        var after: JSON.Object = ["reporter": .string(reporter.user.description)]
        after["reporter_credential"] = [
            "id": .string(reporter.credential.token.description),
            "digest_prefix": .string(reporter.credential.digestPrefix),
        ]
        after["reporter_address"] = .orNull(origin.address)
        if let integration = reporter.integration { after["reporter_integration"] = .string(integration.description) }
        if !report.details.isEmpty { after["details"] = .object(report.details) }
        var draft = AuditDraft(
            .auditAppended,
            .token(report.subject.credential.token),
            outcome: report.outcome,
            authority: .scope(.auditAppend),
            after: after,
            person: report.subject.person,
            occurredAt: report.occurredAt
        )
        draft.external = report.action
        let attribution = Attribution(caller: report.subject, origin: from, receivedAt: receivedAt)
        return Recorded(draft, by: attribution)
    }
}
