import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct RejectedTests {
    static func rejected(_ api: TestAPI, of source: TestSource) async throws -> RejectedRequestID {
        let id = api.fixture.store.newID(RejectedRequestID.self)
        let tallies = RefusalTallies(api.fixture.store, logger: api.fixture.store.logger)
        let queue = RejectedQueue(api.fixture.store, tallies: tallies)
        let request = RejectedRequest(
            id: id,
            source: source.id,
            receivedAt: api.fixture.clock.now(),
            reason: .signatureWrong,
            keysVersion: 1,
            request: HookRequest(
                url: "\(TestAPI.publicURL)/hooks/\(source.id)",
                headers: [("webhook-id", "msg_\(id)"), ("authorization", "hmac-sha256:test:AAAA")],
                body: Array("what nobody proved".utf8)
            ),
            origin: .init(request: api.fixture.store.newID(), address: IPAddress("192.0.2.7"), userAgent: "hr/1")
        )
        queue.offer(request, in: source.organization)
        await queue.flush()
        return id
    }

    @Test func `they are listed, searched and shown, and what they said is for who may change keys`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let other = try await api.fixture.source(in: api.organization, slug: "other")
            let id = try await Self.rejected(api, of: source)
            _ = try await Self.rejected(api, of: other)
            let all = try await api.get("/v1/rejected-requests", as: api.auditor)
            #expect(all.items.count == 2)
            let filter = "source%20eq%20%22\(source.id)%22%20and%20reason%20eq%20%22signature-wrong%22"
            let found = try await api.get("/v1/rejected-requests?filter=\(filter)", as: api.auditor)
            #expect(found.items.compactMap { $0["id"]?.string } == [id.description])
            let one = try await api.get("/v1/rejected-requests/\(id)", as: api.auditor)
            #expect(one.status == 200 && one.body["client_ip"] == "192.0.2.7" && one.body["under_review"] == false)
            #expect(!one.body.text.contains("nobody proved"))

            let path = "/v1/rejected-requests/\(id)/content"
            #expect(try await api.get(path, as: api.auditor).status == 403)
            let content = try await api.get(path, as: api.admin)
            #expect(content.body["body"]?.string == Base64.standard.encode(Array("what nobody proved".utf8)))
            #expect(content.body["headers"]?["authorization"] == ["hmac-sha256:test:AAAA"])
            let entry = try await api.entry(.rejectedRead)
            #expect(entry["target"]?["id"]?.string == id.description && entry["after"]?["content"] == true)
        }
    }

    @Test func `another organization's are unknown`() async throws {
        try await TestAPI.with { api in
            let globex = try await api.fixture.organization("globex")
            let id = try await Self.rejected(api, of: try await api.fixture.source(in: globex))
            #expect(try await api.get("/v1/rejected-requests/\(id)", as: api.admin).status == 404)
            #expect(try await api.get("/v1/rejected-requests/\(id)/content", as: api.admin).status == 404)
            #expect(try await api.get("/v1/rejected-requests", as: api.admin).items.isEmpty)
        }
    }
}
