package import Domain
package import Postgres
import Transparency

/// Issuing an access token to a grant whose secret was proved.
///
/// The inserting statement checks user, grant, integration, both epochs and the secret again: between proof and issue a
/// leaver may have been committed, or the secret killed, and then nothing is issued. The token names the secret or the
/// registration of keys that was proved: with that it ends.
package struct TokenIssue: Change {
    package let client: ClientFacts
    package let scopes: ScopeSet
    package let audience: String?
    package let lifetime: Duration
    package let attribution: Attribution
    private let secret: OpaqueSecret
    private let id: TokenID
    private let digest: [UInt8]
    /// What a signed token says, which its row has to say too; nil for every other.
    private let signed: AccessClaims?

    /// `scopes` are within the client's. `lifetime` is a wish: no token outlives its grant, and no signed one
    /// ``AccessClaims/longestLifetime``. With a `signer` and an audience the token is a signed one.
    package init(
        to client: ClientFacts,
        scopes: ScopeSet,
        audience: String?,
        lifetime: Duration,
        signer: TokenSigner? = nil,
        by attribution: Attribution,
        in store: Store
    ) async throws {
        self.client = client
        self.scopes = scopes
        self.audience = audience
        self.lifetime = lifetime
        id = store.newID()
        if let signer, let audience {
            let claims = AccessClaims(
                to: client,
                scopes: scopes,
                audience: audience,
                lifetime: lifetime,
                id: id,
                issuer: signer.issuer
            )
            signed = claims
            secret = try await signer.key.sign(claims)
        } else {
            signed = nil
            secret = .make(.access, using: store.randomness)
        }
        digest = store.keyring.digest(of: secret)
        var attribution = attribution
        attribution.credential = .init(token: id, digestPrefix: CredentialDigest.prefix(of: digest))
        self.attribution = attribution
    }

    /// A token, shown this once.
    package struct Issued: Sendable {
        package let secret: OpaqueSecret
        package let id: TokenID
        package let issuedAt: Timestamp
        package let expiresAt: Timestamp
    }

    package static func opening(_ changes: [TokenIssue], in organization: OrganizationID) -> [SQL] {
        let lifetimes = changes.map(\.lifetime.wholeMicroseconds)
        return [
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, grant_id, scopes, audience, user_epoch,
                grant_epoch, secret_id, keys_id, issued_at, expires_at)
            SELECT \(organization), n.id, 'access', n.digest, u.id, g.id, string_to_array(n.scopes, ' '),
                n.audience, n.user_epoch, n.grant_epoch, n.secret_id, n.keys_id,
                coalesce(n.signed_at, transaction_timestamp()),
                least(coalesce(n.signed_until, transaction_timestamp() + n.lifetime * interval '1 microsecond'),
                    g.expires_at, s.not_after)
            FROM unnest(\(changes.map(\.id)), \(changes.map(\.digest)), \(changes.map(\.client.user)),
                \(changes.map(\.client.grant)), \(changes.map(\.scopes.joined)), \(changes.map(\.audience)),
                \(changes.map(\.client.userEpoch)), \(changes.map(\.client.grantEpoch)),
                \(changes.map(\.client.presented)), \(changes.map(\.client.presentedKeys)), \(lifetimes),
                \(changes.map(\.signed?.issuedAt)), \(changes.map(\.signed?.expiresAt)))
                AS n(id, digest, user_id, grant_id, scopes, audience, user_epoch, grant_epoch, secret_id, keys_id,
                    lifetime, signed_at, signed_until)
            JOIN users u ON u.id = n.user_id AND u.status = 'active' AND u.epoch = n.user_epoch
            JOIN grants g ON g.id = n.grant_id AND g.status = 'active' AND g.epoch = n.grant_epoch
                AND g.expires_at > transaction_timestamp()
                AND (n.signed_until IS NULL OR n.signed_until <= g.expires_at)
                AND (n.signed_until IS NULL OR n.signed_until > transaction_timestamp())
            LEFT JOIN integrations i ON i.id = u.integration_id
            LEFT JOIN grant_secrets s ON s.id = n.secret_id
            LEFT JOIN grant_keys k ON k.grant_id = n.grant_id
            WHERE (i.id IS NULL OR i.status = 'active')
                AND (n.secret_id IS NULL OR s.ended_at IS NULL
                    AND coalesce(s.not_after > transaction_timestamp()
                        AND (n.signed_until IS NULL OR n.signed_until <= s.not_after), true))
                AND (n.keys_id IS NULL OR k.id = n.keys_id)
            RETURNING id, expires_at
            """
        ]
    }

    package static func make(
        _ changes: [TokenIssue],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Issued>] {
        let now = transaction.startedAt
        var expiries: [TokenID: Timestamp] = [:]
        for row in transaction.opened[0] { expiries[try row.decode("id")] = try row.decode("expires_at") }
        return changes.map { change in
            guard let expiresAt = expiries[change.id] else {
                return .refused(AccessRefusal.superseded, [change.entry(expiresAt: nil)])
            }
            let issuedAt = change.signed?.issuedAt ?? now
            let issued = Issued(secret: change.secret, id: change.id, issuedAt: issuedAt, expiresAt: expiresAt)
            return .done(issued, [change.entry(expiresAt: expiresAt)])
        }
    }

    private func entry(expiresAt: Timestamp?) -> Recorded {
        let draft = AuditDraft(
            .tokenIssued,
            .token(id),
            outcome: expiresAt == nil ? .refused : .done,
            reason: expiresAt == nil ? AccessRefusal.superseded.rawValue : nil,
            after: [
                "grant": .string(client.grant.description), "secret": .orNull(client.presented),
                "scopes": .array(scopes.names.map(JSON.string)),
                "audience": .orNull(audience), "signed": .bool(signed != nil), "expires_at": .orNull(expiresAt),
            ],
            person: client.person
        )
        return Recorded(draft, by: attribution)
    }
}

extension AccessClaims {
    /// From the moment at which the client was looked up, which no statement that inserts the token is before.
    fileprivate init(
        to client: ClientFacts,
        scopes: ScopeSet,
        audience: String,
        lifetime: Duration,
        id: TokenID,
        issuer: String
    ) {
        let issuedAt = Timestamp(seconds: client.checkedAt.seconds)
        let latest = Timestamp(seconds: client.credentialEndsAt.seconds)
        self.init(
            issuer: issuer,
            audience: audience,
            subject: client.user,
            client: client.grant.description,
            organization: client.organization,
            scopes: scopes,
            id: id,
            issuedAt: issuedAt,
            expiresAt: min(issuedAt + min(lifetime, Self.longestLifetime), latest)
        )
    }
}

/// Ending one token (RFC 7009). Ending one that is not there, or not the client's, changes nothing and says nothing.
package struct TokenRevocation: Change {
    package let token: TokenID
    package let grant: GrantID
    package let attribution: Attribution

    package init(of token: TokenID, ofGrant grant: GrantID, by attribution: Attribution) {
        self.token = token
        self.grant = grant
        self.attribution = attribution
    }

    package static func make(
        _ changes: [TokenRevocation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Void>] {
        let rows = try await transaction.query(
            """
            UPDATE tokens t SET revoked_at = \(transaction.startedAt)
            FROM unnest(\(changes.map(\.token)), \(changes.map(\.grant))) AS r(id, grant_id)
            WHERE (t.id, t.grant_id) = (r.id, r.grant_id) AND t.revoked_at IS NULL
            RETURNING t.id
            """
        )
        let revoked = Set(try rows.map { try $0.decode("id", as: TokenID.self) })
        transaction.narrow(revoked.map { .token($0) })
        return changes.map { change in
            let draft = AuditDraft(.tokenRevoked, .token(change.token), after: ["revoked": true])
            return .done((), revoked.contains(change.token) ? [Recorded(draft, by: change.attribution)] : [])
        }
    }
}
