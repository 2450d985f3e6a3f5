import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Accepting deliveries` {
    @Test func `a signed delivery is committed with its entry, then answered 202`() async throws {
        try await TestHooks.with { hooks in
            let answer = try await hooks.post(try hooks.signed())
            #expect(answer.status == 202)
            let delivery = try #require(answer.body["delivery"]?.string.flatMap { DeliveryID($0) })
            let kept = try await hooks.fixture.owner.query(
                "SELECT body, source_id FROM deliveries WHERE id = \(delivery)"
            )
            #expect(try kept.first?.decode("body", as: [UInt8].self) == TestHooks.body)
            #expect(try kept.first?.decode("source_id", as: SourceID.self) == hooks.source.id)

            let leaves = try await hooks.fixture.leaves(in: hooks.organization.id)
            #expect(leaves.count == 1)
            let leaf = try #require(leaves.first)
            #expect(leaf["action"] == "delivery.accepted" && leaf["outcome"] == "done")
            #expect(leaf[pointer: "/target/id"]?.string == delivery.description)
            #expect(leaf[pointer: "/actor/id"]?.string == hooks.source.user.description)
            #expect(leaf["client_ip"] == "192.0.2.7" && leaf["user_agent"] == "hr/1")
            #expect(leaf["source_delivery"]?.string == delivery.description)
        }
    }

    @Test func `the same delivery again has the same answer and no second effect`() async throws {
        try await TestHooks.with { hooks in
            let first = try await hooks.post(try hooks.signed())
            hooks.fixture.clock.advance(by: .seconds(60))
            let again = try await hooks.post(try hooks.signed())
            #expect(again.status == 202 && again.body == first.body)
            #expect(try await hooks.deliveries == 1)
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id).count == 1)
            let other = try await hooks.post(try hooks.signed(id: "msg_2"))
            #expect(other.body != first.body)
            #expect(try await hooks.deliveries == 2)
        }
    }

    @Test func `many at once are each there once, duplicates among them too`() async throws {
        try await TestHooks.with { hooks in
            let ids = (0..<40).map { "msg_\($0 % 20)" }
            let answers = try await withThrowingTaskGroup(of: (String, TestHooks.Answer).self) { group in
                for id in ids { group.addTask { (id, try await hooks.post(try hooks.signed(id: id))) } }
                return try await group.reduce(into: [:]) { $0[$1.0, default: []].append($1.1) }
            }
            #expect(answers.values.allSatisfy { $0.allSatisfy { $0.status == 202 } })
            #expect(answers.values.allSatisfy { Set($0.map(\.body)).count == 1 })
            #expect(try await hooks.deliveries == 20)
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id, action: .deliveryAccepted).count == 20)
        }
    }

    @Test func `bytes are kept as they came, whatever they say`() async throws {
        try await TestHooks.with { hooks in
            let bodies: [[UInt8]] = [
                [], [0x7B], [0xFF, 0xFE, 0x00], Array(String(repeating: "[", count: 100_000).utf8),
            ]
            for (number, body) in bodies.enumerated() {
                let answer = try await hooks.post(body, try hooks.signed(body, id: "msg_\(number)"))
                #expect(answer.status == 202)
                let delivery = try #require(answer.body["delivery"]?.string.flatMap { DeliveryID($0) })
                let kept = try await hooks.fixture.owner.query("SELECT body FROM deliveries WHERE id = \(delivery)")
                #expect(try kept.first?.decode("body", as: [UInt8].self) == body)
            }
        }
    }

    @Test func `a body may be as long as the bound, and not a byte longer`() async throws {
        try await TestHooks.with { hooks in
            let most = [UInt8](repeating: 0x20, count: 1024 * 1024)
            #expect(try await hooks.post(most, try hooks.signed(most)).status == 202)
            let over = most + [0x20]
            let refused = try await hooks.post(over, try hooks.signed(over, id: "msg_2"))
            #expect(refused.status == 413)
            #expect(refused.body["type"] == "/problems/payload-too-large")
            #expect(try await hooks.deliveries == 1)
        }
    }
}
