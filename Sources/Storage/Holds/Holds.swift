package import Domain
import Filter
import Postgres
import Transparency

/// A legal hold: what it names is not erased and does not expire before it is lifted.
package struct HoldView: Sendable {
    package let id: HoldID
    package let scope: HoldScope
    /// Why, in the words of who placed it.
    package let matter: String
    package let createdBy: UserID
    package let createdAt: Timestamp
    package let liftedBy: UserID?
    package let liftedAt: Timestamp?

    /// Holds of an organization that are not lifted, at most.
    package static let mostOpen: Int64 = 500
    /// Characters of ``matter``.
    package static let matterLength = 1...200
}

/// What a hold names.
package enum HoldScope: Sendable {
    /// One person: everything that is known of them.
    case person(PersonID)
    /// Everything of the organization.
    case organization
    /// What was received or recorded at or after the one and before the other.
    case time(Timestamp, Timestamp)
    /// People of whom the log has an entry that the filter selects. Every body is kept, because one may belong to such.
    case query(String)

    /// The word of the table and the API.
    package var kind: String {
        switch self {
        case .person: "person"
        case .organization: "organization"
        case .time: "time"
        case .query: "query"
        }
    }

    /// All that there are.
    package static let kinds = ["person", "organization", "time", "query"]
}

extension OrganizationTransaction {
    /// The next holds behind `after`, oldest first.
    package func holds(after: HoldID?, most: Int) async throws -> [HoldView] {
        try await query(HoldView.selection + " WHERE id > \(after ?? .lowest) ORDER BY id LIMIT \(most)")
            .map { try HoldView($0) }
    }

    /// nil where the organization has none of that id.
    package func hold(_ id: HoldID) async throws -> HoldView? {
        try await query(HoldView.selection + " WHERE id = \(id)").first.map { try HoldView($0) }
    }

    /// Entries of a person that a query's hold is compared with; of whom there are more is held without a look.
    static let mostCompared = 5_000
    private static let comparedAtOnce = 500

    /// Whether a hold keeps what is known of a person.
    func isHeld(_ person: PersonID) async throws -> Bool {
        for hold in try await query(HoldView.selection + " WHERE lifted_at IS NULL ORDER BY id").map({
            try HoldView($0)
        }) {
            switch hold.scope {
            case .organization: return true
            case .person(let held):
                if held == person { return true }
            case .time(let since, let until):
                var wanted = AuditQuery()
                (wanted.person, wanted.since, wanted.until) = (person, since, until)
                if try await !auditEntries(wanted, before: nil, most: 1, disclosing: false).isEmpty { return true }
            case .query(let text):
                if try await isSelected(person, by: Filter(text)) { return true }
            }
        }
        return false
    }

    private func isSelected(_ person: PersonID, by filter: Filter) async throws -> Bool {
        var wanted = AuditQuery()
        wanted.person = person
        var position: AuditPosition?
        var compared = 0
        while compared < Self.mostCompared {
            let entries = try await auditEntries(
                wanted,
                before: position,
                most: Self.comparedAtOnce,
                disclosing: true
            )
            for entry in entries where filter.matches(JSONFilterSubject(entry.whole)) { return true }
            guard entries.count == Self.comparedAtOnce else { return false }
            compared += entries.count
            position = entries.last?.position
        }
        return true
    }
}

extension AuditEntryView {
    /// The leaf's members, with what stands behind its digests where it belongs.
    fileprivate var whole: JSON.Object {
        var whole = members
        for side in ["before", "after"] {
            whole[side] = .object((members[side]?.object ?? [:]).merged(with: disclosed(side)))
        }
        return whole
    }
}

extension HoldView {
    static let selection: SQL = """
        SELECT id, kind, person_id, since, until, filter, matter, created_by, created_at, lifted_by, lifted_at FROM holds
        """

    init(_ row: PostgresRow) throws {
        let scope: HoldScope =
            switch try row.decode("kind", as: String.self) {
            case "person": .person(try row.decode("person_id"))
            case "time": .time(try row.decode("since"), try row.decode("until"))
            case "query": .query(try row.decode("filter"))
            default: .organization
            }
        self.init(
            id: try row.decode("id"),
            scope: scope,
            matter: try row.decode("matter"),
            createdBy: try row.decode("created_by"),
            createdAt: try row.decode("created_at"),
            liftedBy: try row.decode("lifted_by"),
            liftedAt: try row.decode("lifted_at")
        )
    }
}
