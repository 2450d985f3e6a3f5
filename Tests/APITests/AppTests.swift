import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct AppTests {
    private static let new: JSON = [
        "name": "Org chart", "contact_email": "charts@example.com",
        "redirect_uris": ["https://charts.example.com/callback"], "scopes": ["people:read"],
    ]

    @Test func `an app is registered, its secret is shown once, and the log names who did it`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/apps", Self.new, as: api.admin)
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            let secret = try #require(made.body["client_secret"]?.string.flatMap { OpaqueSecret($0) })
            #expect(secret.kind == .client && made.body["client_id"]?.string == id)
            #expect(made.fields[.location] == "/v1/apps/" + id)
            let entry = try await api.entry(.appCreated)
            #expect(entry["actor"]?["id"]?.string == api.admin.user.description && entry["outcome"] == "done")
            #expect(!entry.text.contains(secret.reveal()))
            let read = try await api.get("/v1/apps/" + id, as: api.auditor)
            #expect(read.status == 200 && read.body["client_secret"] == nil && !read.body.text.contains("rcs_"))
            let list = try await api.get("/v1/apps", as: api.auditor)
            #expect(list.items.map { $0["id"]?.string } == [id] && !list.body.text.contains("rcs_"))
            let dump = try await api.fixture.text("SELECT string_agg(a::text, ' ') FROM apps a")
            #expect(dump?.contains(secret.reveal()) == false)
        }
    }

    @Test(
        arguments: [
            (["redirect_uris": ["https://app.example/cb#x"]], "/redirect_uris/0"),
            (["redirect_uris": ["http://app.example/cb"]], "/redirect_uris/0"),
            (["redirect_uris": ["https://app.example@evil.example/cb"]], "/redirect_uris/0"),
            (["redirect_uris": []], "/redirect_uris"), (["scopes": []], "/scopes"),
            (["scopes": ["nonsense"]], "/scopes/0"),
            (["scopes": .array(Array(repeating: "people:read", count: 257))], "/scopes"), (["name": ""], "/name"),
            (["contact_email": "nobody"], "/contact_email"), (["access_token_seconds": 1], "/access_token_seconds"),
            (["legacy": true, "confidential": false], nil), (["client_secret": "rcs_mine"], "/client_secret"),
        ] as [(JSON.Object, String?)]
    )
    func `what is not acceptable is named, and nothing is made`(changes: JSON.Object, place: String?) async throws {
        try await TestAPI.with { api in
            let body = JSON.object((Self.new.object ?? [:]).merged(with: changes))
            let answer = try await api.post("/v1/apps", body, as: api.admin)
            #expect((400..<500).contains(answer.status), "\(answer.body)")
            if let place { #expect(answer.places == [place]) }
            #expect(try await api.fixture.number("SELECT count(*) FROM apps") == 0)
        }
    }

    @Test func `only who may change integrations changes apps, and reading is for who may read them`() async throws {
        try await TestAPI.with { api in
            let id = try #require(try await api.post("/v1/apps", Self.new, as: api.admin).body["id"]?.string)
            let member = try await api.fixture.member(.member, in: api.organization)
            for account in [api.auditor, member] {
                #expect(try await api.post("/v1/apps", Self.new, as: account).status == 403)
                for verb in ["rotate-secret", "disable", "enable"] {
                    #expect(try await api.post("/v1/apps/\(id)/\(verb)", as: account).status == 403)
                }
                #expect(
                    try await api.patch("/v1/apps/" + id, ["name": "Mine"], tag: "\"v1\"", as: account).status == 403
                )
                #expect(try await api.send(.delete, "/v1/apps/" + id, as: account).status == 403)
            }
            #expect(try await api.get("/v1/apps/" + id, as: api.auditor).body["status"] == "active")
            #expect(try await api.get("/v1/apps/" + id, as: member).status == 403)
            #expect(try await api.get("/v1/apps", as: member).status == 403)
        }
    }

    @Test func `a change needs the version that was seen, and its entry says what differs`() async throws {
        try await TestAPI.with { api in
            let id = try #require(try await api.post("/v1/apps", Self.new, as: api.admin).body["id"]?.string)
            let path = "/v1/apps/" + id
            let tag = try await api.get(path, as: api.admin).fields[.eTag]
            let change: JSON = ["redirect_uris": ["https://charts.example.com/other"]]
            #expect(try await api.patch(path, change, tag: nil, as: api.admin).status == 428)
            #expect(try await api.patch(path, change, tag: "\"v99\"", as: api.admin).status == 412)
            for wrong in ["*", "W/\"v1\"", "v1", "\"v1\", \"v2\""] {
                #expect(try await api.patch(path, change, tag: wrong, as: api.admin).status == 400)
            }
            // What cannot be meant is said before what is out of date.
            #expect(try await api.patch(path, ["name": ""], tag: "\"v99\"", as: api.admin).places == ["/name"])
            #expect(try await api.patch(path, ["client_id": "x"], tag: tag, as: api.admin).places == ["/client_id"])
            let changed = try await api.patch(path, change, tag: tag, as: api.admin)
            #expect(changed.status == 200 && changed.fields[.eTag] != tag)
            #expect(changed.body["redirect_uris"] == ["https://charts.example.com/other"])
            #expect(try await api.patch(path, change, tag: tag, as: api.admin).status == 412)
            let entry = try await api.fixture.leaves(in: api.organization.id, action: .appUpdated)
                .filter { $0["outcome"] == "done" }
            #expect(entry.count == 1 && entry.first?["after"]?.text.contains("/other") == true)
        }
    }

    @Test func `a secret is replaced at once, and an app is stopped, let go on and deleted for good`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/apps", Self.new, as: api.admin)
            let path = "/v1/apps/" + (made.body["id"]?.string ?? "")
            let rotated = try await api.post(path + "/rotate-secret", as: api.admin)
            #expect(rotated.status == 200 && rotated.body["client_secret"]?.string?.hasPrefix("rcs_") == true)
            #expect(rotated.body["client_secret"] != made.body["client_secret"])
            #expect(try await api.post(path + "/disable", as: api.admin).body["status"] == "disabled")
            #expect(try await api.post(path + "/enable", as: api.admin).body["status"] == "active")
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            for verb in ["rotate-secret", "disable", "enable"] {
                #expect([404, 409].contains(try await api.post("\(path)/\(verb)", as: api.admin).status), "\(verb)")
            }
            for action in [ActionCode.appSecretRotated, .appDisabled, .appEnabled, .appEnded] {
                let done = try await api.fixture.leaves(in: api.organization.id, action: action)
                    .filter { $0["outcome"] == "done" }
                #expect(done.count == 1, "\(action)")
            }
        }
    }

    @Test func `a member sees and ends what they approved, and nobody else's`() async throws {
        try await TestAPI.with { api in
            let app = try #require(try await api.post("/v1/apps", Self.new, as: api.admin).body["id"]?.string)
            let id = try #require(AppID(app))
            let member = try await api.fixture.member(.member, in: api.organization)
            let approved = try await api.approval(of: id, by: member)
            let own = try await api.get("/v1/authorizations", as: member)
            #expect(own.items.map { $0["id"]?.string } == [approved.id.description])
            #expect(own.items.first?["app_name"] == "Org chart" && own.items.first?["scopes"] == ["people:read"])
            let other = try await api.fixture.member(.member, in: api.organization, username: "other@acme.example")
            #expect(try await api.get("/v1/authorizations", as: other).items.isEmpty)
            let path = "/v1/authorizations/\(approved.id)"
            #expect(try await api.send(.delete, path, as: other).status == 404)
            #expect(try await api.send(.get, "/v1/whoami", bearer: approved.bearer).status == 200)

            #expect(try await api.send(.delete, path, as: member).status == 204)
            #expect(try await api.send(.get, "/v1/whoami", bearer: approved.bearer).status == 401)
            #expect(try await api.get("/v1/authorizations", as: member).items.isEmpty)
            #expect(try await api.send(.delete, path, as: member).status == 404)
            let entry = try #require(
                try await api.fixture.leaves(in: api.organization.id, action: .authorizationEnded)
                    .first { $0["outcome"] == "done" }
            )
            #expect(entry["actor"]?["id"]?.string == member.user.description)
        }
    }

    @Test func `another organization's app and approval are unknown`() async throws {
        try await TestAPI.with { api in
            let app = try #require(try await api.post("/v1/apps", Self.new, as: api.admin).body["id"]?.string)
            let approved = try await api.approval(of: try #require(AppID(app)), by: api.admin)
            let other = try await api.fixture.organization("globex")
            let stranger = try await api.fixture.securityAdmin(in: other)
            #expect(try await api.get("/v1/apps/" + app, as: stranger).status == 404)
            #expect(try await api.post("/v1/apps/\(app)/rotate-secret", as: stranger).status == 404)
            #expect(try await api.send(.delete, "/v1/apps/" + app, as: stranger).status == 404)
            #expect(try await api.send(.delete, "/v1/authorizations/\(approved.id)", as: stranger).status == 404)
            #expect(try await api.get("/v1/apps", as: stranger).items.isEmpty)
            #expect(try await api.send(.get, "/v1/whoami", bearer: approved.bearer).status == 200)
        }
    }
}

extension TestAPI {
    /// An approval such as the consent page makes, with an access token of it.
    func approval(
        of app: AppID,
        by account: TestAccount,
        scopes: [String] = ["people:read"]
    ) async throws -> (id: AuthorizationID, bearer: String) {
        let id = fixture.store.newID(AuthorizationID.self)
        let token = OpaqueSecret.make(.access, using: fixture.randomness)
        _ = try await fixture.owner.pipeline([
            """
            INSERT INTO authorizations (organization_id, id, app_id, user_id, scopes, status, approved_at, created_at)
            VALUES (\(organization.id), \(id), \(app), \(account.user), \(scopes), 'active', now(), now())
            """,
            """
            INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, user_epoch, issued_at, expires_at,
                authorization_id, authorization_epoch)
            SELECT organization_id, \(fixture.store.newID(TokenID.self)), 'access',
                \(fixture.keyring.digest(of: token)), id, \(scopes), epoch, clock_timestamp(),
                clock_timestamp() + interval '1 hour', \(id), 1
            FROM users WHERE id = \(account.user)
            """,
        ])
        return (id, "Bearer " + token.reveal())
    }
}
