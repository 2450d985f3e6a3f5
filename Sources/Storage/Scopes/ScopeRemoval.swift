package import Domain
import Postgres
import Transparency

/// Taking a scope of the organization's own away, from every integration, grant, app, consent and token that has it. Asks
/// for a second look where something has it, and is refused, by name, where an integration, grant or app has no other.
/// Consents and tokens that have no other end, but for workspace tokens: those are edited by an admin.
package struct ScopeRemoval: SingleChange {
    package typealias Output = Void

    private let scope: Scope
    private let confirmation: String?
    private let attribution: Attribution

    /// Things that are narrowed of which each has an entry; of more the counts are told.
    static let mostEntries = 2000
    /// Names in a refusal.
    private static let mostNamed = 5

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
        var drafts: [AuditDraft] = []
        if uses.contains(where: { $0.count > 0 }) {
            try confirm(uses)
            drafts = try await narrow(in: transaction)
        }
        var after: JSON.Object = ["scope": .string(name)]
        for use in uses { after[use.noun] = .integer(Int(use.count)) }
        let draft = AuditDraft(
            .scopeRemoved,
            .organization(transaction.organization),
            authority: .scope(.organizationWrite),
            after: after
        )
        return ((), ([draft] + drafts.prefix(Self.mostEntries)).map { Recorded($0, by: attribution) })
    }

    // MARK: Looking

    private struct Use {
        let noun: String
        let count: Int64
        /// Those that have no other scope.
        let only: Int64
        let names: [String]
    }

    private func uses(in transaction: OrganizationTransaction) async throws -> [Use] {
        let name = scope.description
        let rows = try await transaction.query(
            """
            SELECT noun, count(*) AS used, count(*) FILTER (WHERE cardinality(scopes) = 1) AS only,
                (array_agg(name ORDER BY name) FILTER (WHERE cardinality(scopes) = 1))[1:\(Int32(Self.mostNamed))] AS names
            FROM (
                SELECT 'integrations' AS noun, slug AS name, scopes FROM integrations
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)]
                UNION ALL SELECT 'grants', client_name, scopes FROM grants
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)] AND status <> 'ended'
                UNION ALL SELECT 'apps', name, scopes FROM apps
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)] AND status <> 'ended'
                UNION ALL SELECT 'authorizations', '', scopes FROM authorizations
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)] AND status = 'active'
                UNION ALL SELECT 'tokens', coalesce(name, ''), scopes FROM tokens
                WHERE organization_id = \(transaction.organization) AND scopes @> ARRAY[\(name)]
                    AND kind IN ('personal', 'workspace') AND revoked_at IS NULL
                    AND expires_at > \(transaction.startedAt)) AS users
            GROUP BY noun ORDER BY noun
            """
        )
        return try rows.map {
            Use(
                noun: try $0.decode("noun"),
                count: try $0.decode("used"),
                only: try $0.decode("only"),
                names: try $0.decode("names", as: [String]?.self) ?? []
            )
        }
    }

    private func confirm(_ uses: [Use]) throws(ChangeRefusal) {
        let bare = uses.filter { $0.only > 0 && !["tokens", "authorizations"].contains($0.noun) }
        guard bare.isEmpty else {
            let named = bare.map { use in
                let more = use.only > use.names.count ? " and \(use.only - Int64(use.names.count)) more" : ""
                return "\(use.only) \(use.noun) (\(use.names.joined(separator: ", "))\(more))"
            }
            throw .conflict(
                "It is the only scope of \(named.joined(separator: ", ")): end these, or give them another, first."
            )
        }
        let told = uses.map { use in
            let ends = use.only > 0 ? ", \(use.only) of which have no other and end" : ""
            return "\(use.count) \(use.noun)\(ends)"
        }
        let wanted = Confirmation(of: "remove scope \(scope)", seeing: told)
        guard confirmation != wanted.value else { return }
        throw .confirmationRequired(
            value: wanted.value,
            detail: "This scope is taken from " + told.joined(separator: "; ") + "."
        )
    }

    // MARK: Narrowing

    private func narrow(in transaction: OrganizationTransaction) async throws -> [AuditDraft] {
        transaction.narrow(.organization(transaction.organization))
        let results = try await transaction.pipeline(
            statements(in: transaction.organization, at: transaction.startedAt)
        )
        let narrowed: JSON.Object = ["scope_removed": .string(scope.description)]
        func draft(_ action: ActionCode, _ target: AuditTarget) -> AuditDraft {
            AuditDraft(
                action,
                target,
                reason: "scope_removed",
                authority: .scope(.organizationWrite),
                after: narrowed
            )
        }
        var drafts = try results[0].map { draft(.integrationUpdated, .integration(try $0.decode("id"))) }
        drafts += try results[1].map { draft(.grantUpdated, .grant(try $0.decode("id"))) }
        drafts += try results[2].map { draft(.appUpdated, .app(try $0.decode("id"))) }
        for row in results[3] {
            let hasEnded = try row.decode("ended", as: Bool.self)
            let action: ActionCode = hasEnded ? .authorizationEnded : .authorizationNarrowed
            drafts.append(draft(action, .authorization(try row.decode("id"))))
        }
        for row in results[4] where TokenKind(rawValue: try row.decode("kind")) != nil {
            let hasEnded = try row.decode("ended", as: Bool.self)
            drafts.append(draft(hasEnded ? .tokenRevoked : .tokenUpdated, .token(try row.decode("id"))))
        }
        return drafts
    }

    private func statements(in organization: OrganizationID, at now: Timestamp) -> [SQL] {
        let name = scope.description
        return [
            """
            UPDATE integrations SET scopes = array_remove(scopes, \(name)), version = version + 1, updated_at = \(now)
            WHERE organization_id = \(organization) AND scopes @> ARRAY[\(name)] RETURNING id
            """,
            """
            UPDATE grants SET scopes = array_remove(scopes, \(name)), version = version + 1, updated_at = \(now)
            WHERE organization_id = \(organization) AND scopes @> ARRAY[\(name)] AND status <> 'ended' RETURNING id
            """,
            """
            UPDATE apps SET scopes = array_remove(scopes, \(name)), version = version + 1, updated_at = \(now)
            WHERE organization_id = \(organization) AND scopes @> ARRAY[\(name)] AND status <> 'ended' RETURNING id
            """,
            """
            UPDATE authorizations SET scopes = array_remove(scopes, \(name)),
                status = CASE WHEN cardinality(scopes) = 1 THEN 'ended' ELSE status END,
                epoch = epoch + CASE WHEN cardinality(scopes) = 1 THEN 1 ELSE 0 END,
                ended_at = CASE WHEN cardinality(scopes) = 1 THEN \(now) ELSE ended_at END
            WHERE organization_id = \(organization) AND scopes @> ARRAY[\(name)] AND status = 'active'
            RETURNING id, status = 'ended' AS ended
            """,
            """
            UPDATE tokens SET scopes = array_remove(scopes, \(name)), version = version + 1,
                revoked_at = CASE WHEN cardinality(scopes) = 1 AND kind <> 'workspace' THEN \(now) ELSE revoked_at END
            WHERE organization_id = \(organization) AND scopes @> ARRAY[\(name)]
                AND revoked_at IS NULL AND expires_at > \(now)
            RETURNING id, kind, revoked_at IS NOT NULL AS ended
            """,
            """
            DELETE FROM authorization_codes
            WHERE organization_id = \(organization) AND used_at IS NULL AND scopes = ARRAY[\(name)]
            """,
            """
            UPDATE authorization_codes SET scopes = array_remove(scopes, \(name))
            WHERE organization_id = \(organization) AND used_at IS NULL AND scopes @> ARRAY[\(name)]
            """,
        ]
    }
}
