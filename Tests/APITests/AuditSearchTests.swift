import Domain
import HTTPTypes
import Storage
import TestSupport
import Testing
import Transparency

@testable import API

@Suite struct AuditSearchTests {
    private static func story(_ body: @Sendable (TestAPI, Int) async throws -> Void) async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            _ = try await api.fixture.integration(in: api.organization)
            try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
            try await api.fixture.settle()
            try await api.fixture.deliver(api.fixture.event(.leaver), from: source)
            try await api.fixture.settle()
            try await body(api, try await api.fixture.index(api.organization.id))
        }
    }

    private static func path(_ pairs: String...) -> String { "/v1/audit/search?" + pairs.joined(separator: "&") }

    private static func indexes(_ answer: TestAPI.Answer) -> [Int64] { answer.items.compactMap { $0["index"]?.int64 } }

    @Test func `a tail is complete in the order of indexes, page by page, and goes on with the log`() async throws {
        try await Self.story { api, size in
            var found: [Int64] = []
            var cursor = ""
            var pages = 0
            while true {
                let answer = try await api.get(Self.path("mode=tail", "limit=3") + cursor, as: api.auditor)
                #expect(answer.body["tree_size"] == .integer(size))
                found += Self.indexes(answer)
                cursor = "&cursor=" + (answer.body["next_cursor"]?.string ?? "")
                pages += 1
                if answer.body["has_more"] == false { break }
                try #require(pages < 100)
            }
            #expect(found == (0..<Int64(size)).map(\.self))
            let idle = try await api.get(Self.path("mode=tail", "limit=3") + cursor, as: api.auditor)
            #expect(idle.items.isEmpty && idle.body["has_more"] == false)
            // What was read meanwhile is told, and has its index now.
            let grown = try await api.fixture.index(api.organization.id)
            #expect(grown > size)
            let more = try await api.get(Self.path("mode=tail", "limit=3") + cursor, as: api.auditor)
            #expect(Self.indexes(more).first == Int64(size))
        }
    }

    @Test func `a range is newest first, and stays with the size of its first page`() async throws {
        try await Self.story { api, size in
            let first = try await api.get(Self.path("mode=range", "limit=3"), as: api.auditor)
            #expect(first.body["tree_size"] == .integer(size))
            var found = Self.indexes(first)
            #expect(try await api.fixture.index(api.organization.id) > size)
            var next = first.body["next_cursor"]?.string
            while let cursor = next {
                let answer = try await api.get(Self.path("mode=range", "limit=3", "cursor=" + cursor), as: api.auditor)
                #expect(answer.body["tree_size"] == .integer(size))
                found += Self.indexes(answer)
                next = answer.body["next_cursor"]?.string
                try #require(found.count <= size)
            }
            #expect(Set(found) == Set((0..<Int64(size)).map(\.self)) && found.count == size)
            let times = try await api.get(Self.path("mode=range", "limit=200"), as: api.auditor).items
                .compactMap { $0["recorded_at"]?.string }
            #expect(times == times.sorted(by: >))
        }
    }

    /// What an index answers and what it does not has to be the same answer.
    @Test(arguments: ["tail", "range"])
    func `filters select the same in both modes as over the whole`(mode: String) async throws {
        try await Self.story { api, _ in
            let all = try await api.get(Self.path("mode=tail", "limit=200"), as: api.auditor).items
            let created = try #require(all.first { $0["action"] == "user.created" })
            let person = try #require(created["person"]?.string)
            let actor = try #require(created["actor"]?["id"]?.string)
            let target = try #require(created["target"]?["id"]?.string)
            let time = try #require(created["recorded_at"]?.string)
            let cases: [(String, @Sendable (JSON) -> Bool)] = [
                ("action eq \"user.created\"", { $0["action"] == "user.created" }),
                ("ACTION eq \"User.Created\"", { $0["action"] == "user.created" }),
                ("person eq \"\(person)\"", { $0["person"]?.string == person }),
                ("actor.id eq \"\(actor)\"", { $0["actor"]?["id"]?.string == actor }),
                ("target.id eq \"\(target)\"", { $0["target"]?["id"]?.string == target }),
                (
                    "target.id eq \"\(target)\" and action eq \"user.deactivated\"",
                    { $0["target"]?["id"]?.string == target && $0["action"] == "user.deactivated" }
                ),
                ("recorded_at gt \"\(time)\"", { ($0["recorded_at"]?.string ?? "") > time }),
                ("recorded_at le \"\(time)\"", { ($0["recorded_at"]?.string ?? "") <= time }),
                ("not (action sw \"user.\")", { $0["action"]?.string?.hasPrefix("user.") == false }),
                ("outcome eq \"refused\" or index lt 2", { ($0["index"]?.int64 ?? 9) < 2 }),
                ("after.status eq \"active\"", { $0["after"]?["status"] == "active" }),
                ("authority[kind eq \"rule\"]", { $0["authority"]?["kind"] == "rule" }),
                (
                    "disclosed[after.userName eq \"ada@acme.example\"]",
                    { entry in
                        // Names of attributes have no case: a person's `userName`, and a user's `username`.
                        ["userName", "username"].contains {
                            entry["disclosed"]?["after"]?[$0] == "ada@acme.example"
                        }
                    }
                ),
                ("display.person eq \"ada@acme.example\"", { $0["display"]?["person"] == "ada@acme.example" }),
                ("text co \"SOURCE.HR\"", { $0.text.contains("source.hr") }),
                ("action eq \"no.such\"", { _ in false }),
            ]
            for (filter, matches) in cases {
                let answer = try await api.get(
                    Self.path("mode=" + mode, "limit=200", "filter=" + Self.escaped(filter)),
                    as: api.auditor
                )
                let found = Self.indexes(answer).filter { $0 < all.count }.sorted()
                #expect(found == all.filter(matches).compactMap { $0["index"]?.int64 }, "\(mode) \(filter)")
            }
        }
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (97...122).contains(byte) || (48...57).contains(byte) || (65...90).contains(byte)
            return isPlain ? String(Unicode.Scalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    @Test func `a cursor is of one question, one mode and one organization`() async throws {
        try await Self.story { api, _ in
            let page = try await api.get(Self.path("mode=range", "limit=1"), as: api.auditor)
            let cursor = try #require(page.body["next_cursor"]?.string)
            let other = try await api.fixture.organization("globex")
            let stranger = try await api.fixture.auditor(in: other)
            #expect(try await api.get(Self.path("mode=range", "cursor=" + cursor), as: stranger).places == ["cursor"])
            for path in [
                Self.path("mode=tail", "cursor=" + cursor),
                Self.path("mode=range", "filter=id%20pr", "cursor=" + cursor),
                Self.path("mode=range", "cursor=" + cursor.dropLast() + (cursor.hasSuffix("A") ? "B" : "A")),
            ] {
                #expect(try await api.get(path, as: api.auditor).places == ["cursor"], "\(path)")
            }
            #expect(try await api.get(Self.path("mode=range", "cursor=" + cursor), as: api.auditor).status == 200)
        }
    }

    @Test func `every place of a search is written and read back, and no other bytes are`() throws {
        let position = AuditPosition(recordedAt: Timestamp(seconds: 7), id: AuditEntryID(high: 1, low: 2))
        let places = [
            SearchPlace(mode: .tail, size: 0, at: .start), SearchPlace(mode: .tail, size: 9, at: .index(4)),
            SearchPlace(mode: .range, size: 1 << 40, at: .entry(position)),
        ]
        for place in places {
            #expect(try #require(SearchPlace(bytes: place.bytes)).bytes == place.bytes)
            #expect(SearchPlace(bytes: place.bytes.dropLast()) == nil)
        }
        #expect(SearchPlace(bytes: [0x78] + places[0].bytes.dropFirst()) == nil)
        #expect(SearchPlace(bytes: []) == nil)
        #expect(SearchPlace(bytes: [0x74] + [UInt8](repeating: 0xFF, count: 8)) == nil)
    }

    @Test(arguments: [
        "", "mode=back", "mode=tail&filter=%28", "mode=tail&limit=0", "mode=tail&query=qry_x", "query=qry_x",
    ])
    func `what means nothing is refused`(parameters: String) async throws {
        try await TestAPI.with { api in
            let answer = try await api.get(Self.path(parameters), as: api.auditor)
            #expect(answer.status == 422)
        }
    }

    @Test func `a search is an entry, and whoever waits at the end has one a minute`() async throws {
        try await Self.story { api, _ in
            let path = Self.path("mode=tail", "limit=200", "filter=display.person%20eq%20%22Ada%22")
            func told() async throws -> Int {
                try await api.fixture.leaves(in: api.organization.id, action: .auditRead).count
            }
            var answer = try await api.get(path, as: api.auditor)
            let entry = try await api.entry(.auditRead)
            #expect(entry["after"]?["query"]?["mode"] == "tail")
            #expect(entry["after"]?["query"]?["filter"] == ["display.person"])
            #expect(!entry.text.contains("Ada"))
            #expect(try await told() == 1)
            for _ in 0..<3 {
                let cursor = try #require(answer.body["next_cursor"]?.string)
                answer = try await api.get(path + "&cursor=" + cursor, as: api.auditor)
            }
            #expect(try await told() == 2)
            api.fixture.clock.advance(by: .seconds(61))
            let cursor = try #require(answer.body["next_cursor"]?.string)
            _ = try await api.get(path + "&cursor=" + cursor, as: api.auditor)
            #expect(try await told() == 3)
        }
    }

    @Test func `a filter that selects nothing costs a bounded page and goes on`() async throws {
        try await TestAPI.with { api in
            let changes = (0..<400).map { place in
                Observation(
                    AuditDraft(.organizationRead, .organization(api.organization.id), reason: "n\(place)"),
                    by: api.fixture.attribution(of: api.admin)
                )
            }
            for result in try await api.fixture.store.perform(changes, in: api.organization.id) { try result.get() }
            // Rows of the index alone: what a search looks at is entries that are there many times.
            _ = try await api.fixture.index(api.organization.id)
            for mode in ["tail", "range"] {
                var path = Self.path("mode=" + mode, "filter=reason%20eq%20%22n399%22")
                var found = 0
                for _ in 0..<20 {
                    let answer = try await api.get(path, as: api.auditor)
                    found += answer.items.count
                    guard answer.body["has_more"] == true, let cursor = answer.body["next_cursor"]?.string else {
                        break
                    }
                    path = Self.path("mode=" + mode, "filter=reason%20eq%20%22n399%22", "cursor=" + cursor)
                }
                #expect(found == 1, "\(mode)")
            }
        }
    }

    // MARK: Saved queries

    @Test func `a query is saved, listed, asked and forgotten, and stays with its organization`() async throws {
        try await Self.story { api, _ in
            let new: JSON = ["name": "Joiners", "mode": "range", "filter": "action eq \"person.created\""]
            let made = try await api.post("/v1/audit/queries", new, as: api.auditor)
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            #expect(try await api.get("/v1/audit/queries", as: api.admin).items.map { $0["id"]?.string } == [id])
            #expect(try await api.get("/v1/audit/queries/" + id, as: api.admin).body["filter"] == new["filter"])
            let answer = try await api.get(Self.path("query=" + id), as: api.auditor)
            #expect(answer.body["mode"] == "range")
            #expect(answer.items.compactMap { $0["action"]?.string } == ["person.created"])
            let entry = try await api.entry(.auditQuerySaved)
            #expect(try await api.post("/v1/audit/queries", new, as: api.admin).status == 409)
            #expect(entry["after"] == ["mode": "range", "filter": ["action"]])
            #expect(entry["target"]?["id"]?.string == id)
            let other = try await api.fixture.organization("globex")
            let stranger = try await api.fixture.auditor(in: other)
            #expect(try await api.get("/v1/audit/queries/" + id, as: stranger).status == 404)
            #expect(try await api.get(Self.path("query=" + id), as: stranger).places == ["query"])
            #expect(try await api.send(.delete, "/v1/audit/queries/" + id, as: stranger).status == 404)
            #expect(try await api.send(.delete, "/v1/audit/queries/" + id, as: api.admin).status == 204)
            #expect(try await api.entry(.auditQueryRemoved)["target"]?["id"]?.string == id)
            #expect(try await api.get(Self.path("query=" + id), as: api.auditor).places == ["query"])
        }
    }

    @Test func `what is no question is not saved, and nobody without the log's scope saves one`() async throws {
        try await TestAPI.with { api in
            let cases: [(JSON, String)] = [
                (["name": "x", "mode": "back"], "/mode"), (["name": "", "mode": "tail"], "/name"),
                (["name": "x", "mode": "tail", "filter": "("], "/filter"),
            ]
            for (body, place) in cases {
                #expect(try await api.post("/v1/audit/queries", body, as: api.auditor).places == [place])
            }
            let member = try await api.fixture.member(.member, in: api.organization)
            #expect(try await api.get("/v1/audit/queries", as: member).status == 403)
        }
    }
}
