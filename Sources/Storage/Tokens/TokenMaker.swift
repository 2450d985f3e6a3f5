package import Domain
import Postgres
import Transparency

/// Who makes a token, and what bounds it: a signed-in member, or the bearer of a token, who makes none that is wider or
/// longer than that one.
package struct TokenMaker: Sendable {
    package let user: UserID
    /// Scopes at most.
    package let scopes: ScopeSet
    /// The token by which they call; nil for a session.
    let token: TokenID?

    /// The bearer of a token.
    package init(_ caller: Caller) {
        user = caller.user
        scopes = caller.scopes
        token = caller.credential.token
    }

    /// A member whose session was proved. Where their role may do everything, so may the organization's own scopes.
    package init(member: UserID, role: Role) {
        user = member
        scopes = role.permissions
        token = nil
    }
}

extension OrganizationTransaction {
    /// What bounds a token that `maker` makes now, their account locked until the commit: who is deactivated meanwhile, or
    /// whose token is revoked, makes none. Refused for whoever is no active member.
    func bounds(of maker: TokenMaker) async throws -> TokenBounds {
        let settings = try await settings()
        let users = try await query(
            "SELECT role, epoch FROM users WHERE id = \(maker.user) AND kind = 'member' AND status = 'active' FOR SHARE"
        )
        guard let user = users.first else {
            throw ChangeRefusal.conflict("Only an active member makes tokens; an integration has grants.")
        }
        var latest = startedAt + settings.longestTokenLifetime.duration
        var audience: String?
        var made: TokenID?
        let epoch = try user.decode("epoch", as: Int64.self)
        if let token = maker.token {
            let rows = try await query(
                """
                SELECT kind, expires_at, audience FROM tokens
                WHERE id = \(token) AND revoked_at IS NULL AND user_epoch = \(epoch) AND expires_at > \(startedAt)
                FOR SHARE
                """
            )
            guard let row = rows.first else { throw AccessRefusal.superseded }
            if try row.decode("kind", as: String.self) == TokenKind.personal.rawValue { made = token }
            latest = min(latest, try row.decode("expires_at"))
            audience = try row.decode("audience")
        }
        let role = try user.word("role", as: Role.self)
        let own = maker.token == nil ? try await ownScopes().map(\.scope) : []
        return TokenBounds(
            role: role,
            epoch: epoch,
            scopes: role.bounding(ScopeSet(maker.scopes.scopes + own)),
            latest: latest,
            audience: audience,
            personal: made
        )
    }

    /// Ends what was made with that personal token, and what was made with those: whoever held it may hold them. Workspace
    /// tokens that were made or refreshed with them end with their users. Each is an entry.
    ///
    /// Who makes a token with another holds that one until the commit, so that this waits for them; what they made is then
    /// seen by the next round. From the first round on nobody makes any with what it ended.
    func endTokens(madeWith token: TokenID, by attribution: Attribution) async throws -> [Recorded] {
        var recorded: [Recorded] = []
        while true {
            let made = try await query(Self.made(with: token, in: organization))
            guard !made.isEmpty else { return recorded }
            let ids = try made.map { try $0.decode("id", as: TokenID.self) }
            let users = try made.filter { try $0.decode("kind", as: String.self) == TokenKind.workspace.rawValue }
                .map { try $0.decode("user_id", as: UserID.self) }
            narrow(ids.map { .token($0) } + users.map { .user($0) })
            // Users before tokens, as everybody locks them.
            _ = try await query("SELECT id FROM users WHERE id = ANY(\(users)) ORDER BY id FOR UPDATE")
            let results = try await pipeline([
                """
                UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = \(startedAt),
                    updated_at = \(startedAt)
                WHERE id = ANY(\(users)) AND status = 'active' RETURNING id
                """,
                """
                UPDATE tokens SET revoked_at = \(startedAt), version = version + 1
                WHERE id = ANY(\(ids)) AND revoked_at IS NULL RETURNING id
                """,
            ])
            let deactivated = try results[0].map { try $0.decode("id", as: UserID.self) }
            let ended = try results[1].map { try $0.decode("id", as: TokenID.self) }
            let drafts =
                ended.map { AuditDraft.ended($0, madeWith: token) } + deactivated.map(AuditDraft.endedWithToken)
            recorded += drafts.map { Recorded($0, by: attribution) }
        }
    }

    /// What is good still of everything that was made with a token.
    private static func made(with token: TokenID, in organization: OrganizationID) -> SQL {
        """
        WITH RECURSIVE made AS (
            SELECT t.id FROM tokens t WHERE t.organization_id = \(organization) AND t.made_with_id = \(token)
            UNION
            SELECT t.id FROM made m JOIN tokens t ON t.organization_id = \(organization) AND t.made_with_id = m.id
        )
        SELECT t.id, t.kind, t.user_id FROM made m
        JOIN tokens t ON t.organization_id = \(organization) AND t.id = m.id
        WHERE t.revoked_at IS NULL
        """
    }
}

extension AuditDraft {
    fileprivate static func ended(_ token: TokenID, madeWith maker: TokenID) -> AuditDraft {
        AuditDraft(
            .tokenRevoked,
            .token(token),
            reason: "maker_revoked",
            authority: .scope(.tokensWrite),
            after: ["revoked": true, "made_with": .string(maker.description)]
        )
    }

    fileprivate static func endedWithToken(_ user: UserID) -> AuditDraft {
        AuditDraft(
            .userDeactivated,
            .user(user),
            reason: "token_deleted",
            authority: .scope(.tokensWrite),
            before: ["status": "active"],
            after: ["status": "deactivated"]
        )
    }
}

/// What a token may be at most.
struct TokenBounds: Sendable {
    let role: Role
    let epoch: Int64
    let scopes: ScopeSet
    let latest: Timestamp
    /// The only one it may have; nil for any.
    let audience: String?
    /// The personal token that it is made with, and ends with; nil for none.
    let personal: TokenID?

    /// A token shorter than this is a mistake.
    static let shortestLifetime = Duration.seconds(60)

    /// Refused with the pointer of what is wider or longer than allowed.
    func check(
        scopes wanted: ScopeSet,
        expiresAt: Timestamp,
        audience wantedAudience: String?,
        at now: Timestamp
    ) throws(ChangeRefusal) {
        guard !wanted.isEmpty, wanted.isSubset(of: scopes) else {
            throw .invalid("/scopes", "These have to be some of what you may do with the credential that you use here.")
        }
        guard expiresAt >= now + Self.shortestLifetime else {
            throw .invalid("/expires_at", "This has to be at least a minute ahead.")
        }
        guard expiresAt <= latest else {
            throw .invalid(
                "/expires_at",
                "At most \(latest): no longer than the organization and your credential allow."
            )
        }
        guard audience == nil || audience == wantedAudience else {
            throw .invalid("/audience", "A token that is bound to an audience makes only tokens for it.")
        }
    }
}

/// A token that was just made or refreshed, shown this once.
package struct MadeToken: Sendable {
    package let secret: OpaqueSecret
    package let token: TokenView
}
