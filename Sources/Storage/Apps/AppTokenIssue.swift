package import Domain
import Postgres
import Transparency

/// What an app gets for a code or a refresh token, shown this once.
package struct AppTokensIssued: Sendable {
    package let access: OpaqueSecret
    package let refresh: OpaqueSecret
    package let lifetime: Duration
    package let scopes: ScopeSet
}

/// Why an app gets nothing, as the protocol tells it apart.
package enum AppGrantRefusal: Error, Sendable {
    /// Unknown, over, used, or not for this client.
    case invalidGrant(AccessRefusal)
    case invalidScope
    case invalidTarget
}

extension AppView {
    /// That the app got no tokens of `target`.
    func refusedTokens(_ target: AuditTarget, because reason: AccessRefusal) -> AuditDraft {
        AuditDraft(
            .tokenIssued,
            target,
            outcome: .refused,
            reason: reason.rawValue,
            after: ["app": .string(id.description)]
        )
    }

    /// The entry of a refusal of the app itself, before it is known for whom it came. nil for a public app: nobody proved
    /// that it was that one, and anybody could fill the log.
    package func refusal(
        because reason: AccessRefusal,
        from origin: Attribution.Origin,
        receivedAt: Timestamp
    ) -> Recorded? {
        guard isConfidential else { return nil }
        let attribution = Attribution(actor: .system("token endpoint"), origin: origin, receivedAt: receivedAt)
        return Recorded(refusedTokens(.app(id), because: reason), by: attribution)
    }
}

/// What of an approval decides about tokens, and what they carry.
struct ApprovedAccess {
    let app: AppView
    let authorization: AuthorizationID
    let authorizationEpoch: Int64
    let user: UserID
    let userEpoch: Int64
    let family: TokenID
    let scopes: ScopeSet
    let audience: String?
}

/// An access token that was inserted, with its entry.
struct IssuedAccess {
    let access: OpaqueSecret
    let lifetime: Duration
    let entry: AuditDraft
}

/// Secrets that are drawn before a transaction, so that a retry of it makes the same; but for a signed token, whose times
/// are the transaction's.
struct AppTokenSecrets: Sendable {
    private let opaque: OpaqueSecret
    let accessID: TokenID
    let refreshID: TokenID
    let signer: TokenSigner

    init(signer: TokenSigner, in store: Store) {
        self.signer = signer
        opaque = .make(.access, using: store.randomness)
        accessID = store.newID()
        refreshID = store.newID()
    }

    /// The access token, of the form that its audience asks for. Refused for an audience that is none any more.
    func access(
        of approved: ApprovedAccess,
        scopes: ScopeSet,
        audience: String?,
        in transaction: OrganizationTransaction
    ) async throws -> (secret: OpaqueSecret, lifetime: Duration) {
        let lifetime = approved.app.terms.accessLifetime
        guard let audience else { return (opaque, lifetime) }
        let resource = try await transaction.resource(audience)
        guard resource != nil || ResourceIdentifier.own(of: signer.issuer).contains(audience) else {
            throw AppGrantRefusal.invalidTarget
        }
        guard resource?.format == .jwt else { return (opaque, lifetime) }
        let issuedAt = Timestamp(seconds: transaction.startedAt.seconds)
        let claims = AccessClaims(
            issuer: signer.issuer,
            audience: audience,
            subject: approved.user,
            client: approved.app.clientID,
            organization: transaction.organization,
            scopes: scopes,
            id: accessID,
            issuedAt: issuedAt,
            expiresAt: issuedAt + min(lifetime, AccessClaims.longestLifetime)
        )
        return (try await signer.key.sign(claims), claims.expiresAt - transaction.startedAt)
    }
}

