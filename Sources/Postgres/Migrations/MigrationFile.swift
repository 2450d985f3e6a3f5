import Crypto

/// One migration as it stands in its file.
package struct MigrationFile: Hashable, Sendable {
    /// Orders the files; what the database remembers it by.
    package let name: String
    package let sql: String

    package init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }

    /// SHA-256 over the text, in hexadecimal.
    var checksum: String {
        SHA256.hash(data: Array(sql.utf8))
            .map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }
            .joined()
    }

    /// True for a file whose first line is `-- no-transaction`: one statement that refuses to run in a transaction
    /// (CREATE INDEX CONCURRENTLY), written so that it can be run again after a crash.
    var runsWithoutTransaction: Bool {
        sql.prefix { $0 != "\n" } == "-- no-transaction"
    }
}

/// A migration that the database does not have yet.
package struct PendingMigration: Hashable, Sendable {
    package let name: String
    package let sql: String
    package let checksum: String
}

/// Where one migration stands.
package struct MigrationStatus: Hashable, Sendable {
    /// What the files and the database say about one name.
    package enum State: Hashable, Sendable {
        case applied(PostgresTimestamp)
        case pending
        /// Applied, and the file was changed afterwards.
        case edited
        /// Applied, and there is no such file: the database belongs to a newer program.
        case unknown
        /// Not applied, though a later one is.
        case outOfOrder
    }

    package let name: String
    package let state: State
}

/// Why a database is not served or not migrated. Names are those of the files.
package enum MigrationError: Error, Sendable {
    case edited(String)
    case unknown(String)
    case outOfOrder(String)
    case pending([String])
    /// Two files of one name.
    case duplicate(String)
    /// The file holds a COMMIT or ROLLBACK of its own; what it did before that stays done.
    case endsItsTransaction(String)
    case failed(String, PostgresError)
    /// The database could not be asked.
    case database(PostgresError)
}

extension MigrationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .edited(let name): "migration \(name) was edited after it had been applied"
        case .unknown(let name): "migration \(name) was applied to the database and is not known to this program"
        case .outOfOrder(let name): "migration \(name) is not applied, though a later one is"
        case .pending(let names): "pending migrations: \(names.joined(separator: ", "))"
        case .duplicate(let name): "there are two migrations \(name)"
        case .endsItsTransaction(let name): "migration \(name) ends its own transaction"
        case .failed(let name, let error): "migration \(name) failed: \(error)"
        case .database(let error): "the migrations could not be read: \(error)"
        }
    }
}
