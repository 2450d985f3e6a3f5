import Domain
import Postgres
import Transparency

/// A person who is about to be erased, locked with their lane and accounts.
struct KnownPerson {
    let id: PersonID
    let lane: EventApplication.Lane
    let status: PersonStatus
    let isErased: Bool
    let values: IdentifyingValues
    let users: [User]

    struct User {
        let id: UserID
        let isActive: Bool
    }

    /// Refused for whom the organization does not have.
    init(_ id: PersonID, lockedIn transaction: OrganizationTransaction) async throws {
        // The organization first: nobody places a hold, or lifts one, meanwhile.
        _ = try await transaction.settings(lock: "FOR NO KEY UPDATE")
        let places = try await transaction.query("SELECT source_id, external_id FROM people WHERE id = \(id)")
        guard let place = places.first else { throw ChangeRefusal.notFound }
        let lane = try EventApplication.Lane(place)
        let results = try await transaction.pipeline([
            // Nobody maps a delivery of the source meanwhile.
            "SELECT id FROM sources WHERE id = \(lane.source) FOR NO KEY UPDATE",
            """
            SELECT external_id FROM lanes WHERE (source_id, external_id) = (\(lane.source), \(lane.externalID))
            FOR UPDATE
            """,
            "SELECT status, attributes, external_id, erased_at FROM people WHERE id = \(id) FOR UPDATE",
            "SELECT id, username, status = 'active' AS active FROM users WHERE person_id = \(id) ORDER BY id FOR UPDATE",
        ])
        let row = try results[2].only()
        self.id = id
        self.lane = EventApplication.Lane(source: lane.source, externalID: try row.decode("external_id"))
        status = try row.word("status")
        isErased = try row.decode("erased_at", as: Timestamp?.self) != nil
        users = try results[3].map { User(id: try $0.decode("id"), isActive: try $0.decode("active")) }
        values = IdentifyingValues(
            of: try row.jsonObject("attributes"),
            usernames: try results[3].map { try $0.decode("username") }
        )
    }

    /// What keeps the person from being erased now, but for holds; nil: nothing.
    func obstacle(in transaction: OrganizationTransaction) async throws -> ErasureObstacle? {
        if status.hasAccess || users.contains(where: \.isActive) { return .hasAccess }
        for row in try await transaction.query(Self.writtenTexts(in: transaction.organization)) {
            if values.isSaid(in: try row.decode("said")) { return .namedElsewhere }
        }
        let waiting = try await transaction.query(
            """
            SELECT d.id FROM deliveries d
            WHERE d.organization_id = \(transaction.organization) AND d.status = 'accepted'
                AND EXISTS (SELECT FROM unnest(\(values.forms)) f WHERE position(f IN d.body) > 0)
            LIMIT 1
            """
        )
        return waiting.isEmpty ? nil : .deliveryWaits
    }

    /// What admins wrote and can write anew. What is over is emptied instead (``PersonWiping``).
    private static func writtenTexts(in organization: OrganizationID) -> SQL {
        """
        SELECT said FROM (
            SELECT concat_ws(E'\\n', name, description, contact_email, rule) AS said FROM integrations
            WHERE organization_id = \(organization)
            UNION ALL SELECT concat_ws(E'\\n', name, description, contact_email) FROM apps
            WHERE organization_id = \(organization) AND status <> 'ended'
            UNION ALL SELECT client_name FROM grants WHERE organization_id = \(organization) AND status <> 'ended'
            UNION ALL SELECT concat_ws(E'\\n', name, filter) FROM audit_queries WHERE organization_id = \(organization)
            UNION ALL SELECT concat_ws(E'\\n', matter, filter) FROM holds
            WHERE organization_id = \(organization) AND lifted_at IS NULL
            UNION ALL SELECT concat_ws(E'\\n', slug, name) FROM workspaces WHERE organization_id = \(organization)
            UNION ALL SELECT opens FROM scopes WHERE organization_id = \(organization)
            UNION ALL SELECT concat_ws(E'\\n', identifier, name) FROM resources WHERE organization_id = \(organization)
            UNION ALL SELECT label FROM source_keys WHERE organization_id = \(organization)
            UNION ALL SELECT t.name FROM tokens t JOIN users u ON (u.organization_id, u.id) = (t.organization_id, t.user_id)
            WHERE t.organization_id = \(organization) AND t.kind IN ('personal', 'workspace') AND t.revoked_at IS NULL
                AND u.status = 'active'
            UNION ALL SELECT u.username FROM users u
            WHERE u.organization_id = \(organization) AND u.status = 'active' AND u.kind = 'integration'
                AND u.person_id IS NULL
            UNION ALL SELECT request::text FROM approvals WHERE organization_id = \(organization) AND status = 'pending'
        ) texts WHERE said IS NOT NULL
        """
    }
}
