import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Personal tokens` {
    private func body(_ api: TestAPI, _ more: JSON.Object = [:]) async throws -> JSON {
        let expiry = try await api.fixture.databaseNow() + .seconds(3600)
        var token: JSON.Object = [
            "name": "Tests", "scopes": ["people:read"], "expires_at": .string(expiry.description),
        ]
        for (name, value) in more.members { token[name] = value }
        return .object(token)
    }

    /// The account of a token that an answer showed.
    private func bearer(_ answer: TestAPI.Answer) throws -> String {
        "Bearer " + (try #require(answer.body["token"]?.string))
    }

    @Test func `a member makes one in one step, it is shown once, works, and is revoked`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/tokens", try await body(api), as: api.admin, key: "one")
            #expect(made.status == 201)
            let text = try #require(made.body["token"]?.string)
            #expect(text.hasPrefix("rcp_"))
            let id = try #require(made.body["id"]?.string)
            #expect(try await api.post("/v1/tokens", try await body(api), as: api.admin, key: "one").status != 201)
            let bearer = try bearer(made)
            #expect(try await api.send(.get, "/v1/people", bearer: bearer).status == 200)
            #expect(try await api.send(.get, "/v1/users", bearer: bearer).status == 403)
            let listed = try await api.get("/v1/tokens", as: api.admin).items.first { $0["id"]?.string == id }
            #expect(listed?["name"] == "Tests" && listed?["token"] == nil && listed?["status"] == "active")
            #expect(try await api.send(.delete, "/v1/tokens/\(id)", as: api.admin).status == 204)
            #expect(try await api.send(.get, "/v1/people", bearer: bearer).status == 401)
            #expect(try await api.get("/v1/tokens/\(id)", as: api.admin).body["status"] == "revoked")
            for leaf in try await api.fixture.leaves(in: api.organization.id) { #expect(!leaf.text.contains(text)) }
        }
    }

    @Test func `a token makes none that is wider or longer than itself`() async throws {
        try await TestAPI.with { api in
            let short = try await api.post(
                "/v1/tokens",
                try await body(api, ["scopes": ["people:read", "tokens:write"]]),
                as: api.admin
            )
            let bearer = try bearer(short)
            let later = try await api.fixture.databaseNow() + .seconds(7200)
            let wider = try await api.send(
                .post,
                "/v1/tokens",
                try await body(api, ["scopes": ["users:write"]]),
                bearer: bearer
            )
            #expect(wider.status == 422 && wider.places == ["/scopes"])
            let longer = try await api.send(
                .post,
                "/v1/tokens",
                try await body(api, ["expires_at": .string(later.description)]),
                bearer: bearer
            )
            #expect(longer.status == 422 && longer.places == ["/expires_at"])
            let near = try await api.fixture.databaseNow() + .seconds(600)
            let equal = try await api.send(
                .post,
                "/v1/tokens",
                try await body(api, ["expires_at": .string(near.description)]),
                bearer: bearer
            )
            #expect(equal.status == 201)
            // Made again through a narrower token, a wide one does not become one's own.
            let wide = try await api.post(
                "/v1/tokens",
                try await body(api, ["scopes": ["people:read", "users:write"]]),
                as: api.admin
            )
            let renewed = try await api.send(
                .post,
                "/v1/tokens/\(wide.body["id"]?.string ?? "")/renew",
                ["expires_at": .string(near.description)],
                bearer: bearer
            )
            #expect(renewed.status == 422 && renewed.places == ["/scopes"])
        }
    }

    @Test func `what was made with a token ends with it, and what was made with that`() async throws {
        try await TestAPI.with { api in
            let first = try await api.post(
                "/v1/tokens",
                try await body(api, ["scopes": ["people:read", "tokens:write"]]),
                as: api.admin
            )
            func made(with parent: TestAPI.Answer, for seconds: Int) async throws -> TestAPI.Answer {
                let near = try await api.fixture.databaseNow() + .seconds(seconds)
                let more: JSON.Object = [
                    "expires_at": .string(near.description), "scopes": ["people:read", "tokens:write"],
                ]
                return try await api.send(.post, "/v1/tokens", try await body(api, more), bearer: try bearer(parent))
            }
            let child = try await made(with: first, for: 900)
            let grandchild = try await made(with: child, for: 600)
            // Made again by itself it stays what it is: one that was made with the first.
            let soon: JSON = ["expires_at": .string((try await api.fixture.databaseNow() + .seconds(500)).description)]
            let path = "/v1/tokens/\(child.body["id"]?.string ?? "")"
            let again = try await api.send(.post, path + "/renew", soon, bearer: try bearer(child))
            #expect(again.status == 201)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(grandchild)).status == 401)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(again)).status == 200)
            let other = try await api.post("/v1/tokens", try await body(api), as: api.admin)
            let id = first.body["id"]?.string ?? ""
            #expect(try await api.send(.delete, "/v1/tokens/\(id)", as: api.admin).status == 204)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(again)).status == 401)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(other)).status == 200)
            let entries = try await api.fixture.leaves(in: api.organization.id, action: .tokenRevoked)
            #expect(
                entries.contains {
                    $0["reason"] == "maker_revoked" && $0[pointer: "/after/made_with"]?.string == id
                        && $0[pointer: "/target/id"] == again.body["id"]
                }
            )
        }
    }

    @Test func `one that is bound to an audience makes none that is not`() async throws {
        try await TestAPI.with { api in
            let audience: JSON = .string(TestAPI.publicURL + "/v1")
            let bound = try await api.post(
                "/v1/tokens",
                try await body(api, ["audience": audience, "scopes": ["people:read", "tokens:write"]]),
                as: api.admin
            )
            #expect(bound.body["audience"] == audience)
            let bearer = try bearer(bound)
            let near = try await api.fixture.databaseNow() + .seconds(600)
            let more: JSON.Object = ["expires_at": .string(near.description)]
            let inherits = try await api.send(.post, "/v1/tokens", try await body(api, more), bearer: bearer)
            #expect(inherits.status == 201 && inherits.body["audience"] == audience)
            var other = more
            other["audience"] = .string(TestAPI.publicURL + "/mcp")
            let refused = try await api.send(.post, "/v1/tokens", try await body(api, other), bearer: bearer)
            #expect(refused.status == 422 && refused.places == ["/audience"])
            let nowhere = try await api.post(
                "/v1/tokens",
                try await body(api, ["audience": "https://x.example"]),
                as: api.admin
            )
            #expect(nowhere.places == ["/audience"])
        }
    }

    @Test(arguments: [
        (#"{"expires_at": "2020-01-01T00:00:00Z"}"#, "/expires_at"),
        (#"{"expires_at": "2099-01-01T00:00:00Z"}"#, "/expires_at"), (#"{"scopes": []}"#, "/scopes"),
        (#"{"scopes": ["nonsense"]}"#, "/scopes/0"), (#"{"name": ""}"#, "/name"), (#"{"user": "x"}"#, "/user"),
    ])
    func `what is not acceptable is named`(change: String, place: String) async throws {
        try await TestAPI.with { api in
            let more = try #require(try JSON.parse(Array(change.utf8)).object)
            let answer = try await api.post("/v1/tokens", try await body(api, more), as: api.admin)
            #expect(answer.status == 422 && answer.places == [place])
        }
    }

    @Test func `an expiry is needed, and the organization bounds it`() async throws {
        try await TestAPI.with { api in
            var without = try #require(try await body(api).object)
            without["expires_at"] = nil
            #expect(try await api.post("/v1/tokens", .object(without), as: api.admin).places == ["/expires_at"])
            let tag = try await api.get("/v1/organization", as: api.admin).fields[.eTag]
            let settings: JSON = ["longest_token_lifetime": "PT30M"]
            #expect(try await api.patch("/v1/organization", settings, tag: tag, as: api.admin).status == 200)
            #expect(try await api.post("/v1/tokens", try await body(api), as: api.admin).places == ["/expires_at"])
        }
    }

    @Test func `a member sees and ends their own alone; admins see and end all, values never`() async throws {
        try await TestAPI.with { api in
            let member = try await api.fixture.member(.member, in: api.organization)
            let made = try await api.post(
                "/v1/tokens",
                try await body(api, ["scopes": ["people:read.self"]]),
                as: member
            )
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            let admins = try await api.post("/v1/tokens", try await body(api), as: api.admin)
            let adminID = try #require(admins.body["id"]?.string)
            let own = try await api.get("/v1/tokens", as: member).items
            #expect(own.allSatisfy { $0["user"]?.string == member.user.description } && own.count == 2)
            #expect(try await api.get("/v1/tokens/\(adminID)", as: member).status == 404)
            #expect(try await api.send(.delete, "/v1/tokens/\(adminID)", as: member).status == 404)
            #expect(try await api.send(.delete, "/v1/tokens/\(adminID)", as: api.auditor).status == 404)
            let seen = try await api.get("/v1/tokens/\(id)", as: api.admin)
            #expect(seen.status == 200 && seen.body["token"] == nil)
            let renewal: JSON = [
                "expires_at": .string((try await api.fixture.databaseNow() + .seconds(600)).description)
            ]
            #expect(try await api.post("/v1/tokens/\(id)/renew", renewal, as: api.admin).status == 404)
            #expect(try await api.send(.delete, "/v1/tokens/\(id)", as: api.admin).status == 204)
            #expect(try await api.send(.get, "/v1/whoami", bearer: try bearer(made)).status == 401)
        }
    }

    @Test func `made again, the former one ends`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/tokens", try await body(api), as: api.admin)
            let path = "/v1/tokens/\(made.body["id"]?.string ?? "")"
            let renewal: JSON = [
                "expires_at": .string((try await api.fixture.databaseNow() + .seconds(600)).description)
            ]
            let again = try await api.post(path + "/renew", renewal, as: api.admin)
            #expect(again.status == 201 && again.body["name"] == "Tests" && again.body["scopes"] == ["people:read"])
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(made)).status == 401)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(again)).status == 200)
            #expect(try await api.post(path + "/renew", renewal, as: api.admin).status == 409)
        }
    }

    @Test func `an integration makes no personal token, whatever its scopes`() async throws {
        try await TestAPI.with { api in
            let scopes = ScopeSet([.peopleRead, .tokensWrite])
            let integration = try await api.fixture.integration(in: api.organization, rule: nil, scopes: scopes)
            let user = try await api.fixture.integrationUser(of: integration, in: api.organization)
            let grant = try await api.fixture.grant(to: user, in: api.organization, scopes: scopes)
            let robot = try await api.fixture.accessToken(of: grant)
            let near = try await api.fixture.databaseNow() + .seconds(300)
            let answer = try await api.post(
                "/v1/tokens",
                try await body(api, ["expires_at": .string(near.description)]),
                as: robot
            )
            #expect(answer.status == 409)
            let place = "/v1/workspaces/\(api.organization.workspace)/tokens"
            #expect(try await api.post(place, ["name": "x", "scopes": ["people:read"]], as: robot).status == 403)
        }
    }

    @Test func `last uses of tokens without a grant are written`() async throws {
        try await TestAPI.with { api in
            let uses = LastUses(api.fixture.store)
            uses.touch(api.admin.caller, at: try await api.fixture.databaseNow(), from: IPAddress("198.51.100.3"))
            await uses.flush()
            let id = api.admin.caller.credential.token
            #expect(try await api.get("/v1/tokens/\(id)", as: api.admin).body["last_used_address"] == "198.51.100.3")
        }
    }
}

@Suite struct `Workspace tokens` {
    private func made(_ api: TestAPI, as account: TestAccount? = nil) async throws -> TestAPI.Answer {
        try await api.post(
            "/v1/workspaces/\(api.organization.workspace)/tokens",
            ["name": "Reports", "scopes": ["people:read"]],
            as: account ?? api.admin
        )
    }

    private func bearer(_ answer: TestAPI.Answer) throws -> String {
        "Bearer " + (try #require(answer.body["token"]?.string))
    }

    @Test func `a security admin makes one for seven days, and it acts as a user of its own`() async throws {
        try await TestAPI.with { api in
            // The admin's own token of a test is good for a day, and bounds what it makes.
            _ = try await api.fixture.owner.query("UPDATE tokens SET expires_at = now() + interval '90 days'")
            let began = try await api.fixture.databaseNow()
            let token = try await made(api)
            #expect(token.status == 201)
            #expect(token.body["token"]?.string?.hasPrefix("rcw_") ?? false)
            let expiry = try #require(token.body["expires_at"]?.string.flatMap { Timestamp($0) })
            #expect((.seconds(7 * 86_400)...(.seconds(7 * 86_400 + 60))).contains(expiry - began))
            let bearer = try bearer(token)
            let who = try await api.send(.get, "/v1/whoami", bearer: bearer)
            #expect(who.body["kind"] == "integration" && who.body["scopes"] == ["people:read"])
            #expect(who.body["workspace"]?.string == api.organization.workspace.description)
            #expect(who.body["user"]?["id"] == token.body["user"])
            #expect(try await api.send(.get, "/v1/people", bearer: bearer).status == 200)
            let entry = try await api.entry(.personRead)
            #expect(entry["actor"]?["id"] == token.body["user"] && entry["actor"]?["kind"] == "integration_user")
        }
    }

    @Test func `nobody else makes, refreshes, edits or deletes one`() async throws {
        try await TestAPI.with { api in
            let token = try await made(api)
            let path = "/v1/tokens/\(token.body["id"]?.string ?? "")"
            let member = try await api.fixture.member(.member, in: api.organization)
            for account in [api.auditor, member] {
                #expect(try await made(api, as: account).status == 403)
                #expect(try await api.post(path + "/refresh", as: account).status == 403)
                #expect(try await api.patch(path, ["name": "x"], tag: "\"v1\"", as: account).status == 403)
                #expect(try await api.send(.delete, path, as: account).status == 404)
            }
            // Not even itself.
            #expect(try await api.send(.post, path + "/refresh", bearer: try bearer(token)).status == 403)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(token)).status == 200)
        }
    }

    @Test func `refreshing replaces the value, and says whom it cuts off`() async throws {
        try await TestAPI.with { api in
            let token = try await made(api)
            let path = "/v1/tokens/\(token.body["id"]?.string ?? "")"
            let fresh = try await api.post(path + "/refresh", as: api.admin)
            #expect(fresh.status == 201 && fresh.body["id"] == token.body["id"])
            #expect(fresh.body["token"] != token.body["token"])
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(token)).status == 401)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(fresh)).status == 200)
            _ = try await api.fixture.owner.query(
                "UPDATE tokens SET last_used_at = now(), last_used_address = '198.51.100.77' WHERE kind = 'workspace'"
            )
            let asked = try await api.post(path + "/refresh", as: api.admin)
            #expect(asked.status == 409 && asked.problem == "/problems/confirmation-required")
            #expect(asked.body["detail"]?.string?.contains("198.51.100.77") ?? false)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(fresh)).status == 200)
            let value = try #require(asked.body["confirmation"])
            let confirmed = try await api.post(path + "/refresh", ["confirmation": value], as: api.admin)
            #expect(confirmed.status == 201)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(fresh)).status == 401)
        }
    }

    @Test func `its data accesses are edited, and count from that moment`() async throws {
        try await TestAPI.with { api in
            let token = try await made(api)
            let path = "/v1/tokens/\(token.body["id"]?.string ?? "")"
            let changed = try await api.patch(path, ["scopes": ["users:read"]], tag: "\"v1\"", as: api.admin)
            #expect(changed.status == 200 && changed.body["scopes"] == ["users:read"])
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(token)).status == 403)
            #expect(try await api.send(.get, "/v1/users", bearer: try bearer(token)).status == 200)
            #expect(try await api.patch(path, ["name": "x"], tag: "\"v1\"", as: api.admin).status == 412)
        }
    }

    @Test func `deleting it ends its user, and asks where it is in use`() async throws {
        try await TestAPI.with { api in
            let token = try await made(api)
            let path = "/v1/tokens/\(token.body["id"]?.string ?? "")"
            _ = try await api.fixture.owner.query("UPDATE tokens SET last_used_at = now() WHERE kind = 'workspace'")
            let asked = try await api.send(.delete, path, as: api.admin)
            #expect(asked.status == 409)
            let value = try #require(asked.body["confirmation"]?.string)
            #expect(try await api.send(.delete, path + "?confirmation=\(value)", as: api.admin).status == 204)
            #expect(try await api.send(.get, "/v1/people", bearer: try bearer(token)).status == 401)
            let user = try await api.get("/v1/users/\(token.body["user"]?.string ?? "")", as: api.admin)
            #expect(user.body["status"] == "deactivated")
            #expect(try await api.entry(.userDeactivated)["reason"] == "token_deleted")
        }
    }
}
