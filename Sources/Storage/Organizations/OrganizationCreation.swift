package import Domain
import Postgres
import Transparency

/// Making an organization with its first workspace. Only with the owner's connection: the service cannot make tenants.
package struct OrganizationCreation: Change {
    package let id: OrganizationID
    package let slug: Slug
    package let name: String
    private let workspace: WorkspaceID
    private let attribution: Attribution

    /// The workspace that every organization begins with.
    package static let firstWorkspace = "main"

    /// With ``firstWorkspace`` in it. For operators alone: nobody is inside an organization that is not there.
    package init(slug: Slug, name: String, by attribution: Attribution, in store: Store) {
        id = store.newID()
        workspace = store.newID()
        self.slug = slug
        self.name = name
        self.attribution = attribution
    }

    package static func make(
        _ changes: [OrganizationCreation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<OrganizationID>] {
        let now = transaction.startedAt
        _ = try await transaction.pipeline([
            """
            INSERT INTO organizations (id, slug, name, created_at)
            SELECT o.id, o.slug, o.name, \(now)
            FROM unnest(\(changes.map(\.id)), \(changes.map(\.slug.description)), \(changes.map(\.name)))
                AS o(id, slug, name)
            """,
            """
            INSERT INTO workspaces (organization_id, id, slug, name, created_at)
            SELECT w.organization_id, w.id, \(firstWorkspace), 'Main', \(now)
            FROM unnest(\(changes.map(\.id)), \(changes.map(\.workspace))) AS w(organization_id, id)
            """,
        ])
        return changes.map { change in
            let drafts = [
                AuditDraft(
                    .organizationCreated,
                    .organization(change.id),
                    authority: .operatorAccess,
                    after: ["slug": .string(change.slug.description)]
                ),
                AuditDraft(
                    .workspaceCreated,
                    .workspace(change.workspace),
                    authority: .operatorAccess,
                    after: ["slug": .string(firstWorkspace)]
                ),
            ]
            return .done(change.id, drafts.map { Recorded($0, by: change.attribution) })
        }
    }
}

extension Store {
    /// Makes an organization. Refuses a slug that is taken.
    package func createOrganization(slug: Slug, name: String) async throws -> OrganizationID {
        let attribution = Attribution(actor: .system("operator"), receivedAt: clock.now())
        let creation = OrganizationCreation(slug: slug, name: name, by: attribution, in: self)
        do {
            return try await perform(creation, in: creation.id)
        } catch let error as PostgresError where error.constraint == "organizations_slug_unique" {
            throw OrganizationRefusal.slugTaken
        }
    }

    /// The organization of that slug, for whoever works on the machine itself.
    package func organization(slug: Slug) async throws -> OrganizationID? {
        let rows = try await pool.query("SELECT organization_of_slug(\(slug.description)) AS id")
        return try rows.only().decode("id")
    }

    /// Every organization by its slug, on the owner's connection: the service's sees none.
    package func organizations() async throws -> [(id: OrganizationID, slug: Slug)] {
        let rows = try await pool.query("SELECT id, slug FROM organizations ORDER BY slug")
        return try rows.map { (try $0.decode("id"), try $0.parse("slug")) }
    }
}

/// Why an operator's request about an organization is refused.
package enum OrganizationRefusal: String, Error, Sendable {
    case slugTaken = "slug_taken"
    case usernameTaken = "username_taken"
    /// There is an active security admin: they can make what is needed.
    case alreadyBootstrapped = "already_bootstrapped"
}
