package import Domain
import Postgres
import Transparency

/// An app with its secret, which is shown this once; nil for a public one.
package struct AppWithSecret: Sendable {
    package let app: AppView
    package let secret: OpaqueSecret?
}

/// Registering an app, by an admin.
package struct AppCreation: SingleChange {
    package typealias Output = AppWithSecret

    private let id: AppID
    private let terms: AppTerms
    private let attribution: Attribution
    private let secret: OpaqueSecret?
    private let digest: [UInt8]?

    /// Draws the secret of a confidential app. A public one cannot be legacy.
    package init(_ terms: AppTerms, isConfidential: Bool, by attribution: Attribution, in store: Store) {
        id = store.newID()
        self.terms = terms
        self.attribution = attribution
        secret = isConfidential ? .make(.client, using: store.randomness) : nil
        digest = secret.map(store.keyring.digest(of:))
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (AppWithSecret, [Recorded]) {
        guard secret != nil || !terms.isLegacy else {
            throw ChangeRefusal.invalid("/legacy", "Only a confidential app can be legacy.")
        }
        let now = transaction.startedAt
        try await transaction.hold(terms.scopes)
        _ = try await transaction.query(
            """
            INSERT INTO apps (organization_id, id, name, description, contact_email, redirect_uris, scopes,
                is_confidential, is_legacy, access_lifetime_seconds, secret_digest, status, created_at, updated_at)
            VALUES (\(transaction.organization), \(id), \(terms.name), \(terms.description),
                \(terms.contactEmail.description), \(terms.redirects.map(\.description)), \(terms.scopes.names),
                \(secret != nil), \(terms.isLegacy), \(Int32(terms.accessLifetime.components.seconds)),
                \(digest as [UInt8]?), 'active', \(now), \(now))
            """
        )
        guard let app = try await transaction.app(id) else { throw ChangeRefusal.notFound }
        var after = terms.entry
        after["confidential"] = .bool(app.isConfidential)
        let draft = AuditDraft(.appCreated, .app(id), authority: .scope(.integrationsWrite), after: after)
        return (AppWithSecret(app: app, secret: secret), [Recorded(draft, by: attribution)])
    }
}

/// Changing what an app is. Refused when it is another version than the caller has seen, and when it was deleted.
package struct AppUpdate: SingleChange {
    package typealias Output = AppView

    private let id: AppID
    private let expectedVersion: Int64
    private let terms: AppTerms
    private let attribution: Attribution

    /// `version` is the one that the caller has seen.
    package init(of id: AppID, version: Int64, to terms: AppTerms, by attribution: Attribution) {
        self.id = id
        expectedVersion = version
        self.terms = terms
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (AppView, [Recorded]) {
        let before = try await transaction.lockedApp(id)
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        guard before.status != .ended else { throw ChangeRefusal.conflict("The app was deleted.") }
        guard before.origin == .admin else {
            throw ChangeRefusal.conflict("No admin registered this app: it says itself what it is. It can be stopped.")
        }
        guard before.terms != terms else { return (before, []) }
        guard before.isConfidential || !terms.isLegacy else {
            throw ChangeRefusal.invalid("/legacy", "Only a confidential app can be legacy.")
        }
        try await transaction.hold(terms.scopes)
        _ = try await transaction.query(
            """
            UPDATE apps SET name = \(terms.name), description = \(terms.description),
                contact_email = \(terms.contactEmail.description),
                redirect_uris = \(terms.redirects.map(\.description)), scopes = \(terms.scopes.names),
                is_legacy = \(terms.isLegacy),
                access_lifetime_seconds = \(Int32(terms.accessLifetime.components.seconds)),
                version = version + 1, updated_at = \(transaction.startedAt)
            WHERE id = \(id)
            """
        )
        // Its scopes bound every token of it, also those that are cached.
        if terms.scopes != before.terms.scopes { transaction.narrow(.organization(transaction.organization)) }
        guard let after = try await transaction.app(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .appUpdated,
            .app(id),
            authority: .scope(.integrationsWrite),
            before: before.terms.entry.differing(from: terms.entry),
            after: terms.entry.differing(from: before.terms.entry)
        )
        return (after, [Recorded(draft, by: attribution)])
    }
}

/// Replacing the secret of a confidential app, at once. Its tokens stay good.
package struct AppSecretRotation: SingleChange {
    package typealias Output = AppWithSecret

    private let id: AppID
    private let attribution: Attribution
    private let secret: OpaqueSecret
    private let digest: [UInt8]

    /// Refused for a public app and for one that was deleted.
    package init(of id: AppID, by attribution: Attribution, in store: Store) {
        self.id = id
        self.attribution = attribution
        secret = .make(.client, using: store.randomness)
        digest = store.keyring.digest(of: secret)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (AppWithSecret, [Recorded]) {
        let before = try await transaction.lockedApp(id)
        guard before.status != .ended else { throw ChangeRefusal.conflict("The app was deleted.") }
        guard before.isConfidential else { throw ChangeRefusal.conflict("A public app has no secret.") }
        guard before.origin == .admin else { throw ChangeRefusal.conflict("No admin registered this app.") }
        _ = try await transaction.query(
            """
            UPDATE apps SET secret_digest = \(digest), version = version + 1, updated_at = \(transaction.startedAt)
            WHERE id = \(id)
            """
        )
        guard let after = try await transaction.app(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .appSecretRotated,
            .app(id),
            authority: .scope(.integrationsWrite),
            after: ["secret_digest_prefix": .string(CredentialDigest.prefix(of: digest))]
        )
        return (AppWithSecret(app: after, secret: secret), [Recorded(draft, by: attribution)])
    }
}

/// Stopping an app, letting it go on, or deleting it for good. While it is stopped none of its tokens is good; what it is
/// already changes nothing and has no entry.
package struct AppStateChange: SingleChange {
    package typealias Output = AppView

    private let id: AppID
    private let wanted: AppStatus
    private let attribution: Attribution

    package init(of id: AppID, to wanted: AppStatus, by attribution: Attribution) {
        self.id = id
        self.wanted = wanted
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (AppView, [Recorded]) {
        let before = try await transaction.lockedApp(id)
        guard before.status != wanted else { return (before, []) }
        guard before.status != .ended else { throw ChangeRefusal.conflict("The app was deleted.") }
        let now = transaction.startedAt
        _ = try await transaction.query(
            """
            UPDATE apps SET status = \(wanted.rawValue), ended_at = \(wanted == .ended ? now : nil as Timestamp?),
                version = version + 1, updated_at = \(now)
            WHERE id = \(id)
            """
        )
        if wanted == .ended {
            _ = try await transaction.query(
                """
                UPDATE authorizations SET status = 'ended', epoch = epoch + 1, ended_at = \(now)
                WHERE app_id = \(id) AND status = 'active'
                """
            )
        }
        transaction.narrow(.organization(transaction.organization))
        guard let after = try await transaction.app(id) else { throw ChangeRefusal.notFound }
        let action: ActionCode =
            switch wanted {
            case .active: .appEnabled
            case .disabled: .appDisabled
            case .ended: .appEnded
            }
        let draft = AuditDraft(
            action,
            .app(id),
            authority: .scope(.integrationsWrite),
            before: ["status": .string(before.status.rawValue)],
            after: ["status": .string(wanted.rawValue)]
        )
        return (after, [Recorded(draft, by: attribution)])
    }
}
