import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Who sees and ends the authorizations, sign-ins and credentials of others, and of themselves.
@Suite struct EndingTests {
    private static let app: JSON = [
        "name": "Org chart", "contact_email": "charts@example.com",
        "redirect_uris": ["https://app.example/callback"], "scopes": ["people:read"],
    ]

    private func session(of account: TestAccount, in api: TestAPI) async throws -> SessionID {
        let id = api.fixture.store.newID(SessionID.self)
        let secret = OpaqueSecret.make(.session, using: api.fixture.randomness)
        _ = try await api.fixture.owner.query(
            """
            INSERT INTO sessions (organization_id, id, digest, user_id, user_epoch, second_factor, authenticated_at,
                last_seen_at, expires_at, address, user_agent)
            SELECT organization_id, \(id), \(api.fixture.keyring.digest(of: secret)), id, epoch, 'totp', now(), now(),
                now() + interval '1 hour', '198.51.100.7', 'Mozilla/5.0'
            FROM users WHERE id = \(account.user)
            """
        )
        return id
    }

    private func ids(_ answer: TestAPI.Answer) -> Set<String> { Set(answer.items.compactMap { $0["id"]?.string }) }

    @Test func `an integration that may read users sees nobody's sign-ins`() async throws {
        try await TestAPI.with { api in
            _ = try await session(of: api.admin, in: api)
            let robot = try await api.integrationAccount(scopes: ScopeSet([.usersRead, .usersWrite]))
            #expect(try await api.get("/v1/users", as: robot).status == 200)
            for path in ["/v1/sessions", "/v1/authorizations"] {
                let seen = try await api.get(path, as: robot)
                #expect(seen.status == 200 && seen.items.isEmpty, "\(path)")
            }
        }
    }

    // MARK: Authorizations

