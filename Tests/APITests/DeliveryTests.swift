import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import API

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
            let reason = try #require(answer.body["reasons"]?.array?.first)
            #expect(reason["pointer"] == "/type" && reason["reason"]?.string?.isEmpty == false)
            #expect(answer.body["reasons"]?.array?.count == 1)
            #expect(answer.body["events"] == [])
            let list = try await api.get("/v1/deliveries?filter=status%20eq%20%22unmapped%22", as: api.auditor)
            #expect(list.items == [answer.body])
        }
    }

    @Test func `one that maps in part has a status of its own, and a reason for each part that does not`() async throws
    {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let broken: JSON = ["type": "joined", "person": ["externalId": "e-2"]]
            let nobody: JSON = ["type": "leaver", "person": [:]]
            let receipt = try await api.fixture.deliver(
                ["events": [api.fixture.event(.joiner), broken, nobody]],
                from: source
            )
            try await api.fixture.settle()
            let answer = try await api.get("/v1/deliveries/\(receipt.delivery)", as: api.auditor)
            #expect(answer.body["status"]?.string == "partly_mapped" && answer.body["event_count"]?.int64 == 1)
            let reasons = answer.body["reasons"]?.array ?? []
            #expect(
                reasons.map { $0["pointer"]?.string } == ["/events/1/type", "/events/2/person/externalId"],
                "\(reasons)"
            )
            let entry = try await api.entry(.deliveryPartlyMapped)
            #expect(entry["reason"]?.string?.hasPrefix("/events/1/type ") == true)
            let list = try await api.get("/v1/deliveries?filter=status%20eq%20%22partly_mapped%22", as: api.auditor)
            #expect(list.items == [answer.body])
        }
    }

    @Test func `deliveries and rejected requests of one source are found by an index, among many of others`()
        async throws
    {
        try await TestAPI.with { api in
            let busy = try await api.fixture.source(in: api.organization)
            let quiet = try await api.fixture.source(in: api.organization, slug: "quiet")
            let receipt = try await api.fixture.deliver(api.fixture.event(.joiner), from: quiet)
            // As many as one request may read, and more: without the source they would hide it.
            let many = Operation.mostScanned + 1000
            _ = try await api.fixture.owner.pipeline([
                """
                INSERT INTO deliveries (organization_id, id, source_id, received_at, deduplication, headers, body,
                    request_id, status)
                SELECT \(api.organization.id), ('ffffffff-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                    \(busy.id), now(), int4send(n), '{}', '', gen_random_uuid(), 'mapped'
                FROM generate_series(1, \(Int32(many))) n
                """,
                """
                INSERT INTO rejected_requests (organization_id, id, source_id, received_at, reason, digest, sealed, bytes,
                    network, request_id, review)
                SELECT \(api.organization.id), gen_random_uuid(), \(busy.id), now(), 'signature-wrong',
                    sha256(int4send(n)), '', 0, 'unknown', gen_random_uuid(), false
                FROM generate_series(1, \(Int32(many))) n
                """,
                "ANALYZE deliveries", "ANALYZE rejected_requests",
            ])
            let filter = "source%20eq%20%22\(quiet.id)%22"
            let page = try await api.get("/v1/deliveries?filter=\(filter)", as: api.auditor)
            #expect(page.items.map { $0["id"]?.string } == [receipt.delivery.description])
            #expect(page.body["next_cursor"] == .null)
            let both = try await api.get("/v1/deliveries?filter=\(filter)%20and%20bytes%20lt%200", as: api.auditor)
            #expect(both.items.isEmpty && both.body["next_cursor"] == .null)
            let rejected = try await api.get("/v1/rejected-requests?filter=\(filter)", as: api.auditor)
            #expect(rejected.items.isEmpty && rejected.body["next_cursor"] == .null)
            // What does not demand it is no narrower for it.
            let either = try await api.get("/v1/deliveries?filter=\(filter)%20or%20bytes%20gt%200", as: api.auditor)
            #expect(either.items.isEmpty && either.body["next_cursor"]?.string != nil)

            for table in ["deliveries", "rejected_requests"] {
                let plan = try await api.fixture.store.read(as: api.organization.id) { transaction in
                    let last: SQL = "'ffffffff-ffff-ffff-ffff-ffffffffffff'"
                    let those: SQL = " WHERE id < " + last + " AND source_id = \(quiet.id) ORDER BY id DESC LIMIT 50"
                    let listed: SQL =
                        table == "deliveries"
                        ? "EXPLAIN SELECT id FROM deliveries" + those
                        : "EXPLAIN SELECT id FROM rejected_requests" + those
                    return try await transaction.query(listed).map { try $0.decode(at: 0, as: String.self) }
                }
                let told = plan.joined(separator: "\n")
                #expect(!told.contains("Seq Scan"), "\(told)")
                #expect(
                    told.contains(table == "deliveries" ? "deliveries_of_source" : "rejected_requests_listed"),
                    "\(told)"
                )
            }
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
