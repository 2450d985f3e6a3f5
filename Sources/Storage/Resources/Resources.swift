package import Domain
import Postgres
import Transparency

/// A resource that an organization's tokens may be for.
package struct ResourceView: Sendable {
    package let id: ResourceID
    package let identifier: ResourceIdentifier
    package let name: String
    package let format: TokenFormat
    /// Whether it stands for Rollcall itself: then only the form of its tokens is settled here.
    package let isOwn: Bool
    package let createdAt: Timestamp

    /// Of one organization at most.
    package static let most: Int64 = 200
}

extension OrganizationTransaction {
    /// By identifier; at most ``ResourceView/most``.
    package func resources() async throws -> [ResourceView] {
        try await query(Self.resourceColumns + " ORDER BY identifier").map { try ResourceView(row: $0) }
    }

    /// nil where the organization has none of that identifier.
    package func resource(_ identifier: String) async throws -> ResourceView? {
        try await query(Self.resourceColumns + " WHERE identifier = \(identifier)").first.map {
            try ResourceView(row: $0)
        }
    }

    private static var resourceColumns: SQL {
        "SELECT id, identifier, name, token_format, is_own, created_at FROM resources"
    }
}

/// Adding a resource that tokens may be for. Refused where the organization has it, and where another one does: whoever
/// validates a signed token could not tell whose it is.
package struct ResourceCreation: SingleChange {
    package typealias Output = ResourceView

    private let view: ResourceView
    private let caller: UserID
    private let attribution: Attribution

    /// `issuer` tells which resources stand for this server itself.
    package init(
        _ identifier: ResourceIdentifier,
        name: String,
        format: TokenFormat,
        issuer: String,
        by caller: Caller,
        _ attribution: Attribution,
        in store: Store
    ) {
        view = ResourceView(
            id: store.newID(),
            identifier: identifier,
            name: name,
            format: format,
            isOwn: ResourceIdentifier.own(of: issuer).contains(identifier.description),
            createdAt: store.clock.now()
        )
        self.caller = caller.user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (ResourceView, [Recorded]) {
        let results = try await transaction.pipeline([
            "SELECT id FROM organizations WHERE id = \(transaction.organization) FOR NO KEY UPDATE",
            "SELECT count(*) AS known FROM resources WHERE organization_id = \(transaction.organization)",
            // Another organization's row is not seen, and still in the way.
            """
            INSERT INTO resources (organization_id, id, identifier, name, token_format, is_own, created_by, created_at)
            VALUES (\(transaction.organization), \(view.id), \(view.identifier.description), \(view.name),
                \(view.format.rawValue), \(view.isOwn), \(caller), \(transaction.startedAt))
            ON CONFLICT DO NOTHING
            """,
        ])
        guard try results[1].only().decode("known", as: Int64.self) < ResourceView.most else {
            throw ChangeRefusal.conflict("There are \(ResourceView.most) resources already.")
        }
        guard let made = try await transaction.resource(view.identifier.description), made.id == view.id else {
            throw ChangeRefusal.conflict("This resource is there already, here or in another organization.")
        }
        let draft = AuditDraft(
            .resourceCreated,
            .resource(made.id),
            authority: .scope(.organizationWrite),
            after: made.entry
        )
        return (made, [Recorded(draft, by: attribution)])
    }
}

/// Taking a resource away: no token is for it any more. Those for Rollcall itself stay, and are opaque again from now on.
package struct ResourceRemoval: SingleChange {
    package typealias Output = Void

    private let id: ResourceID
    private let attribution: Attribution

    package init(of id: ResourceID, by attribution: Attribution) {
        self.id = id
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let rows = try await transaction.query(
            """
            DELETE FROM resources WHERE organization_id = \(transaction.organization) AND id = \(id)
            RETURNING id, identifier, name, token_format, is_own, created_at
            """
        )
        guard let row = rows.first else { throw ChangeRefusal.notFound }
        let removed = try ResourceView(row: row)
        var after: JSON.Object = [:]
        if !removed.isOwn {
            let ended = try await transaction.query(
                """
                UPDATE tokens SET revoked_at = \(transaction.startedAt)
                WHERE organization_id = \(transaction.organization) AND audience = \(removed.identifier.description)
                    AND revoked_at IS NULL AND expires_at > \(transaction.startedAt)
                RETURNING id
                """
            )
            if !ended.isEmpty { transaction.narrow(.organization(transaction.organization)) }
            after["tokens_revoked"] = .integer(ended.count)
        }
        let draft = AuditDraft(
            .resourceRemoved,
            .resource(id),
            authority: .scope(.organizationWrite),
            before: removed.entry,
            after: after
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}

extension ResourceView {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            identifier: try row.parse("identifier"),
            name: try row.decode("name"),
            format: try row.word("token_format"),
            isOwn: try row.decode("is_own"),
            createdAt: try row.decode("created_at")
        )
    }

    fileprivate var entry: JSON.Object {
        [
            "identifier": .string(identifier.description), "name": .string(name),
            "token_format": .string(format.rawValue),
        ]
    }
}
