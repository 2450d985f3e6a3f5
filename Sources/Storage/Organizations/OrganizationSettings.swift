package import Domain
import Postgres
import Transparency

/// What an organization says of itself.
package struct OrganizationTerms: Sendable, Hashable {
    package var name: String
    /// For what a second admin is needed.
    package var approvals: Set<ApprovalRequirement>
    /// How far ahead a personal or workspace token may expire.
    package var longestTokenLifetime: ISODuration
    /// Whether members may let in apps that no admin registered. Those that they let in before stay until they are ended.
    package var letsInOutsideApps: Bool

    package init(
        name: String,
        approvals: Set<ApprovalRequirement>,
        longestTokenLifetime: ISODuration,
        letsInOutsideApps: Bool
    ) {
        self.name = name
        self.approvals = approvals
        self.longestTokenLifetime = longestTokenLifetime
        self.letsInOutsideApps = letsInOutsideApps
    }

    /// What an entry tells of it.
    var entry: JSON.Object {
        [
            "name": .string(name), "approvals": .array(approvals.map(\.rawValue).sorted().map(JSON.string)),
            "longest_token_lifetime": .string(longestTokenLifetime.description),
            "outside_apps": .bool(letsInOutsideApps),
        ]
    }
}

extension OrganizationTransaction {
    /// The transaction's own organization's settings, its row locked as `lock` says.
    func settings(lock: SQL = "") async throws -> OrganizationTerms {
        let rows = try await query(
            """
            SELECT name, approvals, longest_token_lifetime, outside_apps FROM organizations
            WHERE id = \(organization) \(lock)
            """
        )
        return try OrganizationTerms(row: try rows.only())
    }
}

extension OrganizationTerms {
    init(row: PostgresRow) throws {
        self.init(
            name: try row.decode("name"),
            approvals: Set(try row.decode("approvals", as: [String].self).compactMap(ApprovalRequirement.init)),
            longestTokenLifetime: try row.parse("longest_token_lifetime"),
            letsInOutsideApps: try row.decode("outside_apps")
        )
    }
}

/// Changing what an organization says of itself. Refused when it is another version than the caller has seen.
package struct OrganizationUpdate: SingleChange {
    package typealias Output = OrganizationView

    let expectedVersion: Int64
    let terms: OrganizationTerms
    var authority = Authority.scope(.organizationWrite)
    private let attribution: Attribution

    /// `version` is the one that the caller has seen.
    package init(version: Int64, to terms: OrganizationTerms, by attribution: Attribution) {
        expectedVersion = version
        self.terms = terms
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (OrganizationView, [Recorded]) {
        let before = try await check(in: transaction)
        let former = before.terms.entry
        let next = terms.entry
        guard former != next else { return (before, []) }
        _ = try await transaction.query(
            """
            UPDATE organizations SET name = \(terms.name), approvals = \(terms.approvals.map(\.rawValue).sorted()),
                longest_token_lifetime = \(terms.longestTokenLifetime.description),
                outside_apps = \(terms.letsInOutsideApps), version = version + 1
            WHERE id = \(transaction.organization)
            """
        )
        guard let after = try await transaction.organization() else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .organizationUpdated,
            .organization(transaction.organization),
            authority: authority,
            before: former.differing(from: next),
            after: next.differing(from: former)
        )
        return (after, [Recorded(draft, by: attribution)])
    }

    /// The organization as it is, locked, once nothing can be said against the change.
    func check(in transaction: OrganizationTransaction) async throws -> OrganizationView {
        _ = try await transaction.settings(lock: "FOR NO KEY UPDATE")
        guard let before = try await transaction.organization() else { throw ChangeRefusal.notFound }
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        return before
    }
}

/// Changing what an organization says of itself, or, where it would need a second admin less often than now, asking for
/// one: else an admin would switch the second one off first.
package struct OrganizationRequest: SingleChange {
    package typealias Output = Settled<OrganizationView>

    private let update: OrganizationUpdate
    private let caller: UserID
    private let attribution: Attribution

    /// What is settled now is looked at when the change is made.
    package init(_ update: OrganizationUpdate, by caller: Caller, _ attribution: Attribution) {
        self.update = update
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let before = try await update.check(in: transaction)
        guard before.terms.approvals.isSubset(of: update.terms.approvals) else {
            let (approval, recorded) = try await transaction.requestApproval(
                .settingsChange,
                of: nil,
                request: update.request,
                by: caller,
                attribution
            )
            return (.waits(approval), [recorded])
        }
        let (view, recorded) = try await update.make(in: transaction)
        return (.done(view), recorded)
    }
}

extension OrganizationUpdate {
    var request: JSON.Object {
        var request = terms.entry
        request["version"] = .number(JSON.Number(expectedVersion))
        return request
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let name = view.request["name"]?.string, let words = view.request["approvals"]?.array,
            let longest = view.request["longest_token_lifetime"]?.string.flatMap({ ISODuration($0) }),
            let outside = view.request["outside_apps"]?.bool, let version = view.request["version"]?.int64
        else { throw ImpossibleRows(description: "approvals.request of \(view.id) is no change of settings") }
        let terms = OrganizationTerms(
            name: name,
            approvals: Set(words.compactMap { $0.string.flatMap(ApprovalRequirement.init) }),
            longestTokenLifetime: longest,
            letsInOutsideApps: outside
        )
        self.init(version: version, to: terms, by: attribution)
        authority = .approval(view.id)
    }
}
