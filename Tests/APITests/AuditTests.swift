import Domain
import HTTPTypes
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct AuditTests {
    private static func story(_ body: @Sendable (TestAPI) async throws -> Void) async throws {
        try await TestAPI.with { api in
            let fixture = api.fixture
            let source = try await fixture.source(in: api.organization)
            _ = try await fixture.integration(in: api.organization)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            try await fixture.deliver(fixture.event(.leaver), from: source)
            try await fixture.settle()
            try await body(api)
        }
    }

    private static func query(_ pairs: String...) -> String {
        "/v1/audit/entries?" + pairs.joined(separator: "&")
    }

    @Test func `the log tells the story newest first, with values and names for those who may read them`() async throws
    {
        try await Self.story { api in
            let answer = try await api.get("/v1/audit/entries", as: api.auditor)
            let actions = answer.items.compactMap { $0["action"]?.string }
            #expect(actions.last == "delivery.accepted")
            #expect(actions.filter { $0 == "user.created" }.count == 2)
            let times = answer.items.compactMap { $0["recorded_at"]?.string }
            #expect(times == times.sorted(by: >))
            let created = try #require(answer.items.first { $0["action"]?.string == "person.created" })
            #expect(created["disclosed"]?["after"]?["userName"]?.string == "ada@acme.example")
            #expect(created["display"]?["person"]?.string == "ada@acme.example")
            #expect(created["display"]?["actor"]?.string == "source.hr")
            let user = try #require(answer.items.first { $0["action"]?.string == "user.created" })
            #expect(user["disclosed"]?["after"]?["username"]?.string?.hasSuffix("ada@acme.example") == true)
            #expect(user["after"]?["_sd"]?.array?.count == 1)
        }
    }

    @Test func `each parameter narrows`() async throws {
        try await Self.story { api in
            let all = try await api.get("/v1/audit/entries?limit=200", as: api.admin).items
            let created = try #require(all.first { $0["action"]?.string == "person.created" })
            let person = try #require(created["person"]?.string)
            let actor = try #require(created["actor"]?["id"]?.string)
            let time = try #require(created["recorded_at"]?.string)
            let expected: [(String, @Sendable (JSON) -> Bool)] = [
                ("person=\(person)", { $0["person"]?.string == person }),
                ("actor=\(actor)", { $0["actor"]?["id"]?.string == actor }),
                ("actor=SOURCE.hr", { $0["actor"]?["id"]?.string == actor }),
                ("target=\(person)", { $0["target"]?["id"]?.string == person }),
                ("action=grant.ended", { $0["action"]?.string == "grant.ended" }),
                ("outcome=refused", { $0["outcome"]?.string == "refused" }),
                ("until=\(time)", { ($0["recorded_at"]?.string ?? "") < time }),
                ("filter=action%20sw%20%22person.%22", { $0["action"]?.string?.hasPrefix("person.") == true }),
                ("since=\(time)&action=user.created", { $0["action"]?.string == "user.created" }),
            ]
            for (parameter, matches) in expected {
                let found = try await api.get(Self.query("limit=200", parameter), as: api.admin).items
                let ids = found.compactMap { $0["id"]?.string }
                #expect(ids == all.filter(matches).compactMap { $0["id"]?.string }, "\(parameter)")
            }
        }
    }

    @Test(arguments: ["action=fly", "person=ada", "since=yesterday", "outcome=maybe", "target=x", "actors=y"])
    func `a parameter that means nothing is refused`(parameter: String) async throws {
        try await TestAPI.with { api in
            let answer = try await api.get(Self.query(parameter), as: api.admin)
            #expect(answer.status == 422)
            #expect(answer.places == [String(parameter.prefix { $0 != "=" })])
        }
    }

    @Test func `pages go on where the former ended and miss nothing`() async throws {
        try await Self.story { api in
            let path = Self.query("limit=2", "filter=not%20(action%20eq%20%22audit.read%22)")
            var ids: [String] = []
            var next: String? = path
            while let page = next {
                let answer = try await api.get(page, as: api.auditor)
                ids += answer.items.compactMap { $0["id"]?.string }
                next = answer.body["next_cursor"]?.string.map { path + "&cursor=" + $0 }
            }
            let written = try await api.fixture.leaves(in: api.organization.id)
                .filter { $0["action"]?.string != "audit.read" }.compactMap { $0["id"]?.string }
            #expect(ids.count == written.count)
            #expect(Set(ids) == Set(written))
        }
    }

    @Test func `reading is an entry that tells the question without personal values`() async throws {
        try await Self.story { api in
            _ = try await api.get(
                Self.query("actor=ada@acme.example", "action=user.created", "filter=display.person%20eq%20%22Ada%22"),
                as: api.auditor
            )
            let entry = try await api.entry(.auditRead)
            #expect(entry["actor"]?["id"]?.string == api.auditor.user.description)
            let query = try #require(entry["after"]?["query"])
            #expect(query["action"]?.string == "user.created")
            #expect(query["actor"]?.string == "username")
            #expect(query["filter"] == ["display.person"])
            #expect(!entry.text.contains("Ada") && !entry.text.contains("ada@"))
        }
    }

    @Test func `one entry comes with the text that is hashed`() async throws {
        try await Self.story { api in
            let leaf = try #require(try await api.fixture.leaves(in: api.organization.id, action: .personCreated).first)
            let path = "/v1/audit/entries/" + (leaf["id"]?.string ?? "")
            let answer = try await api.get(path, as: api.auditor)
            #expect(answer.body["leaf"]?.string.map { Array($0.utf8) } == (try leaf.canonical()))
            #expect(try await api.entry(.auditRead)["target"]?["id"] == leaf["id"])
        }
    }

    @Test func `an integration user with the scope reads leaves without values and names`() async throws {
        try await Self.story { api in
            let fixture = api.fixture
            let integration = try await fixture.integration(
                in: api.organization,
                slug: "siem",
                rule: nil,
                scopes: ScopeSet([.auditRead])
            )
            _ = try await fixture.integrationUser(of: integration, in: api.organization, username: "siem.robot")
            let made = try await api.post(
                "/v1/grants",
                [
                    "client_name": "SIEM", "workspace": "default", "username": "siem.robot",
                    "expires_at": .string((try await fixture.databaseNow() + .seconds(3600)).description),
                    "scopes": ["audit:read"], "ip_allow_list": .null,
                ],
                as: api.admin
            )
            let grant = try #require(made.body["id"]?.string.flatMap(GrantID.init))
            let token = try await fixture.accessToken(of: grant).token
            let answer = try await api.send(.get, "/v1/audit/entries", bearer: "Bearer " + token.reveal())
            #expect(answer.items.count > 5)
            #expect(answer.items.allSatisfy { $0["disclosed"] == .null && $0["display"] == .null })
            #expect(!answer.body.text.contains("ada@acme.example"))
        }
    }

    @Test func `another organization's log is not there`() async throws {
        try await Self.story { api in
            let other = try await api.fixture.organization("other")
            let admin = try await api.fixture.securityAdmin(in: other)
            let leaf = try #require(try await api.fixture.leaves(in: api.organization.id).first)
            #expect(try await api.get("/v1/audit/entries", as: admin).items.isEmpty)
            let foreign = "/v1/audit/entries/" + (leaf["id"]?.string ?? "")
            #expect(try await api.get(foreign, as: admin).status == 404)
            let unknown = "/v1/audit/entries/\(api.fixture.store.newID(AuditEntryID.self))"
            #expect(try await api.get(unknown, as: admin).status == 404)
        }
    }
}
