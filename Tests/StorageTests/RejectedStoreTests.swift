import Domain
import Logging
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct `The store of rejected requests` {
    private func request(
        _ number: Int,
        from source: TestSource,
        _ fixture: StoreFixture,
        address: String,
        bytes: Int = 16
    ) -> RejectedRequest {
        RejectedRequest(
            id: fixture.store.newID(),
            source: source.id,
            receivedAt: fixture.clock.now(),
            reason: .signatureWrong,
            keysVersion: 1,
            request: HookRequest(
                url: "https://rollcall.example/hooks/x",
                headers: [("webhook-id", "msg_\(number)")],
                body: [UInt8](repeating: 0x61, count: bytes)
            ),
            origin: .init(request: fixture.store.newID(), address: IPAddress(address))
        )
    }

    /// As several nodes would: each writes on its own.
    private func keep(_ requests: [RejectedRequest], _ source: TestSource, _ fixture: StoreFixture) async throws {
        await withTaskGroup { group in
            for node in 0..<3 {
                group.addTask {
                    let tallies = RefusalTallies(fixture.store, logger: fixture.store.logger)
                    let queue = RejectedQueue(fixture.store, tallies: tallies)
                    for (place, request) in requests.enumerated() where place % 3 == node {
                        queue.offer(request, in: source.organization)
                        if place % 30 == node { await queue.flush() }
                    }
                    await queue.flush()
                }
            }
        }
    }

    private func kept(_ fixture: StoreFixture) async throws -> Int {
        try await fixture.number("SELECT count(*) FROM rejected_requests")
    }

    @Test func `no number of writers gets a client network past its share`() async throws {
        try await StoreFixture.with { fixture in
            let source = try await fixture.source(in: try await fixture.organization())
            let requests = (0..<640).map { request($0, from: source, fixture, address: "192.0.2.\($0 % 250)") }
            try await keep(requests, source, fixture)
            #expect(try await kept(fixture) == RejectedRequest.mostRequestsOfNetwork)
            // Another network still has its own.
            try await keep([request(999, from: source, fixture, address: "198.51.100.1")], source, fixture)
            #expect(try await kept(fixture) == RejectedRequest.mostRequestsOfNetwork + 1)
        }
    }

    @Test func `no number of writers gets a source past its number, and another source has its own`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            // As if 990 of other networks were there already.
            try await keep([request(-1, from: source, fixture, address: "203.0.113.1")], source, fixture)
            _ = try await fixture.owner.query("UPDATE rejected_quotas SET requests = 990")
            let requests = (0..<60).map { request($0, from: source, fixture, address: "10.0.\($0).1") }
            try await keep(requests, source, fixture)
            #expect(try await kept(fixture) == 11)
            let other = try await fixture.source(in: organization, slug: "other")
            try await keep([request(1, from: other, fixture, address: "10.0.0.1")], other, fixture)
            #expect(try await kept(fixture) == 12)
        }
    }

    @Test func `no number of writers gets a source past its bytes`() async throws {
        try await StoreFixture.with { fixture in
            let source = try await fixture.source(in: try await fixture.organization())
            let requests = (0..<24).map { request($0, from: source, fixture, address: "10.0.\($0).1", bytes: 1 << 20) }
            try await keep(requests, source, fixture)
            // Each takes a little more than its body.
            #expect(try await kept(fixture) == 15)
            let used = try await fixture.number("SELECT bytes FROM rejected_quotas")
            #expect(used <= RejectedRequest.mostBytes)
            #expect(try await fixture.number("SELECT sum(bytes) FROM rejected_requests") == used)
        }
    }

    @Test func `what finds no room is dropped and told in the summary of its minute`() async throws {
        try await StoreFixture.with { fixture in
            let source = try await fixture.source(in: try await fixture.organization())
            let tallies = RefusalTallies(fixture.store, logger: fixture.store.logger)
            let queue = RejectedQueue(fixture.store, tallies: tallies)
            for number in 0..<RejectedQueue.mostWaitingOfSource + 5 {
                queue.offer(
                    request(number, from: source, fixture, address: "10.0.\(number).1"),
                    in: source.organization
                )
            }
            await queue.flush()
            await tallies.flush()
            #expect(try await kept(fixture) == RejectedQueue.mostWaitingOfSource)
            let told = try await fixture.owner.query("SELECT reason, count FROM refusal_tallies")
            #expect(try told.first?.decode("reason", as: String.self) == RejectedQueue.notKept)
            #expect(try told.first?.decode("count", as: Int64.self) == 5)
        }
    }
}
