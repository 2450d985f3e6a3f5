package import Domain
import Postgres
import Transparency

/// Making or changing a grant, or, where the organization wants a second admin for what comes of it, asking for one.
package struct GrantRequest: SingleChange {
    package typealias Output = Settled<GrantView>

    private enum Wish: Sendable {
        case creation(GrantCreation)
        case update(GrantUpdate)
    }

    private let wish: Wish
    private let caller: UserID
    private let attribution: Attribution

    /// The organization's settings are looked at when the change is made.
    package init(_ creation: GrantCreation, by caller: Caller, _ attribution: Attribution) {
        wish = .creation(creation)
        self.caller = caller.user
        self.attribution = attribution
    }

    /// As above, for a change.
    package init(_ update: GrantUpdate, by caller: Caller, _ attribution: Attribution) {
        wish = .update(update)
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Settled<GrantView>, [Recorded]) {
        // Held until the commit: a requirement that comes at this moment is one for this change, or comes after it.
        let settings = try await transaction.settings(lock: "FOR SHARE")
        switch wish {
        case .creation(let creation):
            guard settings.wantsApproval(of: creation.terms, after: nil) else {
                let (grant, recorded) = try await creation.make(in: transaction)
                return (.done(grant), recorded)
            }
            let found = try await creation.check(in: transaction)
            let (approval, recorded) = try await transaction.requestApproval(
                .grantCreation,
                of: nil,
                request: creation.request(to: found.user, in: found.workspace),
                by: caller,
                attribution
            )
            return (.waits(approval), [recorded])
        case .update(let update):
            guard let before = try await transaction.grant(update.id) else { throw ChangeRefusal.notFound }
            // What is compared has to be what is changed.
            guard before.version == update.expectedVersion else { throw ChangeRefusal.stale }
            let former = update.movesUser(of: before) ? nil : before.terms
            guard settings.wantsApproval(of: update.terms, after: former) else {
                let (grant, recorded) = try await update.make(in: transaction)
                return (.done(grant), recorded)
            }
            let found = try await update.check(in: transaction)
            let (approval, recorded) = try await transaction.requestApproval(
                .grantChange,
                of: IDBits(high: update.id.high, low: update.id.low),
                request: update.request(to: found.user),
                by: caller,
                attribution
            )
            return (.waits(approval), [recorded])
        }
    }
}

extension OrganizationTerms {
    /// Whether terms need a second admin; `former` nil for those of a grant that is new to its user. What a grant could
    /// do before needs none again, unless it is to do it for longer: agreeing to a day is not agreeing to ten years.
    func wantsApproval(of terms: GrantTerms, after former: GrantTerms?) -> Bool {
        let former = former.flatMap { terms.expiresAt > $0.expiresAt ? nil : $0 }
        let opens = terms.ipAllowList.isAnywhere && (former.map { !$0.ipAllowList.isAnywhere } ?? true)
        return wantsApproval(of: terms.scopes, after: former?.scopes)
            || approvals.contains(.grantWithoutIPRestriction) && opens
    }

    /// Whether scopes need a second admin; what was there before needs none again.
    func wantsApproval(of scopes: ScopeSet, after former: ScopeSet?) -> Bool {
        approvals.contains(.grantWithWriteScope)
            && scopes.subtracting(former ?? .none).scopes.contains { !$0.isReadOnly }
    }
}

extension [NetworkRange]? {
    /// Whether it binds nobody to a place: none, or one that lets in as good as everybody.
    var isAnywhere: Bool { self.map(\.isAnywhere) ?? true }
}

extension GrantCreation {
    /// Everything that is made, for whoever agrees to it.
    func request(to user: UserID, in workspace: WorkspaceID) -> JSON.Object {
        var request = terms.entry
        request["user"] = .string(user.description)
        request["workspace"] = .string(workspace.description)
        return request
    }

    init(approved view: ApprovalView, by attribution: Attribution, in store: Store) throws {
        guard let terms = GrantTerms(entry: view.request), let user = view.request["user"]?.string,
            let workspace = view.request["workspace"]?.string.flatMap({ WorkspaceReference($0) })
        else { throw ImpossibleRows(description: "approvals.request of \(view.id) is no grant") }
        self.init(terms, to: UserReference(user), in: workspace, by: attribution, store: store)
        authority = .approval(view.id)
    }
}

extension GrantUpdate {
    /// Everything that is changed, of which version.
    func request(to user: UserID?) -> JSON.Object {
        var request = terms.entry
        request["version"] = .number(JSON.Number(expectedVersion))
        request["user"] = user.map { .string($0.description) }
        request["confirmation"] = confirmation.map(JSON.string)
        return request
    }

    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let terms = GrantTerms(entry: view.request), let target = view.target,
            let version = view.request["version"]?.int64
        else { throw ImpossibleRows(description: "approvals.request of \(view.id) is no change of a grant") }
        self.init(
            of: GrantID(high: target.high, low: target.low),
            version: version,
            to: terms,
            user: view.request["user"]?.string.map { UserReference($0) },
            confirmation: view.request["confirmation"]?.string,
            by: attribution
        )
        authority = .approval(view.id)
    }
}

extension GrantTerms {
    /// Reads what ``entry`` wrote; nil where it is something else.
    init?(entry: JSON.Object) {
        guard let name = entry["client_name"]?.string,
            let expiresAt = entry["expires_at"]?.string.flatMap({ Timestamp($0) }),
            let access = AccessOfEntry(entry)
        else { return nil }
        self.init(clientName: name, expiresAt: expiresAt, scopes: access.scopes, ipAllowList: access.ipAllowList)
    }
}

/// Scopes and addresses as entries write them.
struct AccessOfEntry {
    let scopes: ScopeSet
    let ipAllowList: [NetworkRange]?

    /// nil where it is something else.
    init?(_ entry: JSON.Object) {
        guard let names = entry["scopes"]?.array else { return nil }
        let scopes = names.compactMap { $0.string.flatMap { Scope($0) } }
        guard scopes.count == names.count else { return nil }
        self.scopes = ScopeSet(scopes)
        guard let texts = entry["ip_allow_list"]?.array else {
            ipAllowList = nil
            return
        }
        // A text that is no range makes the counts differ.
        let ranges = texts.compactMap { text in text.string.flatMap { try? NetworkRange($0) } }
        guard ranges.count == texts.count else { return nil }
        ipAllowList = ranges
    }
}
