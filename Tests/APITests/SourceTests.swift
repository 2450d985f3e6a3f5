import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct SourceTests {
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    static func newSource(
        _ slug: String = "workday",
        key: JSON = ["secret": .string(secret), "label": "first"]
    ) -> JSON {
        [
            "slug": .string(slug), "profile": "standard-webhooks", "mapping": "canonical", "keys": [key],
            "time_zone": "Europe/Berlin",
        ]
    }

    @Test func `a source is made with its user and keys, and no answer shows a secret`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/sources", Self.newSource(), as: api.admin)
            #expect(made.status == 201)
            let id = try #require(made.body["id"]?.string)
            #expect(made.body["url"]?.string == "\(TestAPI.publicURL)/hooks/\(id)")
            #expect(made.fields[.location] == "/v1/sources/\(id)")
            #expect(!made.body.text.contains("MfKQ9r8"))

            let source = try #require(SourceID(id))
            let hook = try #require(try await api.fixture.store.hook(source))
            #expect(hook.keys.map { $0.secret.reveal() } == [Self.secret])
            #expect(made.body["user"]?.string == hook.user.description)
            let user = try await api.get("/v1/users/\(hook.user)", as: api.auditor)
            #expect(user.body["username"]?.string == "source.workday")
            #expect(user.body["role"]?.string == "source")
            #expect(user.body["source"]?.string == id)

            #expect(try await api.entry(.sourceCreated)["after"]?["time_zone"]?.string == "Europe/Berlin")
            #expect(try await api.entry(.userCreated)["after"]?["source"]?.string == id)
            #expect(try await api.entry(.sourceKeyAdded)["after"]?["label"]?.string == "first")
            for leaf in try await api.fixture.leaves(in: api.organization.id) {
                #expect(!leaf.text.contains("MfKQ9r8"))
            }
        }
    }

    @Test(arguments: [
        (#"{"secret": ""}"#, "/keys/0/secret"),
        (#"{"secret": "whsec_%%%"}"#, "/keys/0/secret"),
        (#"{"secret": "something"}"#, "/keys/0/secret"),
        (
            #"{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not_before": "2026-01-02T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"}"#,
            "/keys/0/not_after"
        ),
        (#"{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not_before": "yesterday"}"#, "/keys/0/not_before"),
    ])
    func `a key that its profile cannot use is refused, and nothing is made`(key: String, place: String) async throws {
        try await TestAPI.with { api in
            let body = Self.newSource(key: try JSON.parse(Array(key.utf8)))
            let answer = try await api.post("/v1/sources", body, as: api.admin)
            #expect(answer.status == 422)
            #expect(answer.places == [place])
            #expect(try await api.fixture.number("SELECT count(*) FROM sources") == 0)
            #expect(try await api.entry(.sourceCreated)["outcome"]?.string == "refused")
        }
    }

    @Test func `profile, mapping, zone and keys have to be known ones`() async throws {
        try await TestAPI.with { api in
            let changes: [(String, JSON, String)] = [
                ("profile", "nobody", "/profile"), ("mapping", "nothing", "/mapping"),
                ("time_zone", "Mars/Olympus", "/time_zone"), ("keys", [], "/keys"),
            ]
            for (member, value, place) in changes {
                var body = try #require(Self.newSource().object)
                body[member] = value
                let answer = try await api.post("/v1/sources", .object(body), as: api.admin)
                #expect(answer.status == 422)
                #expect(answer.places == [place])
            }
        }
    }

    @Test func `a change needs the version that was seen`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/sources", Self.newSource(), as: api.admin)
            let path = try #require(made.fields[.location])
            let tag = try #require(try await api.get(path, as: api.admin).fields[.eTag])
            let patch: JSON = ["slug": "hr", "status": "paused"]
            #expect(try await api.patch(path, patch, tag: nil, as: api.admin).status == 428)
            #expect(try await api.patch(path, patch, tag: "\"v9\"", as: api.admin).status == 412)
            let changed = try await api.patch(path, patch, tag: tag, as: api.admin)
            #expect(changed.status == 200)
            #expect(changed.fields[.eTag] == "\"v2\"")
            #expect(changed.body["slug"]?.string == "hr")
            #expect(changed.body["time_zone"]?.string == "Europe/Berlin")
            #expect(try await api.patch(path, patch, tag: tag, as: api.admin).status == 412)

            let entry = try #require(
                try await api.fixture.leaves(in: api.organization.id, action: .sourceUpdated).first {
                    $0["outcome"]?.string == "done"
                }
            )
            #expect(entry["before"] == ["slug": "workday", "status": "active"])
            #expect(entry["after"] == ["slug": "hr", "status": "paused"])
            let username = try await api.fixture.text("SELECT username FROM users WHERE role = 'source'")
            #expect(username == "source.hr")
            // The freed name can be taken.
            #expect(try await api.post("/v1/sources", Self.newSource(), as: api.admin).status == 201)
        }
    }

    @Test func `a change may not touch what never changes, nor null what has to be`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/sources", Self.newSource(), as: api.admin)
            let path = try #require(made.fields[.location])
            let patches: [(JSON, String)] = [
                (["profile": "other"], "/profile"), (["id": "src_1"], "/id"), (["slug": nil], "/slug"),
                (["status": "gone"], "/status"), (["mapping": "other"], "/mapping"),
            ]
            for (patch, place) in patches {
                let answer = try await api.patch(path, patch, tag: "\"v1\"", as: api.admin)
                #expect(answer.status == 422)
                #expect(answer.places == [place])
            }
        }
    }

    @Test func `a slug that another source has is refused, also in a change`() async throws {
        try await TestAPI.with { api in
            _ = try await api.fixture.source(in: api.organization, slug: "hr")
            #expect(try await api.post("/v1/sources", Self.newSource("hr"), as: api.admin).status == 409)
            let made = try await api.post("/v1/sources", Self.newSource(), as: api.admin)
            let path = try #require(made.fields[.location])
            #expect(try await api.patch(path, ["slug": "hr"], tag: "\"v1\"", as: api.admin).status == 409)
            #expect(try await api.entry(.sourceUpdated)["reason"]?.string == "conflict")
            let unchanged = try await api.patch(path, ["slug": "workday"], tag: "\"v1\"", as: api.admin)
            #expect(unchanged.fields[.eTag] == "\"v1\"")
            #expect(try await api.entry(.sourceUpdated)["reason"]?.string == "unchanged")
        }
    }

    @Test func `a body that cannot be read is refused, and the try is an entry`() async throws {
        try await TestAPI.with { api in
            let typed = try await api.send(
                .post,
                "/v1/sources",
                Self.newSource(),
                as: api.admin,
                fields: [.contentType: "text/plain"]
            )
            #expect(typed.status == 415)
            #expect(try await api.entry(.sourceCreated)["reason"]?.string == "invalid")
            let large = try await api.post(
                "/v1/sources",
                ["slug": .string(String(repeating: "a", count: 300_000))],
                as: api.admin
            )
            #expect(large.status == 413)
        }
    }

    @Test func `keys rotate, and the last one stays`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let path = "/v1/sources/\(source.id)/keys"
            let last = try await api.send(.delete, "\(path)/\(source.key)", as: api.admin)
            #expect(last.status == 409)
            let added = try await api.post(path, ["secret": .string(Self.secret)], as: api.admin)
            #expect(added.status == 201)
            #expect(added.body["label"]?.isNull == true)
            let gone = try await api.send(.delete, "\(path)/\(source.key)", as: api.admin)
            #expect(gone.status == 204)
            #expect(try await api.send(.delete, "\(path)/\(source.key)", as: api.admin).status == 404)
            let shown = try await api.get("/v1/sources/\(source.id)", as: api.admin)
            #expect(shown.body["keys"]?.array?.map { $0["id"]?.string } == [added.body["id"]?.string])
            let hook = try await api.fixture.store.hook(source.id)
            #expect(hook?.keys.map { $0.secret.reveal() } == [Self.secret])
            #expect(try await api.entry(.sourceKeyAdded)["target"]?["id"] == added.body["id"])
            let removals = try await api.fixture.leaves(in: api.organization.id, action: .sourceKeyRemoved)
            #expect(removals.map { $0["outcome"]?.string } == ["refused", "done", "refused"])
        }
    }
}
