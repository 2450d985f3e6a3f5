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

/// Taking a scope of the organization's own away, from every integration, grant and token that has it. Asks for a second
/// look where something has it, and is refused where something has no other.
package struct ScopeRemoval: SingleChange {
    package typealias Output = Void

    private let scope: Scope
    private let confirmation: String?
    private let attribution: Attribution

    /// Built-in scopes are not there for it.
    package init(of scope: Scope, confirmation: String?, by attribution: Attribution) {
        self.scope = scope
        self.confirmation = confirmation
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let name = scope.description
        // Whoever gives it to something holds the row, and is done before, or finds it gone.
        let removed = try await transaction.query(
            "DELETE FROM scopes WHERE organization_id = \(transaction.organization) AND name = \(name) RETURNING name"
        )
        guard !removed.isEmpty else { throw ChangeRefusal.notFound }
        let uses = try await uses(in: transaction)
        if uses.contains(where: { $0.count > 0 }) {
            try confirm(uses)
            transaction.narrow(.organization(transaction.organization))
            let now = transaction.startedAt
            _ = try await transaction.pipeline([
                """
                UPDATE integrations SET scopes = array_remove(scopes, \(name)), version = version + 1, updated_at = \(now)
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)]
                """,
                """
                UPDATE grants SET scopes = array_remove(scopes, \(name)), version = version + 1, updated_at = \(now)
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)] AND status <> 'ended'
                """,
                """
                UPDATE tokens SET scopes = array_remove(scopes, \(name))
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)]
                    AND revoked_at IS NULL AND expires_at > \(now)
                """,
            ])
        }
        var after: JSON.Object = ["scope": .string(name)]
        for use in uses { after[use.noun] = .integer(Int(use.count)) }
        let draft = AuditDraft(
            .scopeRemoved,
            .organization(transaction.organization),
            authority: .scope(.organizationWrite),
            after: after
        )
        return ((), [Recorded(draft, by: attribution)])
    }

    private struct Use {
        let noun: String
        let count: Int64
        /// Those that have no other scope.
        let only: Int64
    }

    private func uses(in transaction: OrganizationTransaction) async throws -> [Use] {
        let name = scope.description
        let rows = try await transaction.query(
            """
            SELECT noun, count(*) AS used, count(*) FILTER (WHERE cardinality(scopes) = 1) AS only FROM (
                SELECT 'integrations' AS noun, scopes FROM integrations
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)]
                UNION ALL SELECT 'grants', scopes FROM grants
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)] AND status <> 'ended'
                UNION ALL SELECT 'tokens', scopes FROM tokens
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)]
                    AND kind IN ('personal', 'workspace') AND revoked_at IS NULL
                    AND expires_at > \(transaction.startedAt)) AS users
            GROUP BY noun ORDER BY noun
            """
        )
        return try rows.map {
            Use(noun: try $0.decode("noun"), count: try $0.decode("used"), only: try $0.decode("only"))
        }
    }

    private func confirm(_ uses: [Use]) throws(ChangeRefusal) {
        let bare = uses.filter { $0.only > 0 && $0.noun != "tokens" }
        guard bare.isEmpty else {
            let named = bare.map { "\($0.only) \($0.noun)" }.joined(separator: ", ")
            throw .conflict("It is the only scope of \(named): end these, or give them another, first.")
        }
        let told = uses.map { "\($0.count) \($0.noun)" }
        let wanted = Confirmation(of: "remove scope \(scope)", seeing: told)
        guard confirmation != wanted.value else { return }
        throw .confirmationRequired(
            value: wanted.value,
            detail: "This scope is taken from " + told.joined(separator: ", ") + "."
        )
    }
}
