package import Domain
import Postgres
import Transparency

/// The organization's own app for an outside client, made when a member is about to let it act for them, and brought up to
/// what the client says of itself now. Refused where an admin stopped or deleted it, and, but for the command line, where
/// the organization lets in none.
package struct AppAdoption: SingleChange {
    package typealias Output = AppView

    private let client: OutsideClient
    private let id: AppID
    private let attribution: Attribution

    /// What the member allows besides is ``AppAuthorization``.
    package init(of client: OutsideClient, by attribution: Attribution, in store: Store) {
        self.client = client
        self.attribution = attribution
        id = store.newID()
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (AppView, [Recorded]) {
        let now = transaction.startedAt
        let terms = client.terms
        // Held until the commit: what is switched off at this moment lets nobody in afterwards.
        let letsIn = try await transaction.settings(lock: "FOR SHARE").letsInOutsideApps
        guard client.origin == .builtIn || letsIn else {
            throw ChangeRefusal.conflict("The organization lets in only apps that an admin registered.")
        }
        _ = try await transaction.query(
            """
            INSERT INTO apps (organization_id, id, name, description, contact_email, redirect_uris, scopes,
                is_confidential, is_legacy, access_lifetime_seconds, secret_digest, status, created_at, updated_at,
                origin, client_name)
            VALUES (\(transaction.organization), \(id), \(terms.name), \(terms.description),
                \(terms.contactEmail.description), \(terms.redirects.map(\.description)), \(terms.scopes.names),
                \(client.secretDigest != nil), false, \(Int32(terms.accessLifetime.components.seconds)),
                \(client.secretDigest as [UInt8]?), 'active', \(now), \(now), \(client.origin.rawValue), \(client.name))
            ON CONFLICT (organization_id, client_name) DO NOTHING
            """
        )
        guard let before = try await transaction.app(calledBy: client.name, lock: "FOR NO KEY UPDATE") else {
            throw ChangeRefusal.notFound
        }
        guard before.status == .active else { throw ChangeRefusal.conflict("An admin stopped this app.") }
        guard before.id != id else {
            if let registration = RegistrationID(client.name) {
                _ = try await transaction.query("SELECT keep_registered_client(\(registration))")
            }
            var after = terms.entry
            after["origin"] = .string(client.origin.rawValue)
            after["client_id"] = .string(client.name)
            return (before, [Recorded(AuditDraft(.appCreated, .app(id), after: after), by: attribution)])
        }
        guard before.terms != terms else { return (before, []) }
        _ = try await transaction.query(
            """
            UPDATE apps SET name = \(terms.name), description = \(terms.description),
                contact_email = \(terms.contactEmail.description), redirect_uris = \(terms.redirects.map(\.description)),
                scopes = \(terms.scopes.names), version = version + 1, updated_at = \(now)
            WHERE id = \(before.id)
            """
        )
        if terms.scopes != before.terms.scopes { transaction.narrow(.organization(transaction.organization)) }
        guard let after = try await transaction.app(before.id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .appUpdated,
            .app(before.id),
            before: before.terms.entry.differing(from: terms.entry),
            after: terms.entry.differing(from: before.terms.entry)
        )
        return (after, [Recorded(draft, by: attribution)])
    }
}

extension OrganizationTransaction {
    /// The organization's own app for the outside client of that name, whatever its state; nil where it has none.
    package func app(calledBy name: String) async throws -> AppView? { try await app(calledBy: name, lock: "") }

    fileprivate func app(calledBy name: String, lock: SQL) async throws -> AppView? {
        let rows = try await query("SELECT id FROM apps WHERE client_name = \(name) \(lock)")
        guard let row = rows.first else { return nil }
        return try await app(try row.decode("id"))
    }
}

extension Store {
    /// The app that an outside client got a code or token of, told by what it presents; nil where it got none.
    package func app(calledBy name: String, presenting secret: OpaqueSecret) async throws -> AppView? {
        for digest in keyring.digests(of: secret) {
            let rows = try await pool.query("SELECT organization_id, id FROM app_of_presented(\(name), \(digest))")
            guard let row = rows.first else { continue }
            let id = try row.decode("id", as: AppID.self)
            let app = try await read(as: try row.decode("organization_id")) { try await $0.app(id) }
            return app.flatMap { $0.status == .ended ? nil : $0 }
        }
        return nil
    }
}
