package import Domain
import Postgres
import Transparency

/// Adding an integration. People whom its rule matches get their users by re-evaluation, which this wakes.
package struct IntegrationCreation: SingleChange {
    package typealias Output = IntegrationView

    private let id: IntegrationID
    let terms: IntegrationTerms
    var authority = Authority.scope(.integrationsWrite)
    private let attribution: Attribution

    /// Workspace and custodian are looked up when the change is made.
    package init(_ terms: IntegrationTerms, by attribution: Attribution, in store: Store) {
        id = store.newID()
        self.terms = terms
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (IntegrationView, [Recorded]) {
        let now = transaction.startedAt
        let resolved = try await transaction.resolve(terms)
        _ = try await transaction.query(
            """
            INSERT INTO integrations (organization_id, id, slug, name, description, contact_email, workspace_id, scopes,
                rule, grant_lifetime, ip_allow_list, custodian_id, status, created_at, updated_at)
            VALUES (\(transaction.organization), \(id), \(terms.slug.description), \(terms.name), \(terms.description),
                \(terms.contactEmail.description), \(resolved.workspace), \(terms.scopes.names),
                \(terms.rule?.description as String?), \(terms.grantLifetime.description),
                \(terms.ipAllowList?.map(\.description) as [String]?), \(resolved.custodian as UserID?),
                \(terms.status.rawValue), \(now), \(now))
            """
        )
        if terms.rule != nil, terms.status == .active { try await transaction.wakePeople(of: id) }
        guard let view = try await transaction.integration(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .integrationCreated,
            .integration(id),
            authority: authority,
            after: terms.entry(workspace: resolved.workspace, custodian: resolved.custodian)
        )
        return (view, [Recorded(draft, by: attribution)])
    }

    /// Everything that is made, once nothing can be said against it.
    func check(in transaction: OrganizationTransaction) async throws -> JSON.Object {
        let resolved = try await transaction.resolve(terms)
        let slug = terms.slug.description
        guard try await transaction.query("SELECT id FROM integrations WHERE slug = \(slug)").isEmpty else {
            throw ChangeRefusal.conflict("There is an integration of this slug already.")
        }
        return terms.entry(workspace: resolved.workspace, custodian: resolved.custodian)
    }
}

/// Changing what an admin says of an integration. Refused when it is another version than the caller has seen. Users and
/// grants follow by re-evaluation, which this wakes.
package struct IntegrationUpdate: SingleChange {
    package typealias Output = IntegrationView

    let id: IntegrationID
    let expectedVersion: Int64
    let terms: IntegrationTerms
    let confirmation: String?
    var authority = Authority.scope(.integrationsWrite)
    private let attribution: Attribution

    /// `version` is the one that the caller has seen.
    package init(
        of id: IntegrationID,
        version: Int64,
        to terms: IntegrationTerms,
        confirmation: String? = nil,
        by attribution: Attribution
    ) {
        self.id = id
        expectedVersion = version
        self.terms = terms
        self.confirmation = confirmation
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (IntegrationView, [Recorded]) {
        let (before, resolved, next) = try await check(in: transaction)
        let former = before.terms.entry(workspace: before.workspace, custodian: before.custodian)
        guard former != next else { return (before, []) }
        transaction.narrow(.integration(id))
        _ = try await transaction.query(
            """
            UPDATE integrations SET slug = \(terms.slug.description), name = \(terms.name),
                description = \(terms.description), contact_email = \(terms.contactEmail.description),
                workspace_id = \(resolved.workspace), scopes = \(terms.scopes.names),
                rule = \(terms.rule?.description as String?), grant_lifetime = \(terms.grantLifetime.description),
                ip_allow_list = \(terms.ipAllowList?.map(\.description) as [String]?),
                custodian_id = \(resolved.custodian as UserID?), status = \(terms.status.rawValue),
                version = version + 1, updated_at = \(transaction.startedAt)
            WHERE id = \(id)
            """
        )
        if terms.callsForReevaluation(after: before.terms) { try await transaction.wakePeople(of: id) }
        guard let after = try await transaction.integration(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .integrationUpdated,
            .integration(id),
            authority: authority,
            before: former.differing(from: next),
            after: next.differing(from: former)
        )
        return (after, [Recorded(draft, by: attribution)])
    }

    /// The integration as it is, locked, and as it would be, once nothing can be said against the change.
    func check(
        in transaction: OrganizationTransaction
    ) async throws -> (
        before: IntegrationView, resolved: (workspace: WorkspaceID, custodian: UserID?), next: JSON.Object
    ) {
        _ = try await transaction.query("SELECT id FROM integrations WHERE id = \(id) FOR NO KEY UPDATE")
        guard let before = try await transaction.integration(id) else { throw ChangeRefusal.notFound }
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        let resolved = try await transaction.resolve(terms)
        let next = terms.entry(workspace: resolved.workspace, custodian: resolved.custodian)
        if terms.ipAllowList != before.terms.ipAllowList {
            // Grants that its rule made follow its list.
            try await transaction.confirmCutOff(
                of: "SELECT id FROM grants WHERE rule_integration_id = \(id) AND status <> 'ended'",
                allowing: terms.ipAllowList,
                for: id.description,
                caller: nil,
                confirmation: confirmation
            )
        }
        return (before, resolved, next)
    }
}

extension OrganizationTransaction {
    fileprivate func resolve(
        _ terms: IntegrationTerms
    ) async throws -> (workspace: WorkspaceID, custodian: UserID?) {
        try await hold(terms.scopes)
        let workspace = try await resolve(terms.workspace, at: "/workspace")
        guard let custodian = terms.custodian else { return (workspace, nil) }
        return (workspace, try await resolveMember(custodian, at: "/custodian"))
    }

    /// Has the access computed anew of everybody who has access, or has a user of the integration. The lanes are locked
    /// in one order, so that this and the mapping of deliveries never wait for each other in a circle.
    fileprivate func wakePeople(of integration: IntegrationID) async throws {
        _ = try await query(
            """
            WITH woken AS (
                SELECT l.source_id, l.external_id FROM lanes l
                JOIN people p ON (p.source_id, p.external_id) = (l.source_id, l.external_id)
                WHERE p.status IN ('active', 'leaving') OR EXISTS (
                    SELECT FROM users u WHERE u.organization_id = p.organization_id AND u.person_id = p.id
                        AND u.integration_id = \(integration) AND u.status = 'active')
                ORDER BY l.source_id, l.external_id FOR UPDATE OF l)
            UPDATE lanes l SET reevaluate = true, ready_at = least(l.ready_at, clock_timestamp())
            FROM woken w WHERE (l.source_id, l.external_id) = (w.source_id, w.external_id)
            """
        )
    }
}
