package import Domain
import Postgres
import Transparency

/// Making a member who operates or audits an organization, with a personal token. By an operator on the machine, with
/// the owner's connection: the way in for the first admin, and for one who locked themselves out.
package struct AdminBootstrap: Change {
    package let username: String
    package let role: Role
    package let lifetime: Duration
    private let force: Bool
    private let user: UserID
    private let token: TokenID
    private let secret: OpaqueSecret
    private let digest: [UInt8]
    private let attribution: Attribution

    package static let standardLifetime = Duration.seconds(90 * 86_400)

    /// `force`: also where an active security admin exists.
    package init(
        username: String,
        role: Role,
        lifetime: Duration = Self.standardLifetime,
        force: Bool = false,
        by attribution: Attribution,
        in store: Store
    ) {
        self.username = username
        self.role = role
        self.lifetime = lifetime
        self.force = force
        self.attribution = attribution
        user = store.newID()
        token = store.newID()
        secret = .make(.personal, using: store.randomness)
        digest = store.keyring.digest(of: secret)
    }

    /// A member with a token that is shown this once.
    package struct Admitted: Sendable {
        package let user: UserID
        package let token: TokenID
        package let secret: OpaqueSecret
        package let expiresAt: Timestamp
    }

    package static func make(
        _ changes: [AdminBootstrap],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Admitted>] {
        var made: [Made<Admitted>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<Admitted> {
        let now = transaction.startedAt
        let expiresAt = now + lifetime
        if let refusal = try await refusal(in: transaction) {
            let draft = AuditDraft(
                .userCreated,
                .organization(transaction.organization),
                outcome: .refused,
                reason: refusal.rawValue,
                authority: .operatorAccess
            )
            return .refused(refusal, [Recorded(draft, by: attribution)])
        }
        _ = try await transaction.pipeline([
            """
            INSERT INTO users (organization_id, id, kind, role, username, status, created_at, updated_at)
            VALUES (\(transaction.organization), \(user), 'member', \(role.rawValue), \(username), 'active', \(now),
                \(now))
            """,
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, user_epoch, issued_at, expires_at,
                name)
            VALUES (\(transaction.organization), \(token), 'personal', \(digest), \(user), \(role.permissions.names), 1,
                \(now), \(expiresAt), 'bootstrap')
            """,
        ])
        let after: JSON.Object = ["kind": "member", "role": .string(role.rawValue), "status": "active"]
        let scopes = JSON.array(role.permissions.names.map(JSON.string))
        let drafts = [
            AuditDraft(.userCreated, .user(user), authority: .operatorAccess, after: after),
            AuditDraft(
                .tokenIssued,
                .token(token),
                authority: .operatorAccess,
                after: [
                    "user": .string(user.description), "scopes": scopes, "expires_at": .string(expiresAt.description),
                ]
            ),
        ]
        return .done(
            Admitted(user: user, token: token, secret: secret, expiresAt: expiresAt),
            drafts.map { Recorded($0, by: attribution) }
        )
    }

    private func refusal(in transaction: OrganizationTransaction) async throws -> OrganizationRefusal? {
        let row = try await transaction.query(
            """
            SELECT EXISTS (SELECT FROM users WHERE organization_id = \(transaction.organization)
                    AND lower(username) = lower(\(username)) AND status = 'active') AS taken,
                EXISTS (SELECT FROM users WHERE organization_id = \(transaction.organization)
                    AND role = 'security_admin' AND status = 'active') AS bootstrapped
            """
        ).only()
        if try row.decode("taken") { return .usernameTaken }
        let isNeeded = role != .securityAdmin || force
        return try row.decode("bootstrapped", as: Bool.self) && !isNeeded ? .alreadyBootstrapped : nil
    }
}