    @Test func `admins and auditors see what everybody lets apps do, by user and by app`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            var approved: [String: String] = [:]
            for account in [member, api.admin] {
                let app = try #require(try await api.post("/v1/apps", Self.app, as: api.admin).body["id"]?.string)
                approved[app] = try await api.approval(of: try #require(AppID(app)), by: account).id.description
            }
            for account in [api.admin, api.auditor] {
                let all = try await api.get("/v1/authorizations", as: account)
                #expect(ids(all) == Set(approved.values))
                #expect(all.items.contains { $0["username"]?.string == member.username })
                for (app, id) in approved {
                    let filter = "?filter=app%20eq%20%22\(app)%22"
                    #expect(ids(try await api.get("/v1/authorizations" + filter, as: account)) == [id])
                }
                let ofMember = "?filter=user%20eq%20%22\(member.user)%22%20and%20scopes%20co%20%22people%22"
                let found = try await api.get("/v1/authorizations" + ofMember, as: account)
                #expect(found.items.map { $0["user"]?.string } == [member.user.description])
                let nobodys = "?filter=user%20eq%20%22\(api.auditor.user)%22"
                #expect(try await api.get("/v1/authorizations" + nobodys, as: account).items.isEmpty)
            }
            #expect(try await api.get("/v1/authorizations", as: member).items.count == 1)
            let ofAdmin = "?filter=user%20eq%20%22\(api.admin.user)%22"
            #expect(try await api.get("/v1/authorizations" + ofAdmin, as: member).items.isEmpty)
            #expect(try await api.entry(.authorizationRead)["after"]?["items"] == 0)
        }
    }

    @Test func `a security admin ends what a member approved, an auditor does not`() async throws {
        try await TestAPI.with { api in
            let app = try #require(try await api.post("/v1/apps", Self.app, as: api.admin).body["id"]?.string)
            let member = try await api.fixture.member(.member, in: api.organization)
            let approved = try await api.approval(of: try #require(AppID(app)), by: member)
            let path = "/v1/authorizations/\(approved.id)"
            let refused = try await api.send(.delete, path, as: api.auditor)
            #expect(refused.status == 403 && refused.body["needed_scope"] == "users:write")
            let narrow = try await api.fixture.member(
                .securityAdmin,
                in: api.organization,
                username: "narrow@acme.example",
                scopes: ScopeSet([.usersRead])
            )
            #expect(try await api.send(.delete, path, as: narrow).status == 403)
            #expect(try await api.send(.get, "/v1/whoami", bearer: approved.bearer).status == 200)
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            #expect(try await api.send(.get, "/v1/whoami", bearer: approved.bearer).status == 401)
            #expect(try await api.send(.delete, path, as: api.admin).status == 404)
            let told = try await api.fixture.leaves(in: api.organization.id, action: .authorizationEnded)
            #expect(told.map { $0["outcome"] } == ["refused", "refused", "done", "refused"])
            #expect(told[2]["actor"]?["id"]?.string == api.admin.user.description)
            #expect(told[2]["after"]?["user"]?.string == member.user.description)
            #expect(told[2]["authority"] == ["kind": "scope", "id": "users:write"])
        }
    }

    // MARK: Sessions

    @Test func `a member sees and ends their own sign-ins, and nobody else's`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            let (own, foreign) = (try await session(of: member, in: api), try await session(of: api.admin, in: api))
            let seen = try await api.get("/v1/sessions", as: member)
            #expect(ids(seen) == [own.description])
            #expect(seen.items.first?["second_factor"] == "totp" && seen.items.first?["address"] == "198.51.100.7")
            #expect(try await api.send(.delete, "/v1/sessions/\(foreign)", as: member).status == 404)
            #expect(try await api.send(.delete, "/v1/sessions/\(own)", as: member).status == 204)
            #expect(try await api.get("/v1/sessions", as: member).items.isEmpty)
            #expect(try await api.send(.delete, "/v1/sessions/\(own)", as: member).status == 404)
            let entry = try #require(
                try await api.fixture.leaves(in: api.organization.id, action: .sessionEnded)
                    .first { $0["outcome"] == "done" }
            )
            #expect(entry["actor"]?["id"]?.string == member.user.description && entry["authority"] == .null)
            #expect(try await api.entry(.sessionRead)["after"]?["operation"] == "listSessions")
        }
    }

    @Test func `admins and auditors see everybody's, and admins alone end them, one or all`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            let mine = try await session(of: api.admin, in: api)
            var theirs: [SessionID] = []
            for _ in 0..<3 { theirs.append(try await session(of: member, in: api)) }
            #expect(try await api.get("/v1/sessions", as: api.auditor).items.count == 4)
            let filter = "?filter=user%20eq%20%22\(member.user)%22"
            #expect(ids(try await api.get("/v1/sessions" + filter, as: api.admin)) == Set(theirs.map(\.description)))
            let all = "/v1/users/\(member.user)/end-sessions"
            #expect(try await api.send(.delete, "/v1/sessions/\(theirs[0])", as: api.auditor).status == 403)
            #expect(try await api.post(all, as: api.auditor).status == 403)
            #expect(try await api.send(.delete, "/v1/sessions/\(theirs[0])", as: api.admin).status == 204)
            #expect(try await api.post(all, as: api.admin).body == ["ended": 2])
            #expect(try await api.post(all, as: api.admin).body == ["ended": 0])
            #expect(ids(try await api.get("/v1/sessions", as: api.admin)) == [mine.description])
            let done = try await api.fixture.leaves(in: api.organization.id, action: .sessionEnded)
                .filter { $0["outcome"] == "done" }
            #expect(done.count == 3 && done.allSatisfy { $0["authority"]?["id"] == "users:write" })
        }
    }

    @Test func `a sign-in that is over, idle or of a leaver is in no list`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            for change: SQL in [
                "UPDATE sessions SET last_seen_at = now() - interval '121 minutes'",
                "UPDATE sessions SET second_factor = 'due'",
                "UPDATE users SET epoch = epoch + 1 WHERE role = 'member'",
            ] {
                _ = try await session(of: member, in: api)
                #expect(try await api.get("/v1/sessions", as: api.auditor).items.count == 1)
                _ = try await api.fixture.owner.query(change)
                #expect(try await api.get("/v1/sessions", as: api.auditor).items.isEmpty)
            }
        }
    }

    // MARK: Grants in one's keeping

    @Test func `a custodian without any role sees the grants they keep, and ends a secret of one`() async throws {
        try await TestAPI.with { api in
            let keeper = try await api.fixture.member(.member, in: api.organization)
            let integration = try await api.fixture.integration(in: api.organization, rule: nil)
            func grant(_ name: String, of custodian: UserID) async throws -> GrantID {
                let user = try await api.fixture.integrationUser(
                    of: integration,
                    in: api.organization,
                    username: name,
                    custodian: custodian
                )
                let grant = try await api.fixture.grant(to: user, in: api.organization)
                _ = try await api.fixture.claimedSecret(of: grant, in: api.organization, by: api.admin)
                return grant
            }
            let kept = try await grant("kept", of: keeper.user)
            let other = try await grant("other", of: api.admin.user)
            #expect(ids(try await api.get("/v1/grants", as: keeper)) == [kept.description])
            #expect(try await api.get("/v1/grants/\(other)", as: keeper).status == 404)
            let shown = try await api.get("/v1/grants/\(kept)", as: keeper)
            let secret = try #require(shown.body["secrets"]?.array?.first?["id"]?.string)
            let foreign = try await api.get("/v1/grants/\(other)", as: api.admin).body["secrets"]?.array?.first?["id"]
            for path in ["\(other)/secrets/\(foreign?.string ?? "")", "\(kept)/secrets/\(foreign?.string ?? "")"] {
                #expect(try await api.send(.delete, "/v1/grants/" + path, as: keeper).status == 404)
            }
            #expect(try await api.send(.delete, "/v1/grants/\(kept)/secrets/\(secret)", as: keeper).status == 204)
            #expect(try await api.get("/v1/grants/\(kept)", as: keeper).body["secrets"] == [])
            let told = try await api.fixture.leaves(in: api.organization.id, action: .secretEnded)
            #expect(told.map { $0["outcome"] } == ["refused", "refused", "done"])
            #expect(told[2]["authority"] == ["kind": "custodian"])
            #expect(try await api.send(.delete, "/v1/grants/\(kept)", as: keeper).status == 403)
        }
    }

    @Test func `keys are taken away by their custodian, and by an admin`() async throws {
        try await TestAPI.with { api in
            let keeper = try await api.fixture.member(.member, in: api.organization)
            let stranger = try await api.fixture.member(.member, in: api.organization, username: "s@acme.example")
            let integration = try await api.fixture.integration(in: api.organization, rule: nil)
            let user = try await api.fixture.integrationUser(
                of: integration,
                in: api.organization,
                custodian: keeper.user
            )
            let grant = try await api.fixture.grant(to: user, in: api.organization)
            let path = "/v1/grants/\(grant)/keys"
            let keys = try #require(GrantKeysRegistration.Source(address: "https://payroll.example/jwks.json"))
            #expect(try await api.send(.delete, path, as: keeper).status == 404)
            for account in [keeper, api.admin] {
                let registration = GrantKeysRegistration(
                    of: grant,
                    keys,
                    custodian: keeper.user,
                    by: api.fixture.attribution(of: keeper)
                )
                #expect(try await api.fixture.store.perform(registration, in: api.organization.id).hasKeys)
                #expect(try await api.send(.delete, path, as: stranger).status == 404)
                #expect(try await api.send(.delete, path, as: api.auditor).status == 404)
                #expect(try await api.send(.delete, path, as: account).status == 204)
                #expect(try await api.get("/v1/grants/\(grant)", as: api.admin).body["authentication"] == .null)
            }
            let done = try await api.fixture.leaves(in: api.organization.id, action: .grantKeysRemoved)
                .filter { $0["outcome"] == "done" }
            #expect(done.map { $0["authority"]?["kind"] } == ["custodian", "scope"])
        }
    }

    // MARK: Bodies

    @Test func `no body is no body, with a content type too`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            let path = "/v1/users/\(member.user)/end-sessions"
            for type in ["application/json", "application/json; charset=utf-8", nil] {
                let answer = try await api.raw(path, "", type: type, as: api.admin)
                #expect(answer == 200, "\(type ?? "none")")
            }
            #expect(try await api.raw(path, "", type: "text/plain", as: api.admin) == 415)
            #expect(try await api.raw(path, " ", type: "application/json", as: api.admin) == 400)
            #expect(try await api.raw(path, "{}", type: nil, as: api.admin) == 415)
            // Where one is needed it stays needed.
            let role = "/v1/users/\(member.user)/role"
            #expect(try await api.raw(role, "", type: "application/json", as: api.admin) == 400)
        }
    }

    // MARK: Forged tokens

    @Test func `a signed token that nobody was handed, or one for elsewhere, opens nothing`() async throws {
        try await TestAPI.with { api in
            let integration = try await api.fixture.integration(in: api.organization, rule: nil)
            let user = try await api.fixture.integrationUser(of: integration, in: api.organization)
            let grant = try await api.fixture.grant(to: user, in: api.organization)
            func token(for audience: String) async throws -> String {
                try await api.fixture.signedToken(of: grant, for: audience, issuer: TestAPI.publicURL)
            }
            let genuine = try await token(for: TestAPI.publicURL + "/v1")
            #expect(try await api.send(.get, "/v1/whoami", bearer: "Bearer " + genuine).status == 200)
            let forged = try await Forgeries.of(genuine, in: api.fixture)
            #expect(forged.count > 10)
            for (name, token) in forged {
                #expect(try await api.send(.get, "/v1/whoami", bearer: "Bearer " + token).status == 401, "\(name)")
            }
            for audience in ["https://payroll.example", TestAPI.publicURL + "/v2"] {
                let elsewhere = try await token(for: audience)
                #expect(try await api.send(.get, "/v1/whoami", bearer: "Bearer " + elsewhere).status == 401)
            }
            #expect(try await api.send(.get, "/v1/whoami", bearer: "Bearer " + genuine).status == 200)
        }
    }
}
