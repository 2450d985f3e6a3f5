package import Domain
import Postgres

/// The erasure of a person: done, or waiting.
package struct ErasureView: Sendable {
    package let person: PersonID
    package let status: Status
    /// Why it waits; nil once it is done.
    package let reason: ErasureObstacle?
    /// nil where it was done again after a restore.
    package let requestedBy: UserID?
    package let requestedAt: Timestamp
    package let executedAt: Timestamp?

    /// How far it got. Raw values stand in the table and in answers.
    package enum Status: String, Sendable, CaseIterable {
        case queued
        case executed
    }
}

/// What keeps a person from being erased now. Raw values stand in the table, in entries and in answers.
package enum ErasureObstacle: String, Sendable, CaseIterable, Error {
    /// A legal hold names the person, or something that is known of them.
    case held
    /// The source says that they are there, or an account of theirs is active.
    case hasAccess = "has_access"
    /// A text that an admin wrote says one of their values.
    case namedElsewhere = "named_elsewhere"
    /// A delivery that says one of their values is not mapped yet.
    case deliveryWaits = "delivery_waits"
    /// There is no list outside the database that the erasure could be put on.
    case listMissing = "list_missing"
}

extension OrganizationTransaction {
    /// The next erasures behind `after`, in the order of the people's ids.
    package func erasures(after: PersonID?, most: Int) async throws -> [ErasureView] {
        try await query(
            ErasureView.selection + " WHERE person_id > \(after ?? .lowest) ORDER BY person_id LIMIT \(most)"
        ).map { try ErasureView($0) }
    }

    /// nil where nobody asked for it.
    package func erasure(of person: PersonID) async throws -> ErasureView? {
        try await query(ErasureView.selection + " WHERE person_id = \(person)").first.map { try ErasureView($0) }
    }
}

extension ErasureView {
    fileprivate static let selection: SQL =
        "SELECT person_id, status, reason, requested_by, requested_at, executed_at FROM erasures"

    fileprivate init(_ row: PostgresRow) throws {
        self.init(
            person: try row.decode("person_id"),
            status: try row.word("status"),
            reason: try row.decode("reason", as: String?.self) == nil ? nil : row.word("reason"),
            requestedBy: try row.decode("requested_by"),
            requestedAt: try row.decode("requested_at"),
            executedAt: try row.decode("executed_at")
        )
    }
}
