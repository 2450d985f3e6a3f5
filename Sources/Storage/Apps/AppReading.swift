package import Domain
import Postgres
import Transparency

/// An app: an OAuth client of many users of its organization. Its id is the client id; its secret is nowhere.
package struct AppView: Sendable {
    package let organization: OrganizationID
    package let id: AppID
    package let terms: AppTerms
    package let isConfidential: Bool
    package let status: AppStatus
    package let version: Int64
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
    package let endedAt: Timestamp?
    package let origin: AppOrigin
    /// What an outside client is called; nil for one that an admin registered.
    package let clientName: String?
    let secretDigest: [UInt8]?

    /// The OAuth client id.
    package var clientID: String { clientName ?? id.description }
}

extension OrganizationTransaction {
    /// The next apps behind `after`, oldest first.
    package func apps(after: AppID?, most: Int) async throws -> [AppView] {
        let rows = try await query(Self.appColumns + " WHERE id > \(after ?? .lowest) ORDER BY id LIMIT \(most)")
        return try rows.map { try AppView(row: $0) }
    }

    /// nil where the organization has none of that id.
    package func app(_ id: AppID) async throws -> AppView? {
        let rows = try await query(Self.appColumns + " WHERE id = \(id)")
        return try rows.first.map { try AppView(row: $0) }
    }

    /// The same, held until the transaction ends. Throws where there is none.
    func lockedApp(_ id: AppID) async throws -> AppView {
        let rows = try await query(Self.appColumns + " WHERE id = \(id) FOR NO KEY UPDATE")
        guard let row = rows.first else { throw ChangeRefusal.notFound }
        return try AppView(row: row)
    }

    private static var appColumns: SQL {
        """
        SELECT organization_id, id, name, description, contact_email, redirect_uris, scopes, is_confidential, is_legacy,
            access_lifetime_seconds, secret_digest, status, version, created_at, updated_at, ended_at,
            origin, client_name
        FROM apps
        """
    }
}

extension Store {
    /// The app of that client id, of whatever organization; nil where there is none, or it was deleted.
    package func app(client: AppID) async throws -> AppView? {
        let found = try await pool.query("SELECT organization_of_app(\(client)) AS organization_id")
        guard let organization = try found.only().decode("organization_id", as: OrganizationID?.self) else {
            return nil
        }
        let app = try await read(as: organization) { try await $0.app(client) }
        // What is called otherwise has no other client id.
        return app.flatMap { $0.status == .ended || $0.clientName != nil ? nil : $0 }
    }

    /// Whether that is the app's secret. Takes the same time for an app without one.
    package func isSecret(_ secret: OpaqueSecret, of app: AppView) -> Bool {
        let isRight = keyring.matches(secret, app.secretDigest ?? [UInt8](repeating: 0, count: 32))
        return isRight && app.secretDigest != nil && secret.kind == .client
    }
}

extension AppView {
    fileprivate init(row: PostgresRow) throws {
        let redirects = try row.decode("redirect_uris", as: [String].self).map { text in
            guard let redirect = RedirectURI(text) else {
                throw row.refusal(of: "redirect_uris", because: .malformed("not a redirect URI"))
            }
            return redirect
        }
        self.init(
            organization: try row.decode("organization_id"),
            id: try row.decode("id"),
            terms: AppTerms(
                name: try row.decode("name"),
                description: try row.decode("description"),
                contactEmail: try row.parse("contact_email"),
                redirects: redirects,
                scopes: try row.scopes("scopes"),
                isLegacy: try row.decode("is_legacy"),
                accessLifetime: .seconds(try row.decode("access_lifetime_seconds", as: Int32.self))
            ),
            isConfidential: try row.decode("is_confidential"),
            status: try row.word("status"),
            version: try row.decode("version"),
            createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at"),
            endedAt: try row.decode("ended_at"),
            origin: try row.word("origin"),
            clientName: try row.decode("client_name"),
            secretDigest: try row.decode("secret_digest")
        )
    }
}

extension AppTerms {
    /// As an entry tells it.
    var entry: JSON.Object {
        [
            "name": .string(name), "description": .string(description),
            "contact_email": .string(contactEmail.description),
            "redirect_uris": .array(redirects.map { .string($0.description) }),
            "scopes": .array(scopes.names.map(JSON.string)), "legacy": .bool(isLegacy),
            "access_token_seconds": .integer(accessLifetime.components.seconds),
        ]
    }
}
