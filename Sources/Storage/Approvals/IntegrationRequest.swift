package import Domain
import Postgres
import Transparency

/// Adding or changing an integration, or, where its rule would make grants for which the organization wants a second
/// admin, asking for one. The grants themselves wait for nobody: a joiner has theirs at once.
package struct IntegrationRequest: SingleChange {
    package typealias Output = Settled<IntegrationView>

    private enum Wish: Sendable {
        case creation(IntegrationCreation)
        case update(IntegrationUpdate)
    }

    private let wish: Wish
    private let caller: UserID
    private let attribution: Attribution

    /// The organization's settings are looked at when the change is made.
    package init(_ creation: IntegrationCreation, by caller: Caller, _ attribution: Attribution) {
        wish = .creation(creation)
        self.caller = caller.user
        self.attribution = attribution
    }

    /// As above, for a change.
    package init(_ update: IntegrationUpdate, by caller: Caller, _ attribution: Attribution) {
        wish = .update(update)
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        // Held until the commit: a requirement that comes at this moment is one for this change, or comes after it.
        let settings = try await transaction.settings(lock: "FOR SHARE")
        switch wish {
        case .creation(let creation):
            guard settings.wantsApproval(of: creation.terms, after: nil) else {
                let (view, recorded) = try await creation.make(in: transaction)
                return (.done(view), recorded)
            }
            let (approval, recorded) = try await transaction.requestApproval(
                .integrationCreation,
                of: nil,
                request: try await creation.check(in: transaction),
                by: caller,
                attribution
            )
            return (.waits(approval), [recorded])
        case .update(let update):
            guard let before = try await transaction.integration(update.id) else { throw ChangeRefusal.notFound }
            guard settings.wantsApproval(of: update.terms, after: before.terms) else {
                let (view, recorded) = try await update.make(in: transaction)
                return (.done(view), recorded)
            }
            let (approval, recorded) = try await transaction.requestApproval(
                .integrationChange,
                of: IDBits(high: update.id.high, low: update.id.low),
                request: update.request(try await update.check(in: transaction).next),
                by: caller,
                attribution
            )
            return (.waits(approval), [recorded])
        }
    }
}

extension OrganizationTerms {
    /// Whether an integration's rule would make grants that need a second admin and that it does not make already; `former`
    /// nil for a new one. Another rule is for other people: what it gives is new to them. So is what it gives for longer.
    func wantsApproval(of terms: IntegrationTerms, after former: IntegrationTerms?) -> Bool {
        guard let rule = terms.rule, terms.status == .active else { return false }
        let known = former.flatMap { former in
            let isInForce = former.status == .active && former.rule?.description == rule.description
            let isLonger = terms.grantLifetime.duration > former.grantLifetime.duration
            return isInForce && !isLonger ? former : nil
        }
        let opens = terms.ipAllowList.isAnywhere && (known.map { !$0.ipAllowList.isAnywhere } ?? true)
        return wantsApproval(of: terms.scopes, after: known?.scopes)
            || approvals.contains(.grantWithoutIPRestriction) && opens
    }
}

extension IntegrationCreation {
    init(approved view: ApprovalView, by attribution: Attribution, in store: Store) throws {
        guard let terms = IntegrationTerms(entry: view.request) else {
            throw ImpossibleRows(description: "approvals.request of \(view.id) is no integration")
        }
        self.init(terms, by: attribution, in: store)
        authority = .approval(view.id)
    }
}

extension IntegrationUpdate {
    /// Everything that is changed, of which version.
    func request(_ next: JSON.Object) -> JSON.Object {
        var request = next
        request["version"] = .number(JSON.Number(expectedVersion))
        request["confirmation"] = confirmation.map(JSON.string)
        return request
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let terms = IntegrationTerms(entry: view.request), let target = view.target,
            let version = view.request["version"]?.int64
        else { throw ImpossibleRows(description: "approvals.request of \(view.id) is no change of an integration") }
        self.init(
            of: IntegrationID(high: target.high, low: target.low),
            version: version,
            to: terms,
            confirmation: view.request["confirmation"]?.string,
            by: attribution
        )
        authority = .approval(view.id)
    }
}

extension IntegrationTerms {
    /// Reads what ``entry(workspace:custodian:)`` wrote; nil where it is something else.
    init?(entry: JSON.Object) {
        guard let slug = entry["slug"]?.string.flatMap({ Slug($0) }), let name = entry["name"]?.string,
            let description = entry["description"]?.string,
            let contactEmail = entry["contact_email"]?.string.flatMap({ ContactEmail($0) }),
            let workspace = entry["workspace"]?.string.flatMap({ WorkspaceReference($0) }),
            let lifetime = entry["grant_lifetime"]?.string.flatMap({ ISODuration($0) }),
            let status = entry["status"]?.string.flatMap({ IntegrationStatus(rawValue: $0) }),
            let access = AccessOfEntry(entry)
        else { return nil }
        var rule: IntegrationRule?
        if let text = entry["rule"]?.string {
            guard let read = IntegrationRule(text) else { return nil }
            rule = read
        }
        self.init(
            slug: slug,
            name: name,
            description: description,
            contactEmail: contactEmail,
            workspace: workspace,
            scopes: access.scopes,
            rule: rule,
            grantLifetime: lifetime,
            ipAllowList: access.ipAllowList,
            custodian: entry["custodian"]?.string.map { UserReference($0) },
            status: status
        )
    }
}
