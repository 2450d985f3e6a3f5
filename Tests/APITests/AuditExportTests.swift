import Domain
import Evidence
import HTTPTypes
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct AuditExportTests {
    /// A log of a joiner, a leaver, and another organization with one of its own.
    private static func story(_ body: @Sendable (TestAPI, Int) async throws -> Void) async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            _ = try await api.fixture.integration(in: api.organization)
            try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
            try await api.fixture.settle()
            try await api.fixture.deliver(api.fixture.event(.leaver), from: source)
            try await api.fixture.settle()
            let other = try await api.fixture.organization("globex")
            _ = try await api.fixture.source(in: other)
            try await api.fixture.index(other.id)
            try await body(api, try await api.fixture.index(api.organization.id))
        }
    }

    private static func path(_ pairs: String...) -> String { "/v1/audit/export?" + pairs.joined(separator: "&") }

    private static func lines(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
    }

    @Test func `NDJSON holds every leaf byte for byte, in the order of indexes`() async throws {
        try await Self.story { api, size in
            let answer = try await api.file(Self.path("format=ndjson"), as: api.auditor)
            #expect(answer.status == 200)
            #expect(answer.fields[.contentType] == "application/x-ndjson")
            #expect(answer.fields[.cacheControl] == "no-store")
            let lines = try Self.lines(answer.text)
            #expect(lines.compactMap { $0["index"]?.int64 } == (0..<Int64(size)).map(\.self))
            let leaves = try await api.fixture.leaves(in: api.organization.id)
            let written = Set(try leaves.map { try $0.canonical() })
            for line in lines {
                let leaf = try #require(try line["entry"]?.canonical())
                #expect(written.contains(leaf))
                #expect(line["hash"]?.string == MerkleHash.leaf(leaf).base64)
            }
            #expect(!answer.text.contains("ada@acme.example"))
        }
    }

    @Test(arguments: ExportFormat.allCases)
    func `each format has every entry once`(_ format: ExportFormat) async throws {
        try await Self.story { api, size in
            let answer = try await api.file(Self.path("format=\(format.rawValue)"), as: api.auditor)
            #expect(answer.status == 200)
            #expect(answer.fields[.contentType] == format.mediaType)
            #expect(answer.fields[AuditExportTests.indexes] == "0-\(size)/\(size)")
            let ids = try await api.fixture.leaves(in: api.organization.id).compactMap { $0["id"]?.string }
            // The entry of the export came after.
            #expect(ids.filter(answer.text.contains).count == size)
            if format == .cloudeventsBatch {
                #expect(try JSON.parse(Array(answer.text.utf8)).array?.count == size)
            }
        }
    }

    private static let indexes = HTTPField.Name("Rollcall-Indexes") ?? .accept

    @Test func `an export is an entry that tells the question without personal values`() async throws {
        try await Self.story { api, size in
            let question = Self.path("format=csv", "from=2", "filter=person%20eq%20%22ada@acme.example%22")
            _ = try await api.file(question, as: api.auditor)
            let entry = try await api.entry(.auditExported)
            #expect(entry["actor"]?["id"]?.string == api.auditor.user.description)
            #expect(entry["after"]?["from"] == 2)
            #expect(entry["after"]?["to"] == .integer(size))
            #expect(entry["after"]?["query"]?["format"] == "csv")
            #expect(entry["after"]?["query"]?["filter"] == ["person"])
            #expect(!entry.text.contains("ada@"))
        }
    }

    @Test func `stretches one after the other are the whole`() async throws {
        try await Self.story { api, size in
            let whole = try await api.file(Self.path("format=csv", "to=\(size)"), as: api.auditor).text
            var text = ""
            var place = 0
            while place < size {
                let answer = try await api.file(
                    Self.path("format=csv", "from=\(place)", "to=\(size)", "limit=3", "heading=\(place == 0)"),
                    as: api.auditor
                )
                let next = min(size, place + 3)
                #expect(answer.fields[Self.indexes] == "\(place)-\(next)/\(size)")
                text += answer.text
                place = next
            }
            #expect(text == whole)
        }
    }

    @Test func `a filter selects by members, paths below before and after, index and any text`() async throws {
        try await Self.story { api, size in
            let all = try Self.lines(try await api.file(Self.path("format=ndjson"), as: api.auditor).text)
            let cases: [(String, @Sendable (JSON) -> Bool)] = [
                ("action%20eq%20%22user.created%22", { $0["entry"]?["action"] == "user.created" }),
                ("index%20ge%204", { ($0["index"]?.int64 ?? 0) >= 4 }),
                ("after.status%20eq%20%22active%22", { $0["entry"]?["after"]?["status"] == "active" }),
                ("target.kind%20eq%20%22grant%22", { $0["entry"]?["target"]?["kind"] == "grant" }),
                ("text%20co%20%22source.h%22", { $0.text.contains("source.h") }),
                ("person%20pr%20and%20outcome%20eq%20%22done%22", { $0["entry"]?["person"]?.isNull == false }),
            ]
            for (filter, matches) in cases {
                let path = Self.path("format=ndjson", "to=\(size)", "filter=\(filter)")
                let found = try Self.lines(try await api.file(path, as: api.auditor).text)
                #expect(found == all.filter(matches), "\(filter)")
            }
        }
    }

    @Test func `times are places too`() async throws {
        try await Self.story { api, size in
            let all = try Self.lines(try await api.file(Self.path("format=ndjson"), as: api.auditor).text)
            let time = try #require(all[size / 2]["entry"]?["recorded_at"]?.string)
            func times(_ pair: String) async throws -> [String] {
                let text = try await api.file(Self.path("format=ndjson", pair), as: api.auditor).text
                return try Self.lines(text).compactMap { $0["entry"]?["recorded_at"]?.string }
            }
            let recorded = all.compactMap { $0["entry"]?["recorded_at"]?.string }
            #expect(try await times("from=\(time)").prefix(size) == recorded.filter { $0 >= time }.prefix(size))
            #expect(try await times("to=\(time)") == recorded.filter { $0 < time })
            #expect(try await times("to=2001-01-01T00:00:00Z").isEmpty)
            #expect(try await times("from=2101-01-01T00:00:00Z").isEmpty)
        }
    }

    @Test(arguments: [
        "format=xml", "from=-1", "from=soon", "to=1e3", "limit=0", "heading=maybe", "filter=%28", "offset=3",
        "filter=about%20eq%20%22ada%40acme.example%22",
    ])
    func `what means nothing is refused`(parameter: String) async throws {
        try await TestAPI.with { api in
            let path = Self.path(parameter.hasPrefix("format") ? parameter : "format=csv&" + parameter)
            let answer = try await api.get(path, as: api.auditor)
            #expect(answer.status == 422)
            #expect(answer.places == [String(parameter.prefix { $0 != "=" })])
            #expect(try await api.get("/v1/audit/export", as: api.auditor).places == ["format"])
        }
    }

    @Test func `a log without entries is an export without entries, and a member has none`() async throws {
        try await TestAPI.with { api in
            let csv = try await api.file(Self.path("format=csv"), as: api.auditor)
            #expect(csv.text == EntryField.all.map(\.name).joined(separator: ",") + "\r\n")
            #expect(csv.fields[Self.indexes] == "0-0/0")
            let batch = try await api.file(Self.path("format=cloudevents-batch"), as: api.auditor)
            #expect(try JSON.parse(Array(batch.text.utf8)) == [])
            let member = try await api.fixture.member(.member, in: api.organization)
            #expect(try await api.get(Self.path("format=csv"), as: member).status == 403)
            #expect(try await api.entry(.auditExported)["outcome"] == "refused")
        }
    }

    @Test func `more entries than one step come whole and in order`() async throws {
        try await TestAPI.with { api in
            let changes = (0..<1_203).map { place in
                Observation(
                    AuditDraft(.organizationRead, .organization(api.organization.id), reason: "n\(place)"),
                    by: api.fixture.attribution(of: api.admin)
                )
            }
            for start in stride(from: 0, to: changes.count, by: 400) {
                let some = Array(changes[start..<min(start + 400, changes.count)])
                for result in try await api.fixture.store.perform(some, in: api.organization.id) { try result.get() }
            }
            let size = try await api.fixture.index(api.organization.id)
            let lines = try Self.lines(try await api.file(Self.path("format=ndjson"), as: api.auditor).text)
            #expect(lines.compactMap { $0["index"]?.int64 } == (0..<Int64(size)).map(\.self))
        }
    }
}
