import Domain
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct `Keys of signed tokens in the database` {
    @Test func `many nodes make one first key, which signs at once`() async throws {
        try await StoreFixture.with { fixture in
            let made = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<4 { group.addTask { try await fixture.store.rotateTokenKeys() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(made.count { $0 } == 1)
            #expect(try await fixture.number("SELECT count(*) FROM token_keys") == 1)
            let key = try await TokenKeys(fixture.store).signing()
            #expect(try await TokenKeys(fixture.store).signing().id == key.id)
            #expect(try await fixture.store.rotateTokenKeys() == false)
        }
    }

    @Test func `an aged key gets a successor, which waits, signs, and outlives it`() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            let first = try await TokenKeys(store).signing()
            let age: @Sendable (String) async throws -> Void = { interval in
                _ = try await fixture.owner.query(
                    "UPDATE token_keys SET made_at = made_at - \(interval)::interval, signs_from = signs_from - \(interval)::interval"
                )
            }
            try await age("29 days 23 hours")
            #expect(try await store.rotateTokenKeys())
            #expect(try await store.rotateTokenKeys() == false)
            var (schedule, now) = try await store.tokenKeys()
            #expect(schedule.states(at: now).map(\.state) == [.signing, .waiting])
            #expect(try await TokenKeys(store).signing().id == first.id)
            try await age("1 hour")
            (schedule, now) = try await store.tokenKeys()
            #expect(schedule.states(at: now).map(\.state) == [.retired, .signing])
            #expect(try await TokenKeys(store).signing().id != first.id)
            try await age("1 hour")
            #expect(try await store.rotateTokenKeys() == false)
            #expect(try await fixture.number("SELECT count(*) FROM token_keys") == 1)
        }
    }

    @Test func `a key that was taken out is published no more, and another signs at once`() async throws {
        try await StoreFixture.with { fixture in
            let first = try await TokenKeys(fixture.store).signing()
            #expect(try await fixture.store.endTokenKey(first.id))
            #expect(try await fixture.store.endTokenKey(first.id) == false)
            let (schedule, now) = try await fixture.store.tokenKeys()
            #expect(schedule.states(at: now).map(\.state) == [.signing])
            #expect(schedule.signing(at: now)?.id != first.id)
        }
    }

    @Test func `a row that another keyring or somebody else wrote publishes nothing`() async throws {
        try await StoreFixture.with { fixture in
            let key = try await TokenKeys(fixture.store).signing()
            #expect(
                try await fixture.number("SELECT count(*) FROM token_keys WHERE position(\(key.secret) IN sealed) > 0")
                    == 0
            )
            _ = try await fixture.owner.query("UPDATE token_keys SET id = 'mine'")
            await #expect(throws: KeyringError.notAuthentic) { try await fixture.store.tokenKeys() }
        }
    }

    @Test func `the service reads and writes keys by the named functions alone`() async throws {
        try await StoreFixture.with { fixture in
            for statement: SQL in ["SELECT id FROM token_keys", "DELETE FROM token_keys"] {
                let error = await #expect(throws: PostgresError.self) { _ = try await fixture.pool.query(statement) }
                #expect(error?.sqlState?.rawValue == "42501")
            }
        }
    }
}
