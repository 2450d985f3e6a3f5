package import Domain
import Postgres
import Transparency

/// A scope of an organization's own.
package struct OwnScope: Sendable {
    package let scope: Scope
    /// What it opens.
    package let opens: String

    /// Scopes of an organization's own at most.
    package static let most: Int64 = 200
}

extension OrganizationTransaction {
    /// The organization's own scopes, by name; at most ``OwnScope/most``.
    package func ownScopes() async throws -> [OwnScope] {
        let rows = try await query(
            "SELECT name, opens FROM scopes WHERE organization_id = \(organization) ORDER BY name"
        )
        return try rows.map { OwnScope(scope: try $0.parse("name"), opens: try $0.decode("opens")) }
    }

    /// Holds those of these scopes that are the organization's own until the commit, so that none is removed meanwhile.
    /// Refused where one is not there.
    func hold(_ scopes: ScopeSet) async throws {
        let own = scopes.subtracting(.all)
        guard !own.isEmpty else { return }
        let rows = try await query(
            "SELECT name FROM scopes WHERE organization_id = \(organization) AND name = ANY(\(own.names)) FOR SHARE"
        )
        guard rows.count == own.scopes.count else {
            throw ChangeRefusal.invalid("/scopes", "Not every scope is known; /v1/scopes lists those that are.")
        }
    }
}

/// Adding a scope for an API that Rollcall guards. Refused where there is one of that name, and for names that Rollcall
/// keeps for itself.
package struct ScopeCreation: SingleChange {
    package typealias Output = OwnScope

    private let own: OwnScope
    private let caller: UserID
    private let attribution: Attribution

    /// `scope` is of the form `resource:action`; `opens` tells whoever grants it what it opens.
    package init(_ scope: Scope, opens: String, by caller: Caller, _ attribution: Attribution) {
        own = OwnScope(scope: scope, opens: opens)
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (OwnScope, [Recorded]) {
        guard !own.scope.isReserved else {
            throw ChangeRefusal.invalid("/scope", "A name resource:action, of a resource that is not Rollcall's own.")
        }
        let results = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            "SELECT count(*) AS known FROM scopes WHERE organization_id = \(transaction.organization)",
            """
            INSERT INTO scopes (organization_id, name, opens, created_by, created_at)
            VALUES (\(transaction.organization), \(own.scope.description), \(own.opens), \(caller),
                \(transaction.startedAt))
            """,
        ])
        guard try results[1].only().decode("known", as: Int64.self) < OwnScope.most else {
            throw ChangeRefusal.conflict("There are \(OwnScope.most) scopes already.")
        }
        let draft = AuditDraft(
            .scopeCreated,
            .organization(transaction.organization),
            authority: .scope(.organizationWrite),
            after: ["scope": .string(own.scope.description), "opens": .string(own.opens)]
        )
        return (own, [Recorded(draft, by: attribution)])
    }
}
