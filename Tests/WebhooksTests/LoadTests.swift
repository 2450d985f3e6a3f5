import Domain
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import Webhooks

@Suite struct `Load of one source and the others` {
    @Test func `a crowd lets in its number, turns away the next at once, and lets in again`() async throws {
        let crowd = HookCrowd<Int>(most: 2)
        let (gate, open) = AsyncStream<Void>.makeStream()
        let (entered, enter) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup { group in
            for _ in 0..<2 {
                group.addTask {
                    try await crowd.admit(1) {
                        enter.yield()
                        for await _ in gate {}
                    }
                }
            }
            var arrivals = entered.makeAsyncIterator()
            for _ in 0..<2 { await arrivals.next() }
            await #expect(throws: Crowded.self) { try await crowd.admit(1) {} }
            try await crowd.admit(2) {}
            open.finish()
            try await group.waitForAll()
        }
        try await crowd.admit(1) {}
    }

    @Test func `a storm of one source is never more than one commit in front of another's`() {
        #expect(WebhooksDoor.mostOfSource <= GroupCommit<DeliveryAcceptance>.mostPerCommit)
        #expect(WebhooksDoor.mostOfSource < GroupCommit<DeliveryAcceptance>.mostWaiting)
    }

    @Test func `a storm, slow senders and a flood of forgeries leave another source its acknowledgements`() async throws
    {
        try await TestHooks.with { hooks in
            let other = try await hooks.fixture.organization("globex")
            let theirs = try await hooks.fixture.source(in: other)
            let slow = (0..<50).map { _ in AsyncStream<ByteBuffer>.makeStream() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                // They hold their place, and nobody else's, until the end.
                for (stream, _) in slow {
                    group.addTask { _ = try? await hooks.respond(to: try hooks.signed(), streaming: stream) }
                }
                for number in 0..<400 {
                    group.addTask {
                        let answer = try await hooks.post(try hooks.signed(id: "storm_\(number)"))
                        #expect([202, 503].contains(answer.status))
                        if answer.status == 503 { #expect(answer.fields[.retryAfter] == "5") }
                    }
                    group.addTask {
                        let forged = try hooks.signed(id: "forged_\(number)", secret: otherSecret)
                        let answer = try await hooks.post(TestHooks.body, forged, from: "198.51.100.\(number % 250)")
                        #expect([401, 503].contains(answer.status))
                    }
                }
                for number in 0..<40 {
                    let answer = try await hooks.post(
                        TestHooks.body,
                        to: theirs.id.description,
                        try hooks.signed(id: "theirs_\(number)", secret: theirs.secret),
                        from: "203.0.113.7"
                    )
                    #expect(answer.status == 202)
                }
                for (_, source) in slow { source.finish() }
                try await group.waitForAll()
            }
            let count: SQL = "SELECT count(*) FROM deliveries WHERE source_id = \(theirs.id)"
            #expect(try await hooks.fixture.number(count) == 40)
            // No forgery waited for its row, and none was written before somebody had time for it.
            #expect(try await hooks.fixture.number("SELECT count(*) FROM rejected_requests") == 0)
            await hooks.rejected.flush()
            #expect(
                try await hooks.fixture.number("SELECT count(*) FROM rejected_requests")
                    <= RejectedQueue.mostWaitingOfSource
            )
        }
    }

    @Test func `of keys that take turns the last one is noted, and of one alone once a minute`() throws {
        let randomness = SeededRandomness()
        let source = SourceID.unguessable(using: randomness)
        let (old, new) = (SourceKeyID(high: 1, low: 1), SourceKeyID(high: 1, low: 2))
        let uses = KeyUses()
        func noted(_ key: SourceKeyID, _ seconds: Int64) -> Bool {
            uses.isToBeNoted(key, of: source, at: Timestamp(seconds: 1_000 + seconds))
        }
        #expect(noted(old, 0) && !noted(old, 30) && noted(old, 60))
        #expect(noted(new, 61) && !noted(new, 62))
        #expect(noted(old, 63) && !noted(old, 64) && noted(new, 65))
        // Not more than one a second, however often they change.
        #expect(!noted(old, 65) && noted(old, 66))
    }

    @Test func `what is answered 401 is kept, and what finds the queue full may come again`() async throws {
        try await TestHooks.with { hooks in
            var statuses: [Int] = []
            for number in 0..<100 {
                let headers = try hooks.signed(id: "early_\(number)", secret: otherSecret)
                statuses.append(try await hooks.post(TestHooks.body, headers, from: "203.0.113.7").status)
            }
            let most = RejectedQueue.mostWaitingOfSource
            #expect(statuses == [Int](repeating: 401, count: most) + [Int](repeating: 503, count: 100 - most))
            await hooks.rejected.flush()
            #expect(try await hooks.fixture.number("SELECT count(*) FROM rejected_requests") == most)
            // There is room again.
            let headers = try hooks.signed(id: "early_\(most)", secret: otherSecret)
            #expect(try await hooks.post(TestHooks.body, headers, from: "203.0.113.7").status == 401)
        }
    }

