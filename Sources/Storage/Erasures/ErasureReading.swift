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

    /// How many people of the organization were erased: of what was said of them nobody can tell any more whether it was
    /// this or that.
    package func erasedCount() async throws -> Int {
        let rows = try await query("SELECT count(*) AS erased FROM erasures WHERE status = 'executed'")
        return Int(try rows.only().decode("erased", as: Int64.self))
    }

    /// Who has or had each of the values: usernames, addresses, numbers, full names. Nobody who was erased.
    package func people(whoHad values: Set<String>) async throws -> [String: Set<PersonID>] {
        var found: [String: Set<PersonID>] = [:]
        for value in values.sorted() {
            let digests = store.keyring.digests(ofPersonValue: value, in: organization)
            let rows = try await query(
                """
                SELECT person_id FROM person_values
                WHERE organization_id = \(organization) AND digest = ANY(\(digests))
                """
            )
            found[value] = Set(try rows.map { try $0.decode("person_id") })
        }
        return found
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
