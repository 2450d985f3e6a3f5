import Logging
import Postgres
package import Storage

extension StoreFixture {
    /// Runs `body` while this fixture's own store is a node that hears of endings, and so is another on the same database,
    /// whose direct connection is `direct` where it is given.
    package func withNodes(
        direct: String? = nil,
        _ body: (_ mine: Store, _ other: Store) async throws -> Void
    ) async throws {
        let pool = PostgresPool(
            configuration: PostgresPoolConfiguration(
                connection: PostgresConnectionConfiguration(connectionString: serviceConnectionString),
                size: 4,
                minimum: 0,
                waitTimeout: .seconds(90),
                drainTimeout: .seconds(2)
            ),
            logger: Logger(label: "pool", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let other = Store(
            pool: pool,
            keyring: keyring,
            clock: clock,
            randomness: SeededRandomness(seed: 2),
            logger: store.logger
        )
        let watches = [
            AccessWatch(store, connectionString: ownerConnectionString),
            AccessWatch(other, connectionString: direct ?? ownerConnectionString),
        ]
        let result: Result<Void, any Error> = await withTaskGroup { group in
            for watch in watches {
                group.addTask {
                    // Ends by cancellation alone.
                    try? await watch.run()
                }
            }
            defer { group.cancelAll() }
            do {
                try await eventually { store.access.isFresh && other.access.isFresh }
                return .success(try await body(store, other))
            } catch {
                return .failure(error)
            }
        }
        await pool.close()
        try result.get()
    }
}
