package import Domain
import Postgres
import Transparency

/// A workspace as people name it.
package enum WorkspaceReference: Sendable, Hashable, LosslessStringConvertible {
    case id(WorkspaceID)
    case slug(Slug)

    package init?(_ description: String) {
        if let id = WorkspaceID(description) {
            self = .id(id)
        } else if let slug = Slug(description) {
            self = .slug(slug)
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .id(let id): id.description
        case .slug(let slug): slug.description
        }
    }
}

/// A user as people name one.
package enum UserReference: Sendable, Hashable, CustomStringConvertible {
    case id(UserID)
    case username(String)

    /// What is no id is a username, compared without regard to case.
    package init(_ description: String) {
        self = UserID(description).map(UserReference.id) ?? .username(description)
    }

    package var description: String {
        switch self {
        case .id(let id): id.description
        case .username(let name): name
        }
    }
}

/// What an integration is and may have: all that an admin says of one.
package struct IntegrationTerms: Sendable, Hashable {
    package var slug: Slug
    package var name: String
    package var description: String
    package var contactEmail: ContactEmail
    package var workspace: WorkspaceReference
    /// The ceiling of every grant of its users; not empty.
    package var scopes: ScopeSet
    /// nil: nobody gets a user by rule.
    package var rule: IntegrationRule?
    package var grantLifetime: ISODuration
    /// nil: unrestricted. Never empty.
    package var ipAllowList: [NetworkRange]?
    /// An active member who may claim secrets of users that were made for nobody.
    package var custodian: UserReference?
    package var status: IntegrationStatus

    package init(
        slug: Slug,
        name: String,
        description: String,
        contactEmail: ContactEmail,
        workspace: WorkspaceReference,
        scopes: ScopeSet,
        rule: IntegrationRule?,
        grantLifetime: ISODuration,
        ipAllowList: [NetworkRange]?,
        custodian: UserReference?,
        status: IntegrationStatus = .active
    ) {
        self.slug = slug
        self.name = name
        self.description = description
        self.contactEmail = contactEmail
        self.workspace = workspace
        self.scopes = scopes
        self.rule = rule
        self.grantLifetime = grantLifetime
        self.ipAllowList = ipAllowList
        self.custodian = custodian
        self.status = status
    }

    /// Whether people's access has to be computed anew after this change.
    func callsForReevaluation(after former: IntegrationTerms) -> Bool {
        status != former.status
            || status == .active
                && (rule?.description != former.rule?.description || scopes != former.scopes
                    || ipAllowList != former.ipAllowList)
    }

    /// What an entry tells of it. A contact's address is not a person's attribute and is told as it is.
    func entry(workspace: WorkspaceID, custodian: UserID?) -> JSON.Object {
        var entry = PlanEntries.terms(scopes, ipAllowList)
        entry["slug"] = .string(slug.description)
        entry["name"] = .string(name)
        entry["description"] = .string(description)
        entry["contact_email"] = .string(contactEmail.description)
        entry["workspace"] = .string(workspace.description)
        entry["rule"] = .orNull(rule)
        entry["grant_lifetime"] = .string(grantLifetime.description)
        entry["custodian"] = .orNull(custodian)
        entry["status"] = .string(status.rawValue)
        return entry
    }
}

/// An integration as it stands.
package struct IntegrationView: Sendable {
    package let id: IntegrationID
    /// Its workspace and custodian by id.
    package let terms: IntegrationTerms
    package let workspace: WorkspaceID
    package let workspaceSlug: Slug
    package let custodian: UserID?
    package let custodianName: String?
    package let activeUsers: Int64
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
}

extension OrganizationTransaction {
    /// The next integrations behind `after`, oldest first.
    package func integrations(after: IntegrationID?, most: Int) async throws -> [IntegrationView] {
        let rows = try await query(
            IntegrationView.selection
                + " WHERE i.id > \(after ?? .lowest) ORDER BY i.id LIMIT \(most)"
        )
        return try rows.map { try IntegrationView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func integration(_ id: IntegrationID) async throws -> IntegrationView? {
        try await query(IntegrationView.selection + " WHERE i.id = \(id)").first.map { try IntegrationView(row: $0) }
    }

    /// The workspace that is meant; refused with the pointer where there is none.
    func resolve(_ workspace: WorkspaceReference, at pointer: String) async throws -> WorkspaceID {
        let rows =
            switch workspace {
            case .id(let id): try await query("SELECT id FROM workspaces WHERE id = \(id)")
            case .slug(let slug): try await query("SELECT id FROM workspaces WHERE slug = \(slug.description)")
            }
        guard let row = rows.first else {
            throw ChangeRefusal.invalid(pointer, "The organization has no such workspace.")
        }
        return try row.decode("id")
    }

    /// The active member who is meant; refused with the pointer where there is none.
    func resolveMember(_ member: UserReference, at pointer: String) async throws -> UserID {
        let rows =
            switch member {
            case .id(let id):
                try await query("SELECT id FROM users WHERE id = \(id) AND kind = 'member' AND status = 'active'")
            case .username(let name):
                try await query(
                    """
                    SELECT id FROM users
                    WHERE lower(username) = lower(\(name)) AND kind = 'member' AND status = 'active'
                    """
                )
            }
        guard let row = rows.first else {
            throw ChangeRefusal.invalid(pointer, "The organization has no such active member.")
        }
        return try row.decode("id")
    }
}

extension IntegrationView {
    fileprivate static let selection: SQL = """
        SELECT i.id, i.slug, i.name, i.description, i.contact_email, i.workspace_id, i.scopes, i.rule, i.grant_lifetime,
            i.ip_allow_list, i.custodian_id, i.status, i.version, i.created_at, i.updated_at, w.slug AS workspace_slug,
            c.username AS custodian_name, (SELECT count(*) FROM users u WHERE u.organization_id = i.organization_id
                AND u.integration_id = i.id AND u.status = 'active') AS active_users
        FROM integrations i
        JOIN workspaces w ON (w.organization_id, w.id) = (i.organization_id, i.workspace_id)
        LEFT JOIN users c ON (c.organization_id, c.id) = (i.organization_id, i.custodian_id)
        """

    fileprivate init(row: PostgresRow) throws {
        let workspace = try row.decode("workspace_id", as: WorkspaceID.self)
        let custodian = try row.decode("custodian_id", as: UserID?.self)
        self.init(
            id: try row.decode("id"),
            terms: IntegrationTerms(
                slug: try row.parse("slug"),
                name: try row.decode("name"),
                description: try row.decode("description"),
                contactEmail: try row.parse("contact_email"),
                workspace: .id(workspace),
                scopes: try row.scopes("scopes"),
                rule: try row.parseIfPresent("rule"),
                grantLifetime: try row.parse("grant_lifetime"),
                ipAllowList: try row.networks("ip_allow_list"),
                custodian: custodian.map(UserReference.id),
                status: try row.word("status")
            ),
            workspace: workspace,
            workspaceSlug: try row.parse("workspace_slug"),
            custodian: custodian,
            custodianName: try row.decode("custodian_name"),
            activeUsers: try row.decode("active_users"),
            version: try row.decode("version"),
            createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at")
        )
    }
}
