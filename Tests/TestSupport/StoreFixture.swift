package import Domain
import Logging
package import Postgres
package import Storage
package import Transparency

/// A store on a database of its own, connected as the service role, with a clock and randomness that repeat.
package struct StoreFixture: Sendable {
    package let store: Store
    /// The same database as the owner's role: for what a test looks at, never for what it tests.
    package let owner: PostgresPool
    package let clock: FixedClock
    package let randomness: SeededRandomness
    /// For programs that are given a database.
    package let serviceConnectionString: String
    package let ownerConnectionString: String
    /// For what only row-level security's master sees: a dump.
    package let superuserConnectionString: String
    /// Who was erased, as a list outside the database says it.
    package let erasures: NotedErasures

    package var keyring: Keyring { store.keyring }
    package var pool: PostgresPool { store.pool }

    /// Runs `body` on a fresh, migrated, empty database.
    package static func with<Value: Sendable>(
        seed: UInt64 = 1,
        poolSize: Int = 4,
        on cluster: StoreCluster = .shared,
        _ body: @Sendable (StoreFixture) async throws -> Value
    ) async throws -> Value {
        try await cluster.withDatabase { connectionString in
            let randomness = SeededRandomness(seed: seed)
            let clock = FixedClock()
            let service = connectionString(StoreCluster.service)
            let owner = connectionString(StoreCluster.owner)
            let erasures = NotedErasures()
            let fixture = StoreFixture(
                store: Store(
                    pool: pool(service, size: poolSize),
                    keyring: try Keyring(parsing: Keyring.line(id: "test", using: randomness)),
                    clock: clock,
                    randomness: randomness,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                    erasures: erasures.register
                ),
                owner: pool(owner, size: 2),
                clock: clock,
                randomness: randomness,
                serviceConnectionString: service,
                ownerConnectionString: owner,
                superuserConnectionString: connectionString(EmbeddedServer.superuser),
                erasures: erasures
            )
            let result: Result<Value, any Error>
            do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
            await fixture.pool.close()
            await fixture.owner.close()
            return try result.get()
        }
    }

    private static func pool(_ connectionString: String, size: Int) -> PostgresPool {
        PostgresPool(
            configuration: PostgresPoolConfiguration(
                connection: PostgresConnectionConfiguration(connectionString: connectionString),
                size: size,
                minimum: 0,
                // For whoever has to be served, on a machine that is busy with other tests too.
                waitTimeout: .seconds(90),
                drainTimeout: .seconds(2)
            ),
            logger: Logger(label: "pool", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    // MARK: Looking

    /// Leaves of an organization's entries in the order in which they were written.
    package func leaves(
        in organization: OrganizationID,
        action: ActionCode? = nil
    ) async throws -> [JSON] {
        let rows = try await owner.query(
            """
            SELECT leaf FROM audit_entries
            WHERE organization_id = \(organization) AND coalesce(action = \((action?.rawValue) as String?), true)
            ORDER BY recorded_at, id
            """
        )
        return try rows.map { try JSON.parse(try $0.decode("leaf", as: [UInt8].self)) }
    }

    /// Action codes of an organization's entries, in ascending order, repetitions kept.
    package func actions(in organization: OrganizationID) async throws -> [String] {
        try await leaves(in: organization).compactMap { $0["action"]?.string }.sorted()
    }

    /// A number that a statement of one row and one column returns.
    package func number(_ statement: SQL) async throws -> Int {
        guard let row = try await owner.query(statement).first else { return 0 }
        return Int(try row.decode(at: 0, as: Int64.self))
    }

    /// A text that a statement of one column returns in its first row; nil without a row, or for null.
    package func text(_ statement: SQL) async throws -> String? {
        try await owner.query(statement).first?.decode(at: 0, as: String?.self)
    }
}

/// For `#expect`, which cannot compare an optional of a type without equality that is thrown and awaited.
package func isNothing<Value>(_ value: Value?) -> Bool { value == nil }
