// Storage: the only SQL. It owns rows, their invariants and their audit entries, one folder a table family under
// Domain's nouns.
//
// Entrances: `Store.perform` and `Store.performNext` for changes (there is no other way to a write), `Store.read` for
// what an organization may see of itself, and the named crossings (Store+Crossings) that find out which organization
// that is. `GroupCommit` lets concurrent requests share one commit of `perform`.
//
// Who may do what is decided before: doors prove a `Caller`, and each `Change` says what it checks.

package import Domain
package import Logging
package import Postgres

/// The database of Rollcall, with what changes need: the keyring, a clock and randomness.
package struct Store: Sendable {
    package let pool: PostgresPool
    package let keyring: Keyring
    package let clock: any WallClock
    package let randomness: any Randomness
    package let logger: Logger
    /// What this node remembers of tokens.
    package let access: AccessCache
    /// Where erasures are kept outside the database; nil: this process executes none.
    package let erasures: ErasureRegister?

    package init(
        pool: PostgresPool,
        keyring: Keyring,
        clock: any WallClock,
        randomness: any Randomness,
        logger: Logger,
        access: AccessCache = AccessCache(),
        erasures: ErasureRegister? = nil
    ) {
        self.pool = pool
        self.keyring = keyring
        self.clock = clock
        self.randomness = randomness
        self.logger = logger
        self.access = access
        self.erasures = erasures
    }

    /// The same, reading from another pool, which may lead to a copy that only reads and is behind.
    package func reading(_ pool: PostgresPool) -> Store {
        Store(pool: pool, keyring: keyring, clock: clock, randomness: randomness, logger: logger, access: access)
    }

    /// A new id of now.
    package func newID<Kind>(_: ID<Kind>.Type = ID<Kind>.self) -> ID<Kind> {
        .make(at: clock.now(), using: randomness)
    }

    /// Reads as an organization: its rows, and no other's, whatever the query says.
    package func read<Output: Sendable>(
        as organization: OrganizationID,
        _ body: (OrganizationTransaction) async throws -> Output
    ) async throws -> Output {
        try await transaction { transaction, narrowing in
            try await body(OrganizationTransaction(transaction, organization, self, narrowing))
        }
    }

    /// Runs `body` in a transaction, and returns when what it narrowed is forgotten here: before anybody is answered.
    func transaction<Output: Sendable>(
        _ body: (PostgresTransaction, Narrowing) async throws -> Output
    ) async throws -> Output {
        let narrowing = Narrowing(in: access)
        // On every way out: a COMMIT of which nobody knows whether it arrived may have.
        defer { narrowing.lift() }
        return try await pool.transaction { try await body($0, narrowing) }
    }
}

/// A transaction that named its organization: row-level security shows it that one's rows.
package struct OrganizationTransaction {
    package let organization: OrganizationID
    package let store: Store
    /// The database's clock at the transaction's begin: `recorded_at` of its entries.
    package let startedAt: Timestamp
    /// What the statements that travelled with the naming returned.
    let opened: [PostgresRows]
    private let transaction: PostgresTransaction
    private let narrowing: Narrowing

    /// Names the organization, and executes `opening` in the same flight.
    init(
        _ transaction: PostgresTransaction,
        _ organization: OrganizationID,
        _ store: Store,
        _ narrowing: Narrowing,
        opening: [SQL] = []
    ) async throws {
        let naming: SQL = """
            SELECT set_config('rollcall.organization', \(organization.uuidText), true),
                transaction_timestamp() AS started_at
            """
        let results = try await transaction.pipeline([naming] + opening)
        self.organization = organization
        self.store = store
        self.transaction = transaction
        self.narrowing = narrowing
        startedAt = try results[0].only().decode("started_at")
        opened = Array(results.dropFirst())
    }

    /// Sees the rows of this transaction's organization alone. Refused once its closure has ended.
    package func query(_ sql: SQL) async throws -> PostgresRows {
        try await transaction.query(sql)
    }

    /// Several statements in one flight.
    package func pipeline(_ statements: [SQL]) async throws -> [PostgresRows] {
        statements.isEmpty ? [] : try await transaction.pipeline(statements)
    }

    /// From now on until the transaction is over, nothing of them is answered from the cache.
    func suspend(_ subjects: [AccessSubject]) { narrowing.add(subjects) }

    /// Executes statements last, in one flight with the COMMIT. What they violate fails the transaction.
    func atCommit(_ statements: [SQL]) {
        transaction.atCommit(statements)
    }
}

/// A row that the schema promises and that is not there.
package struct ImpossibleRows: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

extension PostgresRows {
    /// The one row that the statement always returns.
    func only() throws -> PostgresRow {
        guard count == 1, let row = first else {
            throw ImpossibleRows(description: "a statement that returns one row returned \(count)")
        }
        return row
    }
}