extension OrganizationTransaction {
    /// Inserts an access token of `scopes` and, where there is one, a refresh token of the approval's. The inserting
    /// statement checks user, app, approval and both epochs again. nil: nothing was inserted.
    func issue(
        _ secrets: AppTokenSecrets,
        refresh: OpaqueSecret?,
        of approved: ApprovedAccess,
        scopes: ScopeSet,
        audience: String?
    ) async throws -> IssuedAccess? {
        let (access, lifetime) = try await secrets.access(of: approved, scopes: scopes, audience: audience, in: self)
        let digest = store.keyring.digest(of: access)
        var ids = [secrets.accessID]
        var kinds = ["access"]
        var digests = [digest]
        var scopeLists = [Lists.text(scopes)]
        var lifetimes = [lifetime.wholeMicroseconds]
        if let refresh {
            ids.append(secrets.refreshID)
            kinds.append("refresh")
            digests.append(store.keyring.digest(of: refresh))
            scopeLists.append(Lists.text(approved.scopes))
            lifetimes.append(AppTokens.refreshLifetime.wholeMicroseconds)
        }
        let rows = try await query(
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, audience, user_epoch,
                authorization_id, authorization_epoch, family_id, issued_at, expires_at)
            SELECT z.organization_id, n.id, n.kind, n.digest, u.id, string_to_array(n.scopes, ' '),
                \(audience as String?), u.epoch, z.id, z.epoch, \(approved.family), transaction_timestamp(),
                transaction_timestamp() + n.lifetime * interval '1 microsecond'
            FROM unnest(\(ids), \(kinds), \(digests), \(scopeLists), \(lifetimes))
                AS n(id, kind, digest, scopes, lifetime)
            JOIN authorizations z ON z.id = \(approved.authorization) AND z.status = 'active'
                AND z.epoch = \(approved.authorizationEpoch)
            JOIN users u ON u.id = z.user_id AND u.status = 'active' AND u.epoch = \(approved.userEpoch)
            JOIN apps a ON a.id = z.app_id AND a.status = 'active'
            RETURNING id, expires_at
            """
        )
        guard !rows.isEmpty else { return nil }
        let entry = AuditDraft(
            .tokenIssued,
            .token(secrets.accessID),
            after: [
                "app": .string(approved.app.id.description),
                "authorization": .string(approved.authorization.description),
                "scopes": .array(scopes.names.map(JSON.string)), "audience": audience.map(JSON.string) ?? .null,
                "expires_at": .string((startedAt + lifetime).description),
            ]
        )
        return IssuedAccess(access: access, lifetime: lifetime, entry: entry)
    }

    /// Ends every token of a family, and tells how many that were.
    ///
    /// Everything that makes or ends tokens of a family does so under the lock of their approval: a rotation that commits
    /// meanwhile is seen by the ending, and one that comes later finds its token ended.
    func endFamily(_ family: TokenID) async throws -> Int {
        _ = try await query(
            """
            SELECT id FROM authorizations
            WHERE id = (SELECT authorization_id FROM tokens WHERE family_id = \(family) LIMIT 1) FOR NO KEY UPDATE
            """
        )
        let rows = try await query(
            """
            UPDATE tokens SET revoked_at = \(startedAt) WHERE family_id = \(family) AND revoked_at IS NULL RETURNING id
            """
        )
        narrow(try rows.map { .token(try $0.decode("id")) })
        return rows.count
    }

    func familyEnded(_ family: TokenID, _ reason: AccessRefusal) async throws -> AuditDraft {
        let count = try await endFamily(family)
        return AuditDraft(
            .tokenRevoked,
            .token(family),
            reason: reason.rawValue,
            after: ["family": .string(family.description), "revoked": .integer(count)]
        )
    }
}

/// Exchanging a code for tokens. Of many who present the same code one gets them; every other one ends them.
package struct CodeRedemption: Change {
    private let code: OpaqueSecret
    private let app: AppView
    private let redirect: String?
    private let verifier: String?
    private let audience: String?
    private let origin: Attribution.Origin
    private let receivedAt: Timestamp
    private let digests: [[UInt8]]
    private let secrets: AppTokenSecrets
    private let refresh: OpaqueSecret
    private let family: TokenID

    /// `app` proved itself, or is public. The rest is what it presented.
    package init(
        of code: OpaqueSecret,
        by app: AppView,
        redirect: String?,
        verifier: String?,
        audience: String?,
        from origin: Attribution.Origin,
        receivedAt: Timestamp,
        signer: TokenSigner,
        in store: Store
    ) {
        self.code = code
        self.app = app
        self.redirect = redirect
        self.verifier = verifier
        self.audience = audience
        self.origin = origin
        self.receivedAt = receivedAt
        digests = store.keyring.digests(of: code)
        secrets = AppTokenSecrets(signer: signer, in: store)
        refresh = .make(.refresh, using: store.randomness)
        family = store.newID()
    }

    package static func make(
        _ changes: [CodeRedemption],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<AppTokensIssued>] {
        var made: [Made<AppTokensIssued>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<AppTokensIssued> {
        let now = transaction.startedAt
        let rows = try await transaction.query(
            """
            SELECT authorization_id, authorization_epoch, app_id, user_id, user_epoch, redirect_uri, redirect_named,
                challenge, scopes, audience, expires_at, family_id
            FROM authorization_codes WHERE digest = ANY(\(digests)) FOR UPDATE
            """
        )
        guard let row = rows.first else {
            let told = app.refusal(because: .notFound, from: origin, receivedAt: receivedAt)
            return .refused(AppGrantRefusal.invalidGrant(.notFound), told.map { [$0] } ?? [])
        }
        let user = try row.decode("user_id", as: UserID.self)
        let attribution = Attribution(actor: .member(user), origin: origin, receivedAt: receivedAt)
        if let used = try row.decode("family_id", as: TokenID?.self) {
            let draft = try await transaction.familyEnded(used, .codeReplayed)
            return .refused(AppGrantRefusal.invalidGrant(.codeReplayed), [Recorded(draft, by: attribution)])
        }
        let authorization = try row.decode("authorization_id", as: AuthorizationID.self)
        if let refusal = try refusal(row, now) {
            let draft = app.refusedTokens(.authorization(authorization), because: .invalid)
            return .refused(refusal, [Recorded(draft, by: attribution)])
        }
        let approved = ApprovedAccess(
            app: app,
            authorization: authorization,
            authorizationEpoch: try row.decode("authorization_epoch"),
            user: user,
            userEpoch: try row.decode("user_epoch"),
            family: family,
            scopes: try row.scopes("scopes"),
            audience: try row.decode("audience")
        )
        _ = try await transaction.query(
            """
            UPDATE authorization_codes SET used_at = \(now), family_id = \(family) WHERE digest = ANY(\(digests))
            """
        )
        func refused(_ reason: AccessRefusal, _ refusal: AppGrantRefusal) -> Made<AppTokensIssued> {
            let draft = app.refusedTokens(.authorization(authorization), because: reason)
            return .refused(refusal, [Recorded(draft, by: attribution)])
        }
        let made: IssuedAccess?
        do {
            made = try await transaction.issue(
                secrets,
                refresh: refresh,
                of: approved,
                scopes: approved.scopes,
                audience: approved.audience
            )
        } catch AppGrantRefusal.invalidTarget {
            return refused(.wrongAudience, .invalidTarget)
        }
        guard let made else { return refused(.superseded, .invalidGrant(.superseded)) }
        let issued = AppTokensIssued(
            access: made.access,
            refresh: refresh,
            lifetime: made.lifetime,
            scopes: approved.scopes
        )
        return .done(issued, [Recorded(made.entry, by: attribution)])
    }

    /// What does not fit leaves the code as it is: whoever guesses cannot use up somebody else's.
    private func refusal(_ row: PostgresRow, _ now: Timestamp) throws -> AppGrantRefusal? {
        guard try row.decode("app_id", as: AppID.self) == app.id else { return .invalidGrant(.notFound) }
        guard try row.decode("expires_at", as: Timestamp.self) > now else { return .invalidGrant(.tokenExpired) }
        let sentTo = try row.decode("redirect_uri", as: String.self)
        let mustName = try row.decode("redirect_named", as: Bool.self)
        guard redirect == sentTo || (redirect == nil && !mustName) else { return .invalidGrant(.invalid) }
        let challenge = try row.parseIfPresent("challenge", as: CodeChallenge.self)
        switch (challenge, verifier) {
        case (let challenge?, let verifier?):
            guard challenge.matches(verifier: verifier) else { return .invalidGrant(.invalid) }
        case (nil, nil): break
        // A verifier without a challenge is a downgrade (RFC 9700 2.1.1), a challenge without a verifier somebody else's.
        default: return .invalidGrant(.invalid)
        }
        // Bound when the user approved: what their page did not name is not named afterwards.
        let bound = try row.decode("audience", as: String?.self)
        guard audience == nil || bound == audience else { return .invalidTarget }
        return nil
    }
}
