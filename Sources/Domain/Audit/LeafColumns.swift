package import Transparency

/// What search knows of an entry, as the entry's leaf says it. The columns in the database are derived: where they differ
/// from this, somebody altered them.
package struct LeafColumns: Hashable, Sendable {
    package let id: AuditEntryID
    package let recordedAt: Timestamp
    package let actor: UserID?
    package let action: String
    package let target: IDBits
    package let person: PersonID?
    package let outcome: String

    package init(
        id: AuditEntryID,
        recordedAt: Timestamp,
        actor: UserID?,
        action: String,
        target: IDBits,
        person: PersonID?,
        outcome: String
    ) {
        self.id = id
        self.recordedAt = recordedAt
        self.actor = actor
        self.action = action
        self.target = target
        self.person = person
        self.outcome = outcome
    }

    /// nil for what no entry of ours says.
    package init?(_ leaf: JSON) {
        guard let id = leaf["id"]?.string.flatMap({ AuditEntryID($0) }),
            let recordedAt = leaf["recorded_at"]?.string.flatMap({ Timestamp($0) }),
            let action = leaf["action"]?.string,
            let target = leaf[pointer: "/target/id"]?.string.flatMap({ IDBits(anyID: $0) }),
            let outcome = leaf["outcome"]?.string
        else { return nil }
        let person = leaf["person"]?.string ?? leaf[pointer: "/on_behalf_of/0/id"]?.string
        self.init(
            id: id,
            recordedAt: recordedAt,
            actor: leaf[pointer: "/actor/id"]?.string.flatMap { UserID($0) },
            action: action,
            target: target,
            person: person.flatMap { PersonID($0) },
            outcome: outcome
        )
    }
}
