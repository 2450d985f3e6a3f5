import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct IntegrationTests {
    static func new(_ slug: String = "crm", _ more: JSON.Object = [:]) -> JSON {
        let body: JSON.Object = [
            "slug": .string(slug), "name": "CRM", "contact_email": "owner@acme.example", "workspace": "default",
            "scopes": ["people:read", "people:read.self"], "rule": "department eq \"Finance\"",
            "grant_lifetime": "P90D", "ip_allow_list": ["198.51.100.0/24", "2001:db8::/48"],
        ]
        var merged = body
        for (name, value) in more.members { merged[name] = value }
        return .object(merged)
    }

    @Test func `an integration is made, read by its id and in the list, with its entry`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/integrations", Self.new(), as: api.admin)
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            #expect(made.fields[.location] == "/v1/integrations/\(id)")
            #expect(made.body["ip_allow_list"] == ["198.51.100.0/24", "2001:db8::/48"])
            #expect(made.body["status"]?.string == "active")
            let read = try await api.get("/v1/integrations/\(id)", as: api.auditor)
            #expect(read.body == made.body)
            #expect(read.fields[.eTag] == "\"v1\"")
            let listed = try await api.get("/v1/integrations?filter=slug%20eq%20%22crm%22", as: api.auditor)
            #expect(listed.items == [made.body])
            let entry = try await api.entry(.integrationCreated)
            #expect(entry["actor"]?["id"]?.string == api.admin.user.description)
            #expect(entry["authority"]?["id"]?.string == "integrations:write")
            #expect(entry["after"]?["rule"]?.string == "department eq \"Finance\"")
            #expect(try await api.fixture.text("SELECT rule FROM integrations") == "department eq \"Finance\"")
        }
    }

    @Test(arguments: [
        (#"{"rule": "department eq"}"#, "/rule"), (#"{"scopes": ["people:fly", "people:read"]}"#, "/scopes/0"),
        (#"{"scopes": []}"#, "/scopes"), (#"{"ip_allow_list": []}"#, "/ip_allow_list"),
        (#"{"ip_allow_list": ["198.51.100.7/24"]}"#, "/ip_allow_list/0"), (#"{"workspace": "nowhere"}"#, "/workspace"),
        (#"{"grant_lifetime": "forever"}"#, "/grant_lifetime"), (#"{"contact_email": "nobody"}"#, "/contact_email"),
        (#"{"custodian": "ghost"}"#, "/custodian"), (#"{"slug": "No Slug"}"#, "/slug"), (#"{"colour": 1}"#, "/colour"),
    ])
    func `what is not acceptable is named, and nothing is made`(change: String, place: String) async throws {
        try await TestAPI.with { api in
            let more = try #require(try JSON.parse(Array(change.utf8)).object)
            let answer = try await api.post("/v1/integrations", Self.new("crm", more), as: api.admin)
            #expect(answer.status == 422)
            #expect(answer.places == [place])
            #expect(try await api.fixture.number("SELECT count(*) FROM integrations") == 0)
            #expect(try await api.entry(.integrationCreated)["outcome"]?.string == "refused")
        }
    }

    @Test func `a rule that cannot be read is refused with the place of the mistake`() async throws {
        try await TestAPI.with { api in
            let answer = try await api.post(
                "/v1/integrations",
                Self.new("crm", ["rule": "department qe \"Finance\""]),
                as: api.admin
            )
            let detail = try #require(answer.body["errors"]?.array?.first?["detail"]?.string)
            #expect(detail.contains("11"), "\(detail)")
        }
    }

    @Test func `who forgets the allow-list does not get everywhere`() async throws {
        try await TestAPI.with { api in
            var body = try #require(Self.new().object)
            body["ip_allow_list"] = nil
            #expect(try await api.post("/v1/integrations", .object(body), as: api.admin).places == ["/ip_allow_list"])
            body["ip_allow_list"] = .null
            let made = try await api.post("/v1/integrations", .object(body), as: api.admin)
            #expect(made.status == 201)
            #expect(made.body["ip_allow_list"] == .null)
        }
    }

    @Test func `a taken slug is a conflict`() async throws {
        try await TestAPI.with { api in
            _ = try await api.post("/v1/integrations", Self.new(), as: api.admin)
            #expect(try await api.post("/v1/integrations", Self.new(), as: api.admin).status == 409)
        }
    }

    @Test func `a change needs the version that it changes, tells what differs and reaches people`() async throws {
        try await TestAPI.with { api in
            let fixture = api.fixture
            let source = try await fixture.source(in: api.organization)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            let made = try await api.post("/v1/integrations", Self.new(), as: api.admin)
            let path = "/v1/integrations/" + (made.body["id"]?.string ?? "")
            try await fixture.settle()
            #expect(try await fixture.number("SELECT count(*) FROM users WHERE integration_id IS NOT NULL") == 1)

            let change: JSON = ["rule": .null, "description": "For sales"]
            #expect(try await api.patch(path, change, tag: nil, as: api.admin).status == 428)
            #expect(try await api.patch(path, change, tag: "\"v7\"", as: api.admin).status == 412)
            let changed = try await api.patch(path, change, tag: "\"v1\"", as: api.admin)
            #expect(changed.status == 200)
            #expect(changed.fields[.eTag] == "\"v2\"")
            #expect(changed.body["rule"] == .null)
            let entry = try await api.entry(.integrationUpdated)
            #expect(entry["after"]?.object == ["rule": .null, "description": "For sales"])
            #expect(entry["before"]?["rule"]?.string == "department eq \"Finance\"")
            try await fixture.settle()
            #expect(
                try await fixture.number(
                    "SELECT count(*) FROM users WHERE integration_id IS NOT NULL AND status = 'deactivated'"
                ) == 1
            )
        }
    }

    @Test func `an id of another organization is answered as an unknown one`() async throws {
        try await TestAPI.with { api in
            let other = try await api.fixture.organization("other")
            let foreign = try await api.fixture.integration(in: other)
            let unknown = api.fixture.store.newID(IntegrationID.self)
            for id in [foreign, unknown] {
                let path = "/v1/integrations/\(id)"
                #expect(try await api.get(path, as: api.admin).status == 404)
                #expect(try await api.patch(path, ["name": "x"], tag: "\"v1\"", as: api.admin).status == 404)
            }
        }
    }
}
