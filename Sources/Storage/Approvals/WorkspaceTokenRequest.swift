package import Domain
import Postgres
import Transparency

/// Making a workspace token, or, where it may change something and the organization wants a second admin for that, asking
/// for one; and, once one agreed, making it, once, for who asked: its value is shown to them alone.
package struct WorkspaceTokenRequest: SingleChange {
    package typealias Output = Settled<MadeToken>

    private let creation: WorkspaceTokenCreation
    private let approval: ApprovalID?
    private let caller: UserID
    private let attribution: Attribution

    /// `approval` is that of another admin, for exactly this token; nil where none was asked for yet.
    package init(
        _ creation: WorkspaceTokenCreation,
        approval: ApprovalID?,
        by caller: Caller,
        _ attribution: Attribution
    ) {
        self.creation = creation
        self.approval = approval
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let settings = try await transaction.settings(lock: "FOR SHARE")
        let target = IDBits(high: creation.workspace.high, low: creation.workspace.low)
        var creation = creation
        if let approval {
            creation.authority = try await transaction.useApproval(
                approval,
                of: .workspaceToken,
                for: target,
                request: creation.request,
                by: caller
            )
        } else if settings.wantsApproval(of: creation.scopes, after: nil) {
            _ = try await creation.check(in: transaction)
            let (view, recorded) = try await transaction.requestApproval(
                .workspaceToken,
                of: target,
                request: creation.request,
                by: caller,
                attribution
            )
            return (.waits(view), [recorded])
        }
        let (made, recorded) = try await creation.make(in: transaction)
        return (.done(made), recorded)
    }
}

/// Changing a workspace token, or, where it could change more than before and the organization wants a second admin for
/// that, asking for one, who has it done by agreeing.
package struct WorkspaceTokenChangeRequest: SingleChange {
    package typealias Output = Settled<TokenView>

    private let update: WorkspaceTokenUpdate
    private let caller: UserID
    private let attribution: Attribution

    /// The organization's settings are looked at when the change is made.
    package init(_ update: WorkspaceTokenUpdate, by caller: Caller, _ attribution: Attribution) {
        self.update = update
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let settings = try await transaction.settings(lock: "FOR SHARE")
        guard let before = try await transaction.token(update.id) else { throw ChangeRefusal.notFound }
        guard settings.wantsApproval(of: update.scopes, after: before.scopes) else {
            let (view, recorded) = try await update.make(in: transaction)
            return (.done(view), recorded)
        }
        _ = try await update.check(in: transaction)
        let (view, recorded) = try await transaction.requestApproval(
            .workspaceTokenChange,
            of: IDBits(high: update.id.high, low: update.id.low),
            request: update.request,
            by: caller,
            attribution
        )
        return (.waits(view), [recorded])
    }
}

extension WorkspaceTokenCreation {
    /// Everything that is made; an expiry that nobody named is counted from when it is made.
    var request: JSON.Object {
        [
            "workspace": .string(workspace.description), "name": .string(name),
            "scopes": .array(scopes.names.map(JSON.string)), "expires_at": .orNull(expiresAt),
        ]
    }
}

extension WorkspaceTokenUpdate {
    /// Everything that is changed, of which version.
    var request: JSON.Object {
        [
            "name": .string(name), "scopes": .array(scopes.names.map(JSON.string)),
            "version": .number(JSON.Number(expectedVersion)),
        ]
    }

    /// Bounded by who asked, as an admin: by what token they did was looked at then.
    init(approved view: ApprovalView, by attribution: Attribution) throws {
        guard let name = view.request["name"]?.string, let access = AccessOfEntry(view.request),
            let version = view.request["version"]?.int64, let target = view.target
        else { throw ImpossibleRows(description: "approvals.request of \(view.id) is no change of a token") }
        self.init(
            of: TokenID(high: target.high, low: target.low),
            version: version,
            name: name,
            scopes: access.scopes,
            maker: TokenMaker(member: view.requestedBy, role: .securityAdmin),
            by: attribution
        )
        authority = .approval(view.id)
    }
}
