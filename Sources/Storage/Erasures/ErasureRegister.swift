package import Domain
import Postgres

/// Who was erased, kept where no restore of the database reaches: ids only. Whoever starts on a restored database erases
/// them again before they serve.
package struct ErasureRegister: Sendable {
    /// Returns once the id is durable. Noting it twice is noting it once.
    let note: @Sendable (OrganizationID, PersonID) async throws -> Void
    let listed: @Sendable () async throws -> [OrganizationID: [PersonID]]

    package init(
        note: @escaping @Sendable (OrganizationID, PersonID) async throws -> Void,
        listed: @escaping @Sendable () async throws -> [OrganizationID: [PersonID]]
    ) {
        self.note = note
        self.listed = listed
    }
}

extension Store {
    /// Has the database and the list outside know of the same erasures: those that only the list knows are executed, those
    /// that only the database knows are noted. Returns how many were executed. To be called before anything is served;
    /// where it throws, nothing may be.
    package func repeatErasures() async throws -> Int {
        let rows = try await pool.query("SELECT organization_id, id FROM executed_erasures()")
        var known: [OrganizationID: Set<PersonID>] = [:]
        for row in rows { known[try row.decode("organization_id"), default: []].insert(try row.decode("id")) }
        guard let erasures else {
            guard known.isEmpty else { throw ErasuresUnlisted(count: rows.count) }
            return 0
        }
        let listed = try await erasures.listed()
        var executed = 0
        for (organization, people) in listed.sorted(by: { $0.key < $1.key }) {
            for person in people where !known[organization, default: []].contains(person) {
                executed += try await eraseAgain(person, of: organization) ? 1 : 0
            }
        }
        for (organization, people) in known {
            for person in people.subtracting(listed[organization] ?? []) {
                try await erasures.note(organization, person)
            }
        }
        return executed
    }

    /// false where the database never knew the person, or has not yet.
    private func eraseAgain(_ person: PersonID, of organization: OrganizationID) async throws -> Bool {
        do {
            _ = try await perform(PersonErasure(repeated: person, at: clock.now()), in: organization)
            return true
        } catch ChangeRefusal.notFound {
            return false
        }
    }
}

/// People were erased, and nothing outside the database says who: a restored database could not be told from this one.
package struct ErasuresUnlisted: Error, Sendable, CustomStringConvertible {
    package let count: Int

    package var description: String { "\(count) people were erased, and the list of them outside cannot be reached" }
}
