package import Domain
import Postgres
import Transparency

/// Placing a legal hold. Refused for a person whom the organization does not have, or no longer has anything of.
package struct HoldCreation: SingleChange {
    package typealias Output = HoldView

    private let id: HoldID
    private let scope: HoldScope
    private let matter: String
    private let caller: UserID
    private let attribution: Attribution

    /// A filter is one that can be read; the later of two times is the second.
    package init(_ scope: HoldScope, matter: String, by caller: Caller, _ attribution: Attribution, in store: Store) {
        id = store.newID()
        (self.scope, self.matter, self.caller, self.attribution) = (scope, matter, caller.user, attribution)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (HoldView, [Recorded]) {
        // Against erasures of this moment: whoever locks the organization first goes first.
        let results = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            """
            SELECT count(*) AS open FROM holds
            WHERE organization_id = \(transaction.organization) AND lifted_at IS NULL
            """,
        ])
        guard try results[1].only().decode("open", as: Int64.self) < HoldView.mostOpen else {
            throw ChangeRefusal.conflict("There are \(HoldView.mostOpen) open holds already.")
        }
        try await checkPerson(in: transaction)
        _ = try await transaction.query(insert(in: transaction))
        guard let hold = try await transaction.hold(id) else {
            throw ImpossibleRows(description: "holds has no row of \(id), just made")
        }
        return (hold, [hold.recorded(.holdCreated, by: attribution)])
    }

    private func checkPerson(in transaction: OrganizationTransaction) async throws {
        guard case .person(let person) = scope else { return }
        let rows = try await transaction.query("SELECT erased_at FROM people WHERE id = \(person) FOR SHARE")
        guard let row = rows.first else {
            throw ChangeRefusal.invalid("/person", "The organization has no such person.")
        }
        guard try row.decode("erased_at", as: Timestamp?.self) == nil else {
            throw ChangeRefusal.conflict("The person was erased already.")
        }
    }

    private func insert(in transaction: OrganizationTransaction) -> SQL {
        var person: PersonID?
        var times: (Timestamp, Timestamp)?
        var filter: String?
        switch scope {
        case .person(let held): person = held
        case .time(let since, let until): times = (since, until)
        case .query(let text): filter = text
        case .organization: break
        }
        return """
            INSERT INTO holds (organization_id, id, kind, person_id, since, until, filter, matter, created_by, created_at)
            VALUES (\(transaction.organization), \(id), \(scope.kind), \(person), \(times?.0), \(times?.1), \(filter),
                \(matter), \(caller), \(transaction.startedAt))
            """
    }
}

/// Lifting a hold: erasures that it kept waiting are tried at once. Lifting a lifted one is refused.
package struct HoldLift: SingleChange {
    package typealias Output = HoldView

    private let id: HoldID
    private let caller: UserID
    private let attribution: Attribution

    /// Has to be a security admin's own wish.
    package init(of id: HoldID, by caller: Caller, _ attribution: Attribution) {
        (self.id, self.caller, self.attribution) = (id, caller.user, attribution)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (HoldView, [Recorded]) {
        let results = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            """
            UPDATE holds SET lifted_by = \(caller), lifted_at = \(transaction.startedAt)
            WHERE id = \(id) AND lifted_at IS NULL
            """,
            """
            UPDATE erasures SET due_at = \(transaction.startedAt)
            WHERE organization_id = \(transaction.organization) AND status = 'queued'
            """,
        ])
        guard let hold = try await transaction.hold(id) else { throw ChangeRefusal.notFound }
        guard results[1].affected == 1 else { throw ChangeRefusal.conflict("The hold was lifted already.") }
        return (hold, [hold.recorded(.holdLifted, by: attribution)])
    }
}

extension HoldView {
    /// Its words stay out of the leaf: they may name somebody.
    fileprivate func recorded(_ action: ActionCode, by attribution: Attribution) -> Recorded {
        var held: JSON.Object = ["kind": .string(scope.kind)]
        var person: PersonID?
        switch scope {
        case .person(let id): person = id
        case .time(let since, let until):
            held["since"] = .string(since.description)
            held["until"] = .string(until.description)
        case .organization, .query: break
        }
        let isLifted = action == .holdLifted
        let draft = AuditDraft(
            action,
            .hold(id),
            authority: .scope(.usersWrite),
            before: isLifted ? held : [:],
            after: isLifted ? [:] : held,
            person: person
        )
        return Recorded(draft, by: attribution)
    }
}
