package import Domain
package import Postgres

/// One change of one organization, with its caller, its check and its entry.
///
/// Changes of a kind are made together: `make` gets those that concurrent callers brought, and makes them with
/// statements over sets. They are independent: if making them together fails, each is made alone.
package protocol Change: Sendable {
    associatedtype Output: Sendable

    /// Statements that need neither a look nor the transaction's time: they travel with its begin, which saves a flight,
    /// and `make` finds what they returned in `opened`. None unless the kind says otherwise; a kind that has some cannot
    /// be part of another change.
    static func opening(_ changes: [Self], in organization: OrganizationID) -> [SQL]

    /// Checks and makes the changes, and says of each what came of it, in their order. A throw undoes all of them.
    static func make(_ changes: [Self], in transaction: OrganizationTransaction) async throws -> [Made<Output>]
}

extension Change {
    package static func opening(_: [Self], in _: OrganizationID) -> [SQL] { [] }
}

/// What came of one change.
package enum Made<Output: Sendable>: Sendable {
    /// It was made; its entries are committed with it.
    case done(Output, [Recorded])
    /// It was not made, for a reason that the caller is told; the entry of that is committed.
    case refused(any Error, [Recorded])
}

/// A draft of an entry with who did it.
package struct Recorded: Sendable {
    package let draft: AuditDraft
    package let attribution: Attribution

    package init(_ draft: AuditDraft, by attribution: Attribution) {
        self.draft = draft
        self.attribution = attribution
    }
}

/// Changes that a worker finds by itself, of whichever organization has some: claimed under row locks that end with the
/// transaction, so that no other worker makes them and a killed one leaves them to be claimed again.
package protocol ClaimedWork: Sendable {
    associatedtype Item: Sendable

    /// Items of one organization, locked; nil when there is nothing to do.
    func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<Item>?

    /// Makes the changes of the items and tells their entries. A throw undoes all of them.
    func make(_ items: [Item], in transaction: OrganizationTransaction) async throws -> [Recorded]

    /// Records that this item failed, in a transaction of its own, so that it is tried later or never again.
    func recordFailure(
        of item: Item,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded]
}

/// What a worker claimed.
package struct Claimed<Item: Sendable>: Sendable {
    package let organization: OrganizationID
    package let items: [Item]

    package init(organization: OrganizationID, items: [Item]) {
        self.organization = organization
        self.items = items
    }
}
