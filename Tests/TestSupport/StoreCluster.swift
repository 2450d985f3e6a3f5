import Foundation
import Logging
import Migrations
package import Postgres
import Synchronization
import SystemPackage

/// The one private PostgreSQL cluster of a test process, with a migrated template that every test's database is copied
/// from. It ends with the process.
package actor StoreCluster {
    package static let shared = StoreCluster(named: "")
    private static let count = Atomic<Int>(0)

    /// A cluster for one test, which may stop it. Costs a second or two.
    package static func own() -> StoreCluster {
        StoreCluster(named: "-\(count.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    /// Runs the migrations and owns every table; no superuser, so that row-level security holds it too.
    package static let owner = "rollcall_owner"
    /// What Rollcall serves with.
    package static let service = "rollcall_service"
    private static let template = "template_rollcall"

    /// Databases that tests may have at the same moment: bounds the connections, since all tests start at once.
    private static let mostDatabases = 12

    private let name: String
    private var started: Task<EmbeddedServer, any Error>?
    private var made = 0
    private var free = mostDatabases
    private var waiting: [CheckedContinuation<Void, Never>] = []

    private init(named name: String) {
        self.name = name
    }

    /// A database of its own, fresh and migrated, for as long as `body` runs.
    package func withDatabase<Value: Sendable>(
        _ body: @Sendable (_ connectionString: @Sendable (_ user: String) -> String) async throws -> Value
    ) async throws -> Value {
        await enter()
        defer { leave() }
        let server = try await server()
        made += 1
        let name = "test_\(made)"
        let database = try identifier(name)
        let copy: SQL = """
            CREATE DATABASE \(identifier: database) TEMPLATE \(identifier: try identifier(Self.template))
                OWNER \(identifier: try identifier(Self.owner))
            """
        try await administer(server, copy)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body { server.connectionString(user: $0, database: name) })
        } catch {
            result = .failure(error)
        }
        try await administer(server, "DROP DATABASE \(identifier: database) WITH (FORCE)")
        return try result.get()
    }

    /// The server, started by whoever asks first.
    package func server() async throws -> EmbeddedServer {
        if let started { return try await started.value }
        let name = name
        let starting = Task { try await Self.start(name) }
        started = starting
        return try await starting.value
    }

    /// Another server that follows this one, until the process ends.
    package func replica() async throws -> EmbeddedServer {
        let process = ProcessInfo.processInfo.processIdentifier
        let replica = EmbeddedServer(
            home: FilePath("/tmp/rollcall-tests-\(process)\(name)-replica"),
            settings: ["fsync": "off", "full_page_writes": "off"],
            lifetime: .ofProcess(process),
            logger: Logger(label: "cluster", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await replica.startReplica(of: try await server())
        return replica
    }

    private static func start(_ name: String) async throws -> EmbeddedServer {
        let process = ProcessInfo.processInfo.processIdentifier
        let server = EmbeddedServer(
            home: FilePath("/tmp/rollcall-tests-\(process)\(name)"),
            // Commits survive the end of the server, though not that of the machine: tests stop it and start it again.
            settings: ["fsync": "off", "full_page_writes": "off"],
            lifetime: .ofProcess(process),
            logger: Logger(label: "cluster", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try await server.start()
        for role in [owner, service] { try await server.createRole(try identifier(role)) }
        try await server.createDatabase(try identifier(template), owner: try identifier(owner))
        let files = Migrations.all.map { MigrationFile(name: $0.name, sql: String(decoding: $0.sql, as: UTF8.self)) }
        _ = try await Migrator(
            files: files,
            connectionString: server.connectionString(user: owner, database: template),
            logger: Logger(label: "migrator", factory: { _ in SwiftLogNoOpLogHandler() })
        ).up()
        return server
    }

    private func administer(_ server: EmbeddedServer, _ statement: SQL) async throws {
        let connection = try await PostgresConnection.connect(to: server.connectionString())
        do {
            _ = try await connection.query(statement)
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
    }

    private func identifier(_ name: String) throws -> PostgresIdentifier { try Self.identifier(name) }

    private static func identifier(_ name: String) throws -> PostgresIdentifier {
        guard let identifier = PostgresIdentifier(name) else { throw BadName() }
        return identifier
    }

    private struct BadName: Error {}

    private func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    private func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
