package import Domain
import Postgres
import Transparency

/// What a user lets an app do, as the user sees it.
package struct AuthorizationView: Sendable {
    package let id: AuthorizationID
    package let app: AppID
    package let appName: String
    package let user: UserID
    package let username: String
    package let scopes: ScopeSet
    package let approvedAt: Timestamp
    package let createdAt: Timestamp
}

extension OrganizationTransaction {
    /// What users let apps do, oldest first: one user or all, one app or all.
    package func authorizations(
        of user: UserID?,
        app: AppID? = nil,
        after: AuthorizationID? = nil,
        most: Int = 200
    ) async throws -> [AuthorizationView] {
        let ofUser: SQL = user.map { " AND z.user_id = \($0)" } ?? ""
        let ofApp: SQL = app.map { " AND z.app_id = \($0)" } ?? ""
        let selection: SQL = """
            SELECT z.id, z.app_id, a.name, z.user_id, u.username, z.scopes, z.approved_at, z.created_at
            FROM authorizations z JOIN apps a ON (a.organization_id, a.id) = (z.organization_id, z.app_id)
            JOIN users u ON (u.organization_id, u.id) = (z.organization_id, z.user_id)
            WHERE z.status = 'active' AND z.id > \(after ?? .lowest)
            """
        let rows = try await query(selection + ofUser + ofApp + " ORDER BY z.id LIMIT \(most)")
        return try rows.map { row in
            AuthorizationView(
                id: try row.decode("id"),
                app: try row.decode("app_id"),
                appName: try row.decode("name"),
                user: try row.decode("user_id"),
                username: try row.decode("username"),
                scopes: try row.scopes("scopes"),
                approvedAt: try row.decode("approved_at"),
                createdAt: try row.decode("created_at")
            )
        }
    }
}

/// A user's consent: the approval is made or widened, and a code is made for the app.
package struct AppAuthorization: SingleChange {
    package typealias Output = OpaqueSecret

    /// What was asked for and shown.
    package struct Request: Sendable {
        package var app: AppID
        package var scopes: ScopeSet
        package var audience: String?
        package var redirect: RedirectURI
        package var namesRedirect: Bool
        /// nil for a legacy app alone.
        package var challenge: CodeChallenge?

        package init(
            app: AppID,
            scopes: ScopeSet,
            audience: String?,
            redirect: RedirectURI,
            namesRedirect: Bool,
            challenge: CodeChallenge?
        ) {
            self.app = app
            self.scopes = scopes
            self.audience = audience
            self.redirect = redirect
            self.namesRedirect = namesRedirect
            self.challenge = challenge
        }
    }

    private let request: Request
    private let caller: SessionCaller
    private let attribution: Attribution
    private let id: AuthorizationID
    private let code: OpaqueSecret
    private let digest: [UInt8]

    /// Draws the code. Refused where the app is not active, or would get a code without a challenge and is not legacy.
    package init(_ request: Request, by caller: SessionCaller, _ attribution: Attribution, in store: Store) {
        self.request = request
        self.caller = caller
        self.attribution = attribution
        id = store.newID()
        code = .make(.code, using: store.randomness)
        digest = store.keyring.digest(of: code)
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (OpaqueSecret, [Recorded]) {
        let now = transaction.startedAt
        try await transaction.hold(request.scopes)
        let rows = try await transaction.query(
            """
            INSERT INTO authorizations AS z (organization_id, id, app_id, user_id, scopes, status, approved_at,
                created_at)
            SELECT a.organization_id, \(id), a.id, u.id, \(request.scopes.names), 'active', \(now), \(now)
            FROM apps a JOIN users u ON u.id = \(caller.user) AND u.status = 'active'
            WHERE a.id = \(request.app) AND a.status = 'active' AND (a.is_legacy OR \(request.challenge != nil))
            ON CONFLICT (organization_id, user_id, app_id) WHERE status = 'active' DO UPDATE
            SET approved_at = excluded.approved_at,
                scopes = ARRAY(SELECT DISTINCT s FROM unnest(z.scopes || excluded.scopes) s ORDER BY s)
            RETURNING z.id, z.epoch
            """
        )
        guard let row = rows.first else { throw ChangeRefusal.conflict("The app is not active.") }
        let authorization = try row.decode("id", as: AuthorizationID.self)
        _ = try await transaction.query(
            """
            INSERT INTO authorization_codes (organization_id, digest, authorization_id, authorization_epoch, app_id,
                user_id, user_epoch, redirect_uri, redirect_named, challenge, scopes, audience, created_at, expires_at)
            SELECT u.organization_id, \(digest), \(authorization), \(try row.decode("epoch", as: Int64.self)),
                \(request.app), u.id, u.epoch, \(request.redirect.description), \(request.namesRedirect),
                \(request.challenge?.description as String?), \(request.scopes.names), \(request.audience as String?),
                \(now), \(now + AppTokens.codeLifetime)
            FROM users u WHERE u.id = \(caller.user)
            """
        )
        let draft = AuditDraft(
            .authorizationApproved,
            .authorization(authorization),
            after: [
                "app": .string(request.app.description), "scopes": .array(request.scopes.names.map(JSON.string)),
                "audience": request.audience.map(JSON.string) ?? .null, "legacy": .bool(request.challenge == nil),
            ],
            person: caller.person
        )
        return (code, [Recorded(draft, by: attribution)])
    }
}

/// Ending what a user lets an app do: every token that came of it is refused from the commit on. One that is not there,
/// has ended, or is not `user`'s is not found.
package struct AuthorizationEnd: SingleChange {
    package typealias Output = Void

    private let id: AuthorizationID
    private let user: UserID?
    private let attribution: Attribution

    /// `user` nil: whoever's it is, for an admin.
    package init(of id: AuthorizationID, approvedBy user: UserID?, by attribution: Attribution) {
        self.id = id
        self.user = user
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let owned: SQL = user.map { " AND z.user_id = \($0)" } ?? ""
        let ending: SQL = """
            UPDATE authorizations z SET status = 'ended', epoch = z.epoch + 1, ended_at = \(transaction.startedAt)
            FROM users u
            WHERE z.id = \(id) AND z.status = 'active' AND (u.organization_id, u.id) = (z.organization_id, z.user_id)
            """
        let rows = try await transaction.query(ending + owned + " RETURNING z.app_id, z.user_id, u.person_id")
        guard let row = rows.first else { throw ChangeRefusal.notFound }
        transaction.narrow(.authorization(id))
        let draft = AuditDraft(
            .authorizationEnded,
            .authorization(id),
            authority: user == nil ? .scope(.usersWrite) : nil,
            after: [
                "app": .string(try row.decode("app_id", as: AppID.self).description),
                "user": .string(try row.decode("user_id", as: UserID.self).description),
            ],
            person: try row.decode("person_id")
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}

extension SQL {
    /// Ends what those users let apps do, and returns which. Their tokens have ended with the users.
    static func endingAuthorizations(of users: [UserID], at now: Timestamp) -> SQL {
        """
        UPDATE authorizations SET status = 'ended', epoch = epoch + 1, ended_at = \(now)
        WHERE user_id = ANY(\(users)) AND status = 'active' RETURNING id, user_id
        """
    }
}
