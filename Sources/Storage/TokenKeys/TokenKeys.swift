package import Domain
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

// The keys of signed access tokens: rows in the database, sealed under the keyring, the same for every node.

extension Store {
    /// The keys that were not taken out, and the database's clock when they were read. One that does not open, or is not
    /// what its row says, fails the whole: nothing unknown is published.
    package func tokenKeys() async throws -> (schedule: TokenKeySchedule, now: Timestamp) {
        let rows = try await pool.query("SELECT id, sealed, made_at, signs_from, clock FROM token_keys_known()")
        var entries: [TokenKeySchedule.Entry] = []
        var now = clock.now()
        for row in rows {
            let id = try row.decode("id", as: String.self)
            let key = try await TokenKey(secret: keyring.open(row.decode("sealed"), for: Self.place(ofTokenKey: id)))
            guard key.id == id else { throw row.refusal(of: "id", because: .malformed("not the key's thumbprint")) }
            entries.append(.init(key: key, madeAt: try row.decode("made_at"), signsFrom: try row.decode("signs_from")))
            now = try row.decode("clock")
        }
        return (TokenKeySchedule(entries), now)
    }

    /// Makes the next key where one is due, or where `isWanted`, and removes those that are over. Returns whether a key was
    /// made: by whichever node comes first.
    @discardableResult
    package func rotateTokenKeys(isWanted: Bool = false) async throws -> Bool {
        let (schedule, now) = try await tokenKeys()
        let over = schedule.states(at: now).filter { $0.state == .over }.map(\.entry.key.id)
        if !over.isEmpty { _ = try await pool.query("SELECT forget_token_keys(\(over))") }
        guard let lead = schedule.due(at: now) ?? (isWanted ? TokenKeySchedule.publishedBefore : nil) else {
            return false
        }
        let key = try await TokenKey.make(using: randomness)
        let sealed = try keyring.seal(key.secret, for: Self.place(ofTokenKey: key.id), using: randomness)
        return try await pool.query(
            """
            SELECT add_token_key(\(key.id), \(sealed), \(lead.components.seconds),
                \(schedule.newest?.key.id as String?)) AS added
            """
        ).only().decode("added")
    }

    /// Takes a key out of use and out of what is published, at once; nodes follow within ``TokenKeys/freshness``. False
    /// where there is none of that id.
    package func endTokenKey(_ id: String) async throws -> Bool {
        let ended: Bool = try await pool.query("SELECT end_token_key(\(id)) AS ended").only().decode("ended")
        if ended { try await rotateTokenKeys() }
        return ended
    }

    private static func place(ofTokenKey id: String) -> SealedPlace {
        SealedPlace(issuerRow: id, field: "token_keys.sealed")
    }
}

/// What this node knows of the keys, read anew when it is older than ``freshness``; and, run as a service, what makes the
/// next key in time, and forgets clients that registered themselves in vain. Any number of nodes may.
package final class TokenKeys: Service, Sendable {
    private let store: Store
    private let known = Mutex<Known?>(nil)
    private let pause: Duration

    /// How long a node goes on with what it read: far less than a key is published before it signs.
    package static let freshness = Duration.seconds(60)
    /// Between two looks whether another key is due.
    package static let standardPause = Duration.seconds(60)

    private struct Known {
        let schedule: TokenKeySchedule
        let now: Timestamp
        let readAt: ContinuousClock.Instant
    }

    package init(_ store: Store, pause: Duration = standardPause) {
        self.store = store
        self.pause = pause
    }

    /// Looks until shutdown.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await self.store.forgetRegisteredClients()
                    if try await self.store.rotateTokenKeys() {
                        self.store.logger.notice("a new key for tokens is published")
                    }
                } catch {
                    self.store.logger.warning("keys of tokens were not looked after", metadata: ["error": "\(error)"])
                }
                // Cancellation ends the sleep, and the loop with it.
                try? await Task.sleep(for: self.pause)
            }
        }
    }

    /// The key that signs now, made where there is none yet.
    package func signing() async throws -> TokenKey {
        let first = try await current()
        if let key = first.schedule.signing(at: first.now) { return key }
        try await store.rotateTokenKeys()
        let second = try await read()
        guard let key = second.schedule.signing(at: second.now) else {
            throw ImpossibleRows(description: "no key signs tokens")
        }
        return key
    }

    /// What is published now, and when.
    package func current() async throws -> (schedule: TokenKeySchedule, now: Timestamp) {
        let instant = ContinuousClock.now
        if let known = known.withLock({ $0 }), instant - known.readAt < Self.freshness {
            return (known.schedule, known.now + (instant - known.readAt))
        }
        return try await read()
    }

    private func read() async throws -> (schedule: TokenKeySchedule, now: Timestamp) {
        let readAt = ContinuousClock.now
        let (schedule, now) = try await store.tokenKeys()
        known.withLock { $0 = Known(schedule: schedule, now: now, readAt: readAt) }
        return (schedule, now)
    }
}
