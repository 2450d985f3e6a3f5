package import Domain
import Postgres
import Transparency

/// Exchanging a refresh token for an access token and the next refresh token (RFC 9700 4.14).
///
/// The next one follows from the one presented and the keyring alone: so a client whose answer was lost, and who asks again
/// within ``AppTokens/retryWindow``, gets the same one again. Whoever presents a used one later, or after its successor was
/// used, ends the whole family.
package struct RefreshRotation: Change {
    private let app: AppView
    private let wish: ScopeSet?
    private let audience: String?
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp
    private let digests: [[UInt8]]
    private let successors: [OpaqueSecret]
    private let secrets: AppTokenSecrets

    /// `app` proved itself, or is public. `wish` nil: the same scopes as before.
    package init(
        of token: OpaqueSecret,
        by app: AppView,
        scopes wish: ScopeSet?,
        audience: String?,
        from origin: Attribution.Origin,
        receivedAt: Timestamp,
        signer: TokenSigner,
        in store: Store
    ) {
        self.app = app
        self.wish = wish
        self.audience = audience
        self.origin = origin
        self.receivedAt = receivedAt
        digests = store.keyring.digests(of: token)
        successors = store.keyring.successors(of: token)
        secrets = AppTokenSecrets(signer: signer, in: store)
    }

    package static func make(
        _ changes: [RefreshRotation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<AppTokensIssued>] {
        var made: [Made<AppTokensIssued>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<AppTokensIssued> {
        let rows = try await transaction.pipeline([
            """
            SELECT id FROM authorizations
            WHERE id IN (SELECT authorization_id FROM tokens WHERE digest = ANY(\(digests)) AND kind = 'refresh')
            FOR NO KEY UPDATE
            """,
            """
            SELECT t.id, t.user_id, t.user_epoch, t.authorization_id, t.authorization_epoch, t.family_id, t.scopes,
                t.audience, t.expires_at, t.revoked_at IS NOT NULL AS revoked, t.replaced_at, t.replaced_by, z.app_id
            FROM tokens t JOIN authorizations z ON (z.organization_id, z.id) = (t.organization_id, t.authorization_id)
            WHERE t.digest = ANY(\(digests)) AND t.kind = 'refresh' FOR UPDATE OF t
            """,
        ])[1]
        guard let row = rows.first else {
            let told = app.refusal(because: .notFound, from: origin, receivedAt: receivedAt)
            return .refused(AppGrantRefusal.invalidGrant(.notFound), told.map { [$0] } ?? [])
        }
        let user = try row.decode("user_id", as: UserID.self)
        let attribution = Attribution(actor: .member(user), origin: origin, receivedAt: receivedAt)
        let id = try row.decode("id", as: TokenID.self)
        if let refusal = try refusal(row, at: transaction.startedAt) {
            let draft = app.refusedTokens(.token(id), because: .invalid)
            return .refused(refusal, [Recorded(draft, by: attribution)])
        }
        let approved = ApprovedAccess(
            app: app,
            authorization: try row.decode("authorization_id"),
            authorizationEpoch: try row.decode("authorization_epoch"),
            user: user,
            userEpoch: try row.decode("user_epoch"),
            family: try row.decode("family_id"),
            scopes: try row.scopes("scopes"),
            audience: try row.decode("audience")
        )
        let scopes = wish ?? approved.scopes
        var refresh = successors[0]
        var isRetry = false
        if let replaced = try row.decode("replaced_at", as: Timestamp?.self) {
            let digest = try await transaction.unusedSuccessor(try row.decode("replaced_by"))
            let isSoon = transaction.startedAt <= replaced + AppTokens.retryWindow
            guard isSoon, let digest,
                let same = successors.first(where: { transaction.store.keyring.matches($0, digest) })
            else {
                let draft = try await transaction.familyEnded(approved.family, .refreshReused)
                return .refused(AppGrantRefusal.invalidGrant(.refreshReused), [Recorded(draft, by: attribution)])
            }
            refresh = same
            isRetry = true
        }
        func refused(_ reason: AccessRefusal, _ refusal: AppGrantRefusal) -> Made<AppTokensIssued> {
            .refused(refusal, [Recorded(app.refusedTokens(.token(id), because: reason), by: attribution)])
        }
        let issued: IssuedAccess?
        do {
            issued = try await transaction.issue(
                secrets,
                refresh: isRetry ? nil : refresh,
                of: approved,
                scopes: scopes,
                audience: approved.audience
            )
        } catch AppGrantRefusal.invalidTarget {
            return refused(.wrongAudience, .invalidTarget)
        }
        guard let issued else { return refused(.superseded, .invalidGrant(.superseded)) }
        if !isRetry {
            _ = try await transaction.query(
                """
                UPDATE tokens SET replaced_at = \(transaction.startedAt), replaced_by = \(secrets.refreshID)
                WHERE id = \(id)
                """
            )
        }
        let answer = AppTokensIssued(
            access: issued.access,
            refresh: refresh,
            lifetime: issued.lifetime,
            scopes: scopes
        )
        return .done(answer, [Recorded(issued.entry, by: attribution)])
    }

    private func refusal(_ row: PostgresRow, at now: Timestamp) throws -> AppGrantRefusal? {
        guard try row.decode("app_id", as: AppID.self) == app.id else { return .invalidGrant(.notFound) }
        if try row.decode("revoked", as: Bool.self) { return .invalidGrant(.tokenRevoked) }
        guard try row.decode("expires_at", as: Timestamp.self) > now else { return .invalidGrant(.tokenExpired) }
        let granted = try row.scopes("scopes")
        guard wish.map({ !$0.isEmpty && $0.isSubset(of: granted) }) ?? true else { return .invalidScope }
        let bound = try row.decode("audience", as: String?.self)
        guard audience == nil || bound == audience else { return .invalidTarget }
        return nil
    }
}

extension OrganizationTransaction {
    /// The digest of a successor that nobody has used yet; nil where it was used, or has ended.
    fileprivate func unusedSuccessor(_ id: TokenID) async throws -> [UInt8]? {
        let rows = try await query(
            "SELECT digest FROM tokens WHERE id = \(id) AND replaced_at IS NULL AND revoked_at IS NULL FOR UPDATE"
        )
        return try rows.first?.decode("digest")
    }
}

/// An app ending a token of its own (RFC 7009): a refresh token with its whole family, an access token alone. One that is
/// not there, or not the app's, changes nothing and says nothing.
package struct AppTokenRevocation: SingleChange {
    package typealias Output = Void

    private let app: AppID
    private let digests: [[UInt8]]
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp

    /// `app` proved itself, or is public.
    package init(
        of token: OpaqueSecret,
        by app: AppID,
        from origin: Attribution.Origin,
        receivedAt: Timestamp,
        in store: Store
    ) {
        self.app = app
        self.origin = origin
        self.receivedAt = receivedAt
        digests = store.keyring.digests(of: token)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let rows = try await transaction.query(
            """
            SELECT t.id, t.kind, t.family_id, t.user_id
            FROM tokens t JOIN authorizations z ON (z.organization_id, z.id) = (t.organization_id, t.authorization_id)
            WHERE t.digest = ANY(\(digests)) AND z.app_id = \(app) AND t.revoked_at IS NULL FOR UPDATE OF t
            """
        )
        guard let row = rows.first else { return ((), []) }
        let id = try row.decode("id", as: TokenID.self)
        let attribution = Attribution(
            actor: .member(try row.decode("user_id")),
            origin: origin,
            receivedAt: receivedAt
        )
        var after: JSON.Object = ["revoked": true]
        if try row.decode("kind", as: String.self) == "refresh" {
            after["family_revoked"] = .integer(try await transaction.endFamily(try row.decode("family_id")))
        } else {
            _ = try await transaction.query(
                "UPDATE tokens SET revoked_at = \(transaction.startedAt) WHERE id = \(id)"
            )
            transaction.narrow(.token(id))
        }
        let draft = AuditDraft(.tokenRevoked, .token(id), after: after)
        return ((), [Recorded(draft, by: attribution)])
    }
}
