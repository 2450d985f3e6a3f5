package import Logging

/// Brings a database up to the files: upward only, each once, each checksummed.
///
/// Needs a direct connection as the owner of the schema (`verify`, `status` and `plan` only read and may be any role).
/// What was applied is kept in `migration.applied`, outside the product's schema. Any number may call `up` at once: one
/// migrates, the others wait and find nothing left.
package struct Migrator: Sendable {
    private let files: [MigrationFile]
    private let configuration: PostgresConnectionConfiguration
    private let logger: Logger

    /// The advisory lock that the one who migrates holds: "migrate" in ASCII.
    private static let lockKey: Int64 = 0x6D_6967_7261_7465
    private static let lockPause = Duration.milliseconds(100)
    /// How long a statement waits for a table that somebody else uses, before the migration fails and changes nothing.
    private static let tableLockTimeout = Duration.seconds(30)

    /// `files` in any order; they apply in the order of their names.
    package init(files: [MigrationFile], connectionString: String, logger: Logger) {
        self.files = files.sorted { $0.name < $1.name }
        configuration = PostgresConnectionConfiguration(
            connectionString: connectionString,
            limits: SessionLimits(
                statementTimeout: nil,
                lockTimeout: Self.tableLockTimeout,
                idleInTransactionTimeout: nil
            )
        )
        self.logger = logger
    }

    /// Every file, and every migration that the database has beyond them.
    package func status() async throws(MigrationError) -> [MigrationStatus] {
        try await connected { connection throws(MigrationError) in try await states(connection) }
    }

    /// What `up` would apply. Refuses what `up` refuses.
    package func plan() async throws(MigrationError) -> [PendingMigration] {
        try await connected { connection throws(MigrationError) in
            try await pending(connection).map {
                PendingMigration(name: $0.name, sql: $0.sql, checksum: $0.checksum)
            }
        }
    }

    /// Throws unless the database has exactly these migrations.
    package func verify() async throws(MigrationError) {
        let names = try await plan().map(\.name)
        if !names.isEmpty { throw .pending(names) }
    }

    /// Applies what is pending and returns its names. Each migration is one transaction with its record, but for those
    /// that opt out.
    package func up() async throws(MigrationError) -> [String] {
        try await connected { connection throws(MigrationError) in
            try await lock(connection)
            try await asking { () throws(PostgresError) in
                _ = try await connection.pipeline(Self.bookkeeping)
            }
            var applied: [String] = []
            for file in try await pending(connection) {
                logger.info("applying a migration", metadata: ["migration": "\(file.name)"])
                try await apply(file, connection)
                applied.append(file.name)
            }
            return applied
        }
    }

    // MARK: Inside

    private static let bookkeeping: [SQL] = [
        "CREATE SCHEMA IF NOT EXISTS migration",
        """
        CREATE TABLE IF NOT EXISTS migration.applied (
            name text PRIMARY KEY,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """,
        "GRANT USAGE ON SCHEMA migration TO PUBLIC",
        "GRANT SELECT ON migration.applied TO PUBLIC",
    ]

    private func connected<Value: Sendable>(
        _ body: (PostgresConnection) async throws(MigrationError) -> Value
    ) async throws(MigrationError) -> Value {
        let connection: PostgresConnection
        do throws(PostgresError) {
            connection = try await PostgresConnection.connect(configuration)
        } catch {
            throw .database(error)
        }
        do throws(MigrationError) {
            let value = try await body(connection)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    private func asking<Value>(
        _ body: () async throws(PostgresError) -> Value
    ) async throws(MigrationError) -> Value {
        do throws(PostgresError) {
            return try await body()
        } catch {
            throw .database(error)
        }
    }

    /// Asks again and again instead of waiting in the server: a statement that waits there holds a snapshot, for which
    /// CREATE INDEX CONCURRENTLY of the one who migrates would wait in turn.
    private func lock(_ connection: PostgresConnection) async throws(MigrationError) {
        while true {
            let isMine = try await asking { () throws(PostgresError) in
                try await connection.query("SELECT pg_try_advisory_lock(\(Self.lockKey)) AS mine")[0]
                    .decode("mine", as: Bool.self)
            }
            if isMine { return }
            do {
                try await Task.sleep(for: Self.lockPause)
            } catch {
                throw .database(.cancelled)
            }
        }
    }

    private func states(_ connection: PostgresConnection) async throws(MigrationError) -> [MigrationStatus] {
        for (file, next) in zip(files, files.dropFirst()) where file.name == next.name {
            throw .duplicate(file.name)
        }
        let applied = try await asking { () throws(PostgresError) in
            try await Self.applied(connection)
        }
        let last = applied.keys.max() ?? ""
        var result = files.map { file in
            guard let record = applied[file.name] else {
                return MigrationStatus(name: file.name, state: file.name < last ? .outOfOrder : .pending)
            }
            let isSame = record.checksum == file.checksum
            return MigrationStatus(name: file.name, state: isSame ? .applied(record.at) : .edited)
        }
        let known = Set(files.map(\.name))
        for name in applied.keys where !known.contains(name) {
            result.append(MigrationStatus(name: name, state: .unknown))
        }
        return result.sorted { $0.name < $1.name }
    }

    private static func applied(
        _ connection: PostgresConnection
    ) async throws(PostgresError) -> [String: (checksum: String, at: PostgresTimestamp)] {
        let table = try await connection.query("SELECT to_regclass('migration.applied') IS NOT NULL AS present")
        guard try table[0].decode("present", as: Bool.self) else { return [:] }
        var result: [String: (checksum: String, at: PostgresTimestamp)] = [:]
        for row in try await connection.query("SELECT name, checksum, applied_at FROM migration.applied") {
            result[try row.decode("name")] = (try row.decode("checksum"), try row.decode("applied_at"))
        }
        return result
    }

    private func pending(_ connection: PostgresConnection) async throws(MigrationError) -> [MigrationFile] {
        var names: Set<String> = []
        for status in try await states(connection) {
            switch status.state {
            case .applied: continue
            case .pending: names.insert(status.name)
            case .edited: throw .edited(status.name)
            case .unknown: throw .unknown(status.name)
            case .outOfOrder: throw .outOfOrder(status.name)
            }
        }
        return files.filter { names.contains($0.name) }
    }

    private func apply(_ file: MigrationFile, _ connection: PostgresConnection) async throws(MigrationError) {
        let record: SQL = "INSERT INTO migration.applied (name, checksum) VALUES (\(file.name), \(file.checksum))"
        do {
            if file.runsWithoutTransaction {
                // It waits for every older transaction, however long that takes.
                _ = try await connection.query("SELECT set_config('lock_timeout', '0', false)")
                try await connection.script(file.sql)
                _ = try await connection.query(record)
                return
            }
            try await connection.transaction { transaction in
                guard try await transaction.script(file.sql) else {
                    throw MigrationError.endsItsTransaction(file.name)
                }
                _ = try await transaction.query(record)
            }
        } catch let error as MigrationError {
            throw error
        } catch let error as PostgresError {
            throw .failed(file.name, error)
        } catch {
            throw .failed(file.name, .transactionAborted)
        }
    }
}
