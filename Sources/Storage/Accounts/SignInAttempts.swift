package import Domain
import Postgres

/// How often a password or a code may be tried. Each bucket lets `burst` attempts through at once and one more every
/// `interval` after them (GCRA), so that nobody is locked out for ever, and nobody by somebody else's guessing alone: an
/// account is slowed down per address first.
package struct AttemptBucket: Sendable {
    let name: String
    let burst: Int
    let interval: Duration

    /// Passwords of one account from one address.
    static let passwordFromAddress = AttemptBucket(name: "password address", burst: 10, interval: .seconds(60))
    /// Passwords of one account, from everywhere.
    static let password = AttemptBucket(name: "password", burst: 50, interval: .seconds(20))
    /// Passwords of all accounts of an organization from one address.
    static let address = AttemptBucket(name: "address", burst: 60, interval: .seconds(5))
    /// Codes of one account: guessed at by whoever has the password.
    static let code = AttemptBucket(name: "code", burst: 5, interval: .seconds(120))
}

extension Store {
    /// Takes one attempt at the password of `user`, or, where there is no such account, of the name that was written. nil:
    /// it may be made; else after how long the next may.
    ///
    /// An account is counted by its id: names that the database takes for one another are spelled in more than one way.
    package func throttlePassword(
        of user: UserID?,
        named username: String,
        in organization: OrganizationID,
        from address: IPAddress?
    ) async throws -> Duration? {
        let account = user?.description ?? "nobody " + username.lowercased()
        let place = Self.network(of: address)
        if let wait = try await take(.passwordFromAddress, [account, place], in: organization) { return wait }
        if let wait = try await take(.address, [place], in: organization) { return wait }
        return try await take(.password, [account], in: organization)
    }

    /// Takes one attempt at a code of that member. nil: it may be made; else after how long the next may.
    package func throttleCode(of user: UserID, in organization: OrganizationID) async throws -> Duration? {
        try await take(.code, [user.description], in: organization)
    }

    /// After the right password: what this address guessed wrong no longer counts.
    package func forgetAttempts(
        at user: UserID,
        in organization: OrganizationID,
        from address: IPAddress?
    ) async throws {
        let key = Self.key(.passwordFromAddress, [user.description, Self.network(of: address)], self)
        try await read(as: organization) { transaction in
            _ = try await transaction.query("DELETE FROM sign_in_attempts WHERE key = \(key)")
        }
    }

    // Not through `perform`: an attempt is no change, and what came of it has its entry.
    private func take(
        _ bucket: AttemptBucket,
        _ parts: [String],
        in organization: OrganizationID
    ) async throws -> Duration? {
        let key = Self.key(bucket, parts, self)
        let interval = bucket.interval.wholeMicroseconds
        let most = interval * Int64(bucket.burst)
        return try await read(as: organization) { transaction in
            let rows = try await transaction.query(
                """
                INSERT INTO sign_in_attempts AS a (organization_id, key, arrival_at)
                VALUES (\(organization), \(key), transaction_timestamp() + \(interval) * interval '1 microsecond')
                ON CONFLICT (organization_id, key) DO UPDATE
                SET arrival_at = greatest(a.arrival_at, transaction_timestamp()) + \(interval) * interval '1 microsecond'
                WHERE greatest(a.arrival_at, transaction_timestamp()) + \(interval) * interval '1 microsecond'
                    <= transaction_timestamp() + \(most) * interval '1 microsecond'
                RETURNING arrival_at
                """
            )
            return rows.isEmpty ? bucket.interval : nil
        }
    }

    private static func key(_ bucket: AttemptBucket, _ parts: [String], _ store: Store) -> [UInt8] {
        store.keyring.attemptKey([bucket.name] + parts)
    }

    /// An IPv6 caller has a whole /64 to choose from.
    private static func network(of address: IPAddress?) -> String {
        guard let address else { return "unknown" }
        return address.isIPv4 ? address.description : IPAddress(high: address.high, low: 0).description
    }
}
