import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct DeliveryTests {
    @Test func `the same delivery has one row, one entry and one answer, in a batch and across batches`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            let body = fixture.event(.joiner).bytes
            let batch =
                (0..<3).map { _ in fixture.acceptance(of: body, from: source, id: "msg_1") }
                + [fixture.acceptance(of: body, from: source, id: "msg_2")]
            let receipts = try await fixture.store.perform(batch, in: organization.id).map { try $0.get() }
            #expect(receipts.filter { !$0.isDuplicate }.count == 2)
            #expect(Set(receipts.prefix(3).map(\.delivery)).count == 1)
            let again = try await fixture.store.perform(
                fixture.acceptance(of: body, from: source, id: "msg_1"),
                in: organization.id
            )
            #expect(again.delivery == receipts[0].delivery)
            #expect(again.isDuplicate)
            try await fixture.settle()
            #expect(try await fixture.number("SELECT count(*) FROM deliveries") == 2)
            #expect(try await fixture.leaves(in: organization.id, action: .deliveryAccepted).count == 2)
            #expect(try await fixture.number("SELECT count(*) FROM people") == 1)
        }
    }

    @Test func `retries at the same moment from several nodes make one row`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            let body = fixture.event(.joiner).bytes
            let receipts = try await withThrowingTaskGroup(of: DeliveryAcceptance.Receipt.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        try await fixture.store.perform(
                            fixture.acceptance(of: body, from: source, id: "msg_1"),
                            in: organization.id
                        )
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(receipts.map(\.delivery)).count == 1)
            #expect(receipts.filter { !$0.isDuplicate }.count == 1)
        }
    }

    @Test func `the same signed id from another source is another delivery`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            for slug in ["one", "two"] {
                let source = try await fixture.source(in: organization, slug: slug)
                #expect(try await !fixture.deliver(fixture.event(.ping), from: source, id: "msg_1").isDuplicate)
            }
        }
    }

    @Test(arguments: [
        (#"{"type": "fired", "person": {"externalId": "e"}}"#, "/type"),
        (#"{"type": "joiner", "person": {"userName": "a"}}"#, "/person/externalId"),
        (#"{"type": "joiner"}"#, "/person"),
        (#"[1]"#, ""),
        (#"{"type": "joiner", "type": "leaver"}"#, ""),
        ("not json", ""),
        (#"{"type": "joiner", "occurred_at": "yesterday", "person": {"externalId": "e"}}"#, "/occurred_at"),
    ])
    func `what does not map is kept with its reason and blocks nobody`(body: String, place: String) async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            _ = try await fixture.store.perform(
                fixture.acceptance(of: Array(body.utf8), from: source),
                in: organization.id
            )
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            let rows = try await fixture.owner.query(
                "SELECT status, reasons ->> 0 AS reason, body FROM deliveries ORDER BY sequence"
            )
            #expect(try rows[0].decode("status", as: String.self) == "unmapped")
            #expect(try rows[0].decode("reason", as: String.self).contains("\"\(place)\""))
            #expect(try rows[0].decode("body", as: [UInt8].self) == Array(body.utf8))
            #expect(try rows[1].decode("status", as: String.self) == "mapped")
            #expect(try await fixture.leaves(in: organization.id, action: .deliveryUnmapped).count == 1)
            #expect(try await fixture.number("SELECT count(*) FROM people") == 1)
        }
    }

    @Test func `what maps of a delivery becomes events, and what does not is told`() async throws {
        try await StoreFixture.with { fixture in
            let source = try await fixture.source(in: try await fixture.organization())
            let broken: JSON = ["type": "joined", "person": ["externalId": "e-2"]]
            let events: JSON = [fixture.event(.joiner, "e-1"), broken, fixture.event(.joiner, "e-3", userName: "e3")]
            try await fixture.deliver(["events": events], from: source)
            try await fixture.settle()
            let delivery = try await fixture.owner.query("SELECT status, reasons ->> 0 AS reason FROM deliveries")
            #expect(try delivery.first?.decode("status", as: String.self) == "partly_mapped")
            #expect(try delivery.first?.decode("reason", as: String.self).contains("/events/1/type") == true)
            let people = try await fixture.owner.query("SELECT external_id FROM people ORDER BY 1")
            #expect(try people.map { try $0.decode("external_id", as: String.self) } == ["e-1", "e-3"])
            #expect(try await fixture.leaves(in: source.organization, action: .deliveryPartlyMapped).count == 1)
        }
    }

    @Test func `a value that the database cannot hold takes only its own delivery out`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            var bad = fixture.event(.joiner, "e-1").object ?? [:]
            bad["person"] = .object((bad["person"]?.object ?? [:]).merged(with: ["title": "a\u{0}b"]))
            try await fixture.deliver(.object(bad), from: source)
            try await fixture.deliver(fixture.event(.joiner, "e-2"), from: source)
            try await fixture.settle()
            let statuses = try await fixture.owner.query("SELECT status FROM deliveries ORDER BY sequence")
            #expect(try statuses.map { try $0.decode("status", as: String.self) } == ["unmapped", "mapped"])
            #expect(try await fixture.leaves(in: organization.id, action: .deliveryUnmapped).count == 1)
        }
    }

    @Test func `a hook shows its source with opened keys, and no other key opens there`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            let hook = try #require(try await fixture.store.hook(source.id))
            #expect(hook.organization == organization.id)
            #expect(hook.keys.map { $0.secret.reveal() } == [source.secret])
            #expect(!"\(hook.keys)".contains(source.secret))
            #expect(try await isNothing(fixture.store.hook(.unguessable(using: fixture.randomness))))
            let other = try await fixture.source(in: organization, slug: "other")
            _ = try await fixture.owner.query(
                """
                UPDATE source_keys SET sealed = (SELECT sealed FROM source_keys WHERE source_id = \(other.id))
                WHERE source_id = \(source.id)
                """
            )
            await #expect(throws: KeyringError.notAuthentic) { _ = try await fixture.store.hook(source.id) }
        }
    }
}
