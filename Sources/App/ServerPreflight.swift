import Domain
package import Logging
import Migrations
package import Postgres
package import Storage

/// What has to hold before anything is served.
package enum ServerPreflight {
    /// Refuses a database whose schema is not exactly this program's, naming the migration.
    package static func requireSchema(at directURL: String, logger: Logger) async throws {
        do {
            try await migrator(directURL, logger: logger).verify()
        } catch {
            throw PreflightError.schema("\(error)")
        }
    }

    /// The product's migrator. It wants the owner's connection, without a pooler.
    package static func migrator(_ directURL: String, logger: Logger) -> Migrator {
        let files = Migrations.all.map { MigrationFile(name: $0.name, sql: String(decoding: $0.sql, as: UTF8.self)) }
        return Migrator(files: files, connectionString: directURL, logger: logger)
    }

    /// Refuses a server that may forget what was acknowledged, and a role that the wall between organizations does not
    /// stop.
    package static func requireDatabase(_ store: Store, allowsVolatile: Bool) async throws {
        let durability = try await store.durability()
        if !durability.holds {
            guard allowsVolatile else { throw PreflightError.volatile(durability) }
            store.logger.warning(
                "The database may lose acknowledged commits",
                metadata: [
                    "fsync": "\(durability.fsync)", "full_page_writes": "\(durability.fullPageWrites)",
                    "synchronous_commit": "\(durability.synchronousCommit)",
                ]
            )
        }
        let standing = try await store.standing()
        guard standing.isBehindTheWall else { throw PreflightError.role(standing) }
    }

    /// Executes again what was erased after the database was saved that it was restored from. Refuses a database that
    /// cannot be compared with the list of erasures outside.
    package static func requireErasures(_ store: Store) async throws {
        do {
            let executed = try await store.repeatErasures()
            if executed > 0 {
                store.logger.warning(
                    "People were erased again: the database is older than their erasure",
                    metadata: ["count": "\(executed)"]
                )
            }
        } catch {
            throw PreflightError.erasures("\(error)")
        }
    }
}

/// Why this process does not serve.
package enum PreflightError: Error, Sendable, CustomStringConvertible {
    case schema(String)
    case volatile(Store.Durability)
    case role(Store.Standing)
    case erasures(String)

    package var description: String {
        switch self {
        case .schema(let problem):
            "the database's schema is not this program's: \(problem); see `rollcall migrate plan`"
        case .volatile(let durability):
            """
            the database may lose acknowledged commits (fsync \(durability.fsync ? "on" : "off"), \
            full_page_writes \(durability.fullPageWrites ? "on" : "off"), synchronous_commit \
            \(durability.synchronousCommit)); set them to on, or ROLLCALL_DATABASE_VOLATILE=allow for a test
            """
        case .erasures(let problem):
            """
            erasures cannot be compared with those kept outside the database \
            (\(Setting.checkpointCopies.environmentName)): \(problem)
            """
        case .role(let standing):
            """
            \(Setting.databaseURL.environmentName) signs in as \(standing.role), which row-level security does not \
            stop; use rollcall_service or a member of it
            """
        }
    }
}
