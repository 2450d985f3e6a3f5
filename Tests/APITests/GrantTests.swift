import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct GrantTests {
    /// An integration with a user of its own, made for nobody.
    private static func scene(
        _ body: @Sendable (TestAPI, _ new: @Sendable (JSON.Object) -> JSON) async throws -> Void
    ) async throws {
        try await TestAPI.with { api in
            let integration = try await api.fixture.integration(in: api.organization, rule: nil)
            _ = try await api.fixture.integrationUser(of: integration, in: api.organization, custodian: api.admin.user)
            let expiry = try await api.fixture.databaseNow() + .seconds(86_400)
            try await body(api) { more in
                var grant: JSON.Object = [
                    "client_name": "Batch", "workspace": "default", "username": "crm.robot",
                    "expires_at": .string(expiry.description), "scopes": ["people:read"], "ip_allow_list": .null,
                ]
                for (name, value) in more.members { grant[name] = value }
                return .object(grant)
            }
        }
    }

    @Test func `a grant is made, read and listed, never with a secret`() async throws {
        try await Self.scene { api, new in
            let made = try await api.post("/v1/grants", new([:]), as: api.admin)
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            #expect(made.body["client_id"]?.string == id)
            #expect(made.body["status"]?.string == "active")
            #expect(made.body["secret_claimed_at"] == .null && made.body["secrets"] == [])
            #expect(try await api.get("/v1/grants/\(id)", as: api.auditor).body == made.body)
            let listed = try await api.get("/v1/grants?filter=username%20eq%20%22CRM.robot%22", as: api.auditor)
            #expect(listed.items == [made.body])
            let entry = try await api.entry(.grantCreated)
            #expect(entry["target"]?["id"]?.string == id)
            #expect(entry["after"]?["scopes"] == ["people:read"])
            #expect(try await api.fixture.number("SELECT count(*) FROM grants WHERE status = 'active'") == 1)
        }
    }

    @Test(arguments: [
        (#"{"scopes": ["audit:read"]}"#, "/scopes"), (#"{"username": "nobody"}"#, "/username"),
        (#"{"username": "security_admin@acme.example"}"#, "/username"),
        (#"{"expires_at": "2020-01-01T00:00:00Z"}"#, "/expires_at"),
        (#"{"expires_at": "2099-01-01T00:00:00Z"}"#, "/expires_at"), (#"{"expires_at": "soon"}"#, "/expires_at"),
        (#"{"ip_allow_list": []}"#, "/ip_allow_list"), (#"{"workspace": "nowhere"}"#, "/workspace"),
        (#"{"secret": "x"}"#, "/secret"),
    ])
    func `what is not acceptable is named, and nothing is made`(change: String, place: String) async throws {
        try await Self.scene { api, new in
            let more = try #require(try JSON.parse(Array(change.utf8)).object)
            let answer = try await api.post("/v1/grants", new(more), as: api.admin)
            #expect(answer.status == 422)
            #expect(answer.places == [place])
            #expect(try await api.fixture.number("SELECT count(*) FROM grants") == 0)
        }
    }

    @Test func `a grant is changed, suspended, resumed and ended, each once in the log`() async throws {
        try await Self.scene { api, new in
            let made = try await api.post("/v1/grants", new([:]), as: api.admin)
            let path = "/v1/grants/" + (made.body["id"]?.string ?? "")
            let changed = try await api.patch(
                path,
                ["ip_allow_list": ["203.0.113.0/24"]],
                tag: "\"v1\"",
                as: api.admin
            )
            #expect(changed.body["ip_allow_list"] == ["203.0.113.0/24"])
            #expect(changed.fields[.eTag] == "\"v2\"")
            #expect(try await api.patch(path, ["client_name": "x"], tag: "\"v1\"", as: api.admin).status == 412)
            #expect(try await api.entry(.grantUpdated)["outcome"]?.string == "refused")
            #expect(try await api.post(path + "/suspend", as: api.admin).body["status"]?.string == "suspended")
            #expect(try await api.post(path + "/suspend", as: api.admin).status == 200)
            #expect(try await api.fixture.leaves(in: api.organization.id, action: .grantSuspended).count == 1)
            #expect(try await api.post(path + "/resume", as: api.admin).body["status"]?.string == "active")
            let link = try await api.post(path + "/claim-links", as: api.admin)
            #expect(try await api.send(.delete, path, as: api.admin).status == 204)
            #expect(try await api.get(path, as: api.admin).body["status"]?.string == "ended")
            #expect(try await api.post(path + "/resume", as: api.admin).status == 409)
            #expect(try await api.post(path + "/claim-links", as: api.admin).status == 409)
            let url = link.body["url"]?.string ?? ""
            let secret = try #require(OpaqueSecret(String(url.suffix(OpaqueSecret.length))))
            #expect(try await isNothing(api.fixture.claim(secret, of: api.fixture.grant(in: api.organization))))
            #expect(try await api.fixture.number("SELECT epoch FROM grants") == 2)
        }
    }

    @Test func `a claim link is shown once and opens the secret once`() async throws {
        try await Self.scene { api, new in
            let id = try await api.post("/v1/grants", new([:]), as: api.admin).body["id"]?.string ?? ""
            let path = "/v1/grants/\(id)/claim-links"
            let link = try await api.post(path, as: api.admin, key: "once")
            #expect(link.status == 201)
            let url = try #require(link.body["url"]?.string)
            #expect(url.hasPrefix(TestAPI.publicURL + "/claim/rcc_"))
            #expect(try await api.post(path, as: api.admin, key: "once").status == 409)
            let secret = try #require(OpaqueSecret(String(url.suffix(OpaqueSecret.length))))
            let claimed = try await api.fixture.claim(secret, of: try #require(GrantID(id)))
            #expect(claimed?.client.description == id)
            let grant = try await api.get("/v1/grants/\(id)", as: api.auditor)
            #expect(grant.body["secret_claimed_at"] != .null)
            #expect(grant.body["secrets"]?.array?.count == 1)
            for leaf in try await api.fixture.leaves(in: api.organization.id) {
                #expect(!leaf.text.contains(secret.reveal()))
            }
        }
    }

    @Test func `scopes of a rule's grant are changed at its integration alone`() async throws {
        try await TestAPI.with { api in
            let fixture = api.fixture
            let source = try await fixture.source(in: api.organization)
            _ = try await fixture.integration(in: api.organization)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            let path = "/v1/grants/\(try await fixture.grant(in: api.organization))"
            let refused = try await api.patch(path, ["scopes": ["people:read"]], tag: "\"v1\"", as: api.admin)
            #expect(refused.status == 409)
            let renamed = try await api.patch(path, ["client_name": "Other"], tag: "\"v1\"", as: api.admin)
            #expect(renamed.body["client_name"]?.string == "Other")
            #expect(renamed.body["by_rule"] == true)
            #expect(try await api.entry(.grantUpdated)["person"]?.string == renamed.body["person"]?.string)
        }
    }

    @Test func `an expired grant says so, and an auditor changes nothing`() async throws {
        try await Self.scene { api, new in
            let id = try await api.post("/v1/grants", new([:]), as: api.admin).body["id"]?.string ?? ""
            _ = try await api.fixture.owner.query("UPDATE grants SET expires_at = now()")
            #expect(try await api.get("/v1/grants/\(id)", as: api.auditor).body["status"]?.string == "expired")
            #expect(try await api.post("/v1/grants/\(id)/suspend", as: api.auditor).status == 403)
            #expect(try await api.entry(.grantSuspended)["reason"]?.string == "scope_missing")
        }
    }

    @Test func `a narrower list names whom it cuts off, and asks`() async throws {
        try await Self.scene { api, new in
            let path =
                "/v1/grants/" + (try await api.post("/v1/grants", new([:]), as: api.admin).body["id"]?.string ?? "")
            _ = try await api.fixture.owner.query(
                """
                INSERT INTO grant_addresses (organization_id, grant_id, address, last_used_at)
                SELECT organization_id, id, a.address, now() - a.age FROM grants, (VALUES
                    ('198.51.100.7', interval '6 days'), ('203.0.113.9', interval '1 hour'),
                    ('192.0.2.200', interval '8 days')) AS a(address, age)
                """
            )
            let change: JSON = ["ip_allow_list": ["203.0.113.0/24"]]
            let asked = try await api.patch(path, change, tag: "\"v1\"", as: api.admin)
            #expect(asked.status == 409 && asked.problem == "/problems/confirmation-required")
            let detail = try #require(asked.body["detail"]?.string)
            #expect(
                detail.contains("198.51.100.7") && !detail.contains("203.0.113.9") && !detail.contains("192.0.2.200")
            )
            #expect(try await api.entry(.grantUpdated)["reason"]?.string == "confirmation_required")
            let value = try #require(asked.body["confirmation"]?.string)
            var again = try #require(change.object)
            again["confirmation"] = "ok_00000000000000000000"
            #expect(try await api.patch(path, .object(again), tag: "\"v1\"", as: api.admin).status == 409)
            // What was confirmed is what was seen: another address in use meanwhile asks anew.
            again["confirmation"] = .string(value)
            _ = try await api.fixture.owner.query(
                """
                INSERT INTO grant_addresses (organization_id, grant_id, address, last_used_at)
                SELECT organization_id, id, '198.51.100.8', now() FROM grants
                """
            )
            let anew = try await api.patch(path, .object(again), tag: "\"v1\"", as: api.admin)
            #expect(anew.status == 409)
            again["confirmation"] = anew.body["confirmation"]
            #expect(try await api.patch(path, .object(again), tag: "\"v1\"", as: api.admin).status == 200)
        }
    }

    @Test func `another user ends secrets, tokens and links of a grant`() async throws {
        try await Self.scene { api, new in
            let fixture = api.fixture
            let id = try await api.post("/v1/grants", new([:]), as: api.admin).body["id"]?.string ?? ""
            let grant = try #require(GrantID(id))
            let secret = try await fixture.claimedSecret(of: grant, in: api.organization, by: api.admin)
            let token = try await fixture.accessToken(of: grant).token
            let link = try await api.post("/v1/grants/\(id)/claim-links", as: api.admin)
            let tag = try await api.get("/v1/grants/\(id)", as: api.admin).fields[.eTag]
            let nobody = try await api.patch("/v1/grants/\(id)", ["username": "nobody"], tag: tag, as: api.admin)
            #expect(nobody.places == ["/username"])
            let integration = try await fixture.integration(in: api.organization, slug: "erp", rule: nil)
            _ = try await fixture.integrationUser(
                of: integration,
                in: api.organization,
                username: "erp.robot",
                custodian: api.admin.user
            )
            let moved = try await api.patch("/v1/grants/\(id)", ["username": "erp.robot"], tag: tag, as: api.admin)
            #expect(moved.status == 200 && moved.body["secrets"] == [] && moved.body["username"] == "erp.robot")
            let client = try #require(try await fixture.store.client(grant))
            #expect(!fixture.store.isSecret(secret, of: client))
            #expect(try await fixture.store.facts(of: token)?.refusal(from: nil, for: .any) == .superseded)
            let url = link.body["url"]?.string ?? ""
            let claim = try #require(OpaqueSecret(String(url.suffix(OpaqueSecret.length))))
            #expect(try await isNothing(fixture.claim(claim, of: grant)))
        }
    }

    @Test func `a secret or everything of a grant is killed over the API`() async throws {
        try await Self.scene { api, new in
            let id = try await api.post("/v1/grants", new([:]), as: api.admin).body["id"]?.string ?? ""
            let grant = try #require(GrantID(id))
            _ = try await api.fixture.claimedSecret(of: grant, in: api.organization, by: api.admin)
            let shown = try await api.get("/v1/grants/\(id)", as: api.auditor).body["secrets"]?.array?.first
            let secret = try #require(shown?["id"]?.string)
            #expect(try await api.send(.delete, "/v1/grants/\(id)/secrets/\(secret)", as: api.auditor).status == 404)
            #expect(try await api.send(.delete, "/v1/grants/\(id)/secrets/\(secret)", as: api.admin).status == 204)
            #expect(try await api.send(.delete, "/v1/grants/\(id)/secrets/\(secret)", as: api.admin).status == 404)
            #expect(try await api.send(.delete, "/v1/grants/\(id)/secrets/x", as: api.admin).status == 404)
            #expect(try await api.post("/v1/grants/\(id)/kill", as: api.admin).body["secrets"] == [])
            #expect(try await api.entry(.grantKilled)["outcome"]?.string == "done")
        }
    }

    @Test func `an id of another organization is answered as an unknown one`() async throws {
        try await TestAPI.with { api in
            let fixture = api.fixture
            let other = try await fixture.organization("other")
            let source = try await fixture.source(in: other)
            _ = try await fixture.integration(in: other)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            for id in [try await fixture.grant(in: other), fixture.store.newID()] {
                let path = "/v1/grants/\(id)"
                #expect(try await api.get(path, as: api.admin).status == 404)
                #expect(try await api.patch(path, ["client_name": "x"], tag: "\"v1\"", as: api.admin).status == 404)
                #expect(try await api.send(.delete, path, as: api.admin).status == 404)
                for action in ["suspend", "resume", "claim-links"] {
                    #expect(try await api.post("\(path)/\(action)", as: api.admin).status == 404, "\(action)")
                }
            }
            #expect(try await fixture.number("SELECT count(*) FROM grants WHERE status = 'active'") == 1)
        }
    }
}
