package import Domain
import Postgres
import Storage

extension StoreFixture {
    /// An active grant of a user, without a secret yet.
    package func grant(
        to user: UserID,
        in organization: TestOrganization,
        scopes: ScopeSet = ScopeSet([.peopleRead, .peopleReadSelf]),
        ipAllowList: [String]? = nil,
        workspace: WorkspaceID? = nil,
        lifetime: Duration = .seconds(90 * 86_400)
    ) async throws -> GrantID {
        let id = store.newID(GrantID.self)
        let now = clock.now()
        let seconds = Double(lifetime.components.seconds)
        _ = try await owner.query(
            """
            INSERT INTO grants (organization_id, id, user_id, client_name, workspace_id, scopes, ip_allow_list, expires_at,
                status, created_at, updated_at)
            VALUES (\(organization.id), \(id), \(user), 'Client', \(workspace ?? organization.workspace), \(scopes.names),
                \(ipAllowList as [String]?), clock_timestamp() + make_interval(secs => \(seconds)), 'active', \(now),
                \(now))
            """
        )
        return id
    }

    /// An access token as `/oauth/token` would issue it, good for an hour; bought by that secret.
    package func accessToken(of grant: GrantID, by secret: GrantSecretID? = nil) async throws -> TestAccount {
        guard var client = try await store.client(grant) else { throw NotThere(what: "the grant") }
        client.presented = secret
        let attribution = Attribution(actor: .integrationUser(client.user), receivedAt: clock.now())
        let issue = try await TokenIssue(
            to: client,
            scopes: client.scopes,
            audience: nil,
            lifetime: .seconds(3600),
            by: attribution,
            in: store
        )
        let issued = try await store.perform(issue, in: client.organization)
        guard let facts = try await store.facts(of: issued.secret) else {
            throw NotThere(what: "the token just issued")
        }
        return TestAccount(user: client.user, username: client.username, token: issued.secret, caller: facts.caller)
    }
}
