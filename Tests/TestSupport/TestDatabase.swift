import Glibc
package import Postgres
import Synchronization

/// A database of one test's own on the shared cluster.
package struct TestDatabase: Sendable {
    package let name: String
    /// As the superuser, over the cluster's Unix socket.
    package let connectionString: String
    package let server: EmbeddedServer

    private static let count = Atomic<Int>(0)
    private static let templates = Templates()

    /// A copy of the template `template`, which `prepare` fills (as superuser) the first time that it is asked for in
    /// this process. Without a template: an empty database.
    package static func create(
        template: String? = nil,
        prepare: @Sendable @escaping (_ connectionString: String) async throws -> Void = { _ in }
    ) async throws -> TestDatabase {
        let server = try await TestCluster.shared.server
        let source: String
        if let template {
            source = "template_\(template)"
            try await templates.ready(source) {
                try await createDatabase(source, from: "template0", on: server)
                try await prepare(server.connectionString(database: source))
            }
        } else {
            source = "template0"
        }
        let name = "test_\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
        try await createDatabase(name, from: source, on: server)
        return TestDatabase(name: name, connectionString: server.connectionString(database: name), server: server)
    }

    /// The same database as `role`, which must be able to log in.
    package func connectionString(as role: String) -> String {
        server.connectionString(user: role, database: name)
    }

    /// Executes one statement as the superuser, on a connection of its own.
    @discardableResult
    package func query(_ statement: SQL) async throws -> PostgresRows {
        let connection = try await PostgresConnection.connect(to: connectionString)
        do {
            let rows = try await connection.query(statement)
            await connection.close()
            return rows
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Waits until a session of this database executes just that text.
    package func untilExecuting(_ text: String) async throws {
        try await eventually {
            try await !query(
                """
                SELECT FROM pg_stat_activity
                WHERE query = \(text) AND state = 'active' AND datname = current_database()
                """
            ).isEmpty
        }
    }

    /// Copies files instead of logging every page, which is quicker where nothing needs to survive.
    private static func createDatabase(_ name: String, from source: String, on server: EmbeddedServer) async throws {
        let name = try identifier(name)
        let source = try identifier(source)
        let connection = try await PostgresConnection.connect(to: server.connectionString())
        // A template is busy while another copy of it starts or the connection that filled it is on its way out.
        try await eventually { try await copy(source, to: name, connection) }
        await connection.close()
    }

    private static func copy(
        _ source: PostgresIdentifier,
        to name: PostgresIdentifier,
        _ connection: PostgresConnection
    ) async throws -> Bool {
        do {
            _ = try await connection.query(
                "CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: source) STRATEGY file_copy"
            )
            return true
        } catch {
            if error.sqlState == .objectInUse { return false }
            throw error
        }
    }

    private static func identifier(_ name: String) throws -> PostgresIdentifier {
        struct NotAName: Error { let name: String }
        guard let identifier = PostgresIdentifier(name) else { throw NotAName(name: name) }
        return identifier
    }
}

/// Fills each template once.
private actor Templates {
    private var tasks: [String: Task<Void, any Error>] = [:]

    func ready(_ name: String, prepare: @Sendable @escaping () async throws -> Void) async throws {
        if let task = tasks[name] { return try await task.value }
        let task = Task { try await prepare() }
        tasks[name] = task
        try await task.value
    }
}