    @Test func `a network that used up its room takes no place of another's on the way`() async throws {
        try await TestHooks.with { hooks in
            func forge(_ count: Int, _ word: String, from address: String) async throws -> [Int] {
                var statuses: [Int] = []
                for number in 0..<count {
                    let headers = try hooks.signed(id: "\(word)_\(number)", secret: otherSecret)
                    statuses.append(try await hooks.post(TestHooks.body, headers, from: address).status)
                }
                return statuses
            }
            _ = try await forge(1, "first", from: "198.51.100.9")
            await hooks.rejected.flush()
            _ = try await hooks.fixture.owner.query(
                "UPDATE rejected_quotas SET networks = jsonb_build_object('198.51.100.0/24', 500)"
            )
            _ = try await forge(1, "over", from: "198.51.100.9")
            await hooks.rejected.flush()
            // None of these waits for a place in the queue.
            #expect(try await forge(200, "flood", from: "198.51.100.9").allSatisfy { $0 == 401 })
            #expect(try await forge(30, "genuine", from: "203.0.113.7").allSatisfy { $0 == 401 })
            await hooks.rejected.flush()
            let kept: SQL = "SELECT count(*) FROM rejected_requests WHERE network = '203.0.113.0/24'"
            #expect(try await hooks.fixture.number(kept) == 30)
        }
    }

    @Test func `whoever asks for what does not exist takes the look-ups of one network, and no more`() async throws {
        let randomness = SeededRandomness()
        let away = PostgresConnectionConfiguration(connectionString: "host=/nonexistent dbname=none")
        let store = Store(
            pool: PostgresPool(configuration: PostgresPoolConfiguration(connection: away), logger: .silent),
            keyring: try Keyring(parsing: Keyring.line(id: "test", using: randomness)),
            clock: FixedClock(),
            randomness: randomness,
            logger: .silent
        )
        let cache = HookCache(store: store, profiles: [:], patience: .seconds(4))
        let here = try NetworkRange("192.0.2.0/24")
        let there = try NetworkRange("198.51.100.0/24")
        func asked(from network: NetworkRange) async -> HookFault? {
            do {
                _ = try await cache.hook(.unguessable(using: randomness), from: network)
                return nil
            } catch {
                return error as? HookFault
            }
        }
        try await withThrowingTaskGroup(of: HookFault?.self) { group in
            group.addTask {
                try await cache.run()
                return nil
            }
            for _ in 0..<(HookCache.mostLookUpsOfNetwork + 8) { group.addTask { await asked(from: here) } }
            // Refusals come at once, before any look-up has had its time.
            for _ in 0..<8 { #expect(try await group.next() == HookFault.tooManyLookUps) }
            #expect(await asked(from: there) == HookFault.tooLate)
            for _ in 0..<HookCache.mostLookUpsOfNetwork { #expect(try await group.next() == HookFault.tooLate) }
            // Their places are free again.
            try await eventually { await asked(from: here) == HookFault.tooLate }
            group.cancelAll()
        }
    }

    @Test func `a network that holds all its places is told to come again, and another is not`() async throws {
        try await TestHooks.with(mostOfNetwork: 8) { hooks in
            let (gate, open) = AsyncStream<Void>.makeStream()
            let (entered, enter) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    // Whose body is asked for has its place.
                    let slow = AsyncStream<ByteBuffer>(unfolding: {
                        enter.yield()
                        for await _ in gate {}
                        return nil
                    })
                    group.addTask { _ = try? await hooks.respond(to: try hooks.signed(), streaming: slow) }
                }
                var arrivals = entered.makeAsyncIterator()
                for _ in 0..<8 { await arrivals.next() }
                let refused = try await hooks.post(try hooks.signed())
                #expect(refused.status == 503 && refused.fields[.retryAfter] == "5")
                // A machine that is busy with other tests may have a fault of its own: then it is asked again.
                var other: TestHooks.Answer?
                while other?.status != 202 {
                    other = try await hooks.post(TestHooks.body, try hooks.signed(id: "msg_2"), from: "203.0.113.7")
                    #expect([202, 503].contains(other?.status))
                }
                #expect(try await hooks.post(try hooks.signed()).status == 503)
                open.finish()
                try await group.waitForAll()
            }
            #expect(try await hooks.post(try hooks.signed()).status == 202)
        }
    }
}
