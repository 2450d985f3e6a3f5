import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct DeliveryTests {
    @Test func `a delivery shows its verdict, its events and, when asked, its bytes`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let body = api.fixture.event(.joiner)
            let signedAt = Timestamp(seconds: 1_795_251_000)
            let receipt = try await api.fixture.deliver(body, from: source, id: "msg_1", signedAt: signedAt)
            try await api.fixture.settle()

            let path = "/v1/deliveries/\(receipt.delivery)"
            let answer = try await api.get(path, as: api.auditor)
            #expect(answer.body["verdict"]?.string == "verified")
            #expect(answer.body["status"]?.string == "mapped")
            #expect(answer.body["signed_at"]?.string == signedAt.description)
            #expect(answer.body["key"]?.string == source.key.description)
            #expect(answer.body["headers"] == ["webhook-id": "msg_1"])
            #expect(answer.body["bytes"]?.int64 == Int64(body.bytes.count))
            #expect(answer.body["body"] == nil)
            let event = try #require(answer.body["events"]?.array?.first)
            #expect(event["kind"]?.string == "joiner")
            #expect(event["status"]?.string == "applied")

            let whole = try await api.get(path + "?include=body", as: api.auditor)
            #expect(whole.body["body"]?.string == Base64.standard.encode(body.bytes))
            let entry = try await api.entry(.deliveryRead)
            #expect(entry["target"]?["id"]?.string == receipt.delivery.description)
            #expect(entry["after"]?["body"]?.bool == true)
            #expect(try await api.get(path + "?include=all", as: api.auditor).places == ["include"])
            #expect(try await api.get(path + "?inclde=body", as: api.auditor).places == ["inclde"])
        }
    }

    @Test func `what could not be mapped says why and where`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let receipt = try await api.fixture.deliver(["type": "party", "person": [:]], from: source)
            try await api.fixture.settle()
            let answer = try await api.get("/v1/deliveries/\(receipt.delivery)", as: api.auditor)
            #expect(answer.body["status"]?.string == "unmapped")
            #expect(answer.body["reason"]?.string?.hasPrefix("/type ") == true)
            #expect(answer.body["events"] == [])
            let list = try await api.get("/v1/deliveries?filter=status%20eq%20%22unmapped%22", as: api.auditor)
            #expect(list.items == [answer.body])
        }
    }
}

@Suite struct EventTests {
    @Test func `an event shows its person and what became of it`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
            try await api.fixture.settle()
            let list = try await api.get("/v1/events?filter=kind%20eq%20%22joiner%22", as: api.auditor)
            let event = try #require(list.items.first)
            #expect(event["status"]?.string == "applied")
            #expect(event["external_id"]?.string == "e-1001")
            let id = try #require(event["id"]?.string)
            let one = try await api.get("/v1/events/\(id)", as: api.auditor)
            #expect(one.body == event)
            let person = try #require(event["person"]?.string)
            #expect(try await api.entry(.eventRead)["person"]?.string == person)
        }
    }

    @Test func `only a dead event is tried again, and its lane wakes`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
            try await api.fixture.settle()
            let id = try #require(try await api.get("/v1/events", as: api.admin).items.first?["id"]?.string)
            #expect(try await api.post("/v1/events/\(id)/retry", as: api.admin).status == 409)

            _ = try await api.fixture.owner.query("UPDATE events SET status = 'dead', attempts = 9, reason = 'a fault'")
            _ = try await api.fixture.owner.query("UPDATE lanes SET ready_at = NULL")
            #expect(try await api.post("/v1/events/\(id)/retry", as: api.auditor).status == 403)
            #expect(try await api.post("/v1/events/\(id)/retry", ["at": "once"], as: api.admin).places == ["/at"])
            let retried = try await api.post("/v1/events/\(id)/retry", as: api.admin)
            #expect(retried.status == 200)
            #expect(retried.body["status"]?.string == "pending")
            #expect(retried.body["attempts"]?.int64 == 0)
            #expect(retried.body["reason"]?.isNull == true)
            #expect(try await api.fixture.number("SELECT count(*) FROM lanes WHERE ready_at <= now()") == 1)
            let entry = try await api.entry(.eventRetried)
            #expect(entry["before"] == ["status": "dead", "attempts": 9])
            #expect(entry["person"]?.isNull == false)
        }
    }
}
