import FoundationEssentials
import Glibc
package import Logging
package import SystemPackage

/// A private PostgreSQL cluster: in a directory of its own, reachable by a Unix socket only, run by the current user or,
/// as root, by the system user `postgres`.
///
/// The cluster outlives a process that is killed; the next `start` on the same home takes it over, or restarts it when
/// it does not answer. A start after a crash waits for recovery.
package struct EmbeddedServer: Sendable {
    /// How a cluster ends.
    package enum StopMode: String, Sendable {
        /// Ends sessions, rolls their transactions back, writes a checkpoint.
        case fast
        /// As a crash: the next start recovers.
        case immediate
    }

    /// When a cluster ends by itself.
    package enum Lifetime: Sendable {
        case untilStopped
        /// Ended, and `home` removed, within a second or so after the process with this id is gone.
        case ofProcess(Int32)
    }

    /// Who runs the server's programs when we are root.
    static let systemUser = "postgres"
    /// The bootstrap superuser.
    package static let superuser = "postgres"

    package let home: FilePath
    let settings: [String: String]
    let lifetime: Lifetime
    let startTimeoutSeconds: Int
    let logger: Logger

    /// `home` is made if it is missing, but its parents must exist and be reachable for the system user. `settings` go
    /// on top of a private cluster's own (no TCP, durable); `["fsync": "off"]` is for tests.
    package init(
        home: FilePath,
        settings: [String: String] = [:],
        lifetime: Lifetime = .untilStopped,
        startTimeoutSeconds: Int = 120,
        logger: Logger
    ) {
        self.home = home
        self.settings = settings
        self.lifetime = lifetime
        self.startTimeoutSeconds = startTimeoutSeconds
        self.logger = logger
    }

    /// The cluster's files.
    package var data: FilePath { home.appending("data") }

    /// What the server says.
    package var log: FilePath { home.appending("server.log") }

    /// Unix socket addresses are at most 107 bytes, so a long home has its socket elsewhere, by a name that follows from
    /// the home.
    package var socketDirectory: FilePath {
        let inside = home.appending("socket")
        if inside.string.utf8.count <= Self.longestSocketDirectory { return inside }
        return FilePath("/tmp").appending("rollcall-" + MigrationFile(name: "", sql: home.string).checksum.prefix(16))
    }

    private static let longestSocketDirectory = 85

    package var port: String { settings["port"] ?? "5432" }

    /// A URI for `psql` and for this target; only those whom the socket's directory lets in can use it.
    package func connectionString(user: String = superuser, database: String = "postgres") -> String {
        let user = Self.percentEncoded(user)
        let database = Self.percentEncoded(database)
        return "postgresql://\(user)@/\(database)?host=\(Self.percentEncoded(socketDirectory.string))&port=\(port)"
    }

    // MARK: Life

    /// Returns when the server accepts connections. What it finds running on this home it takes over.
    package func start() async throws(EmbeddedServerError) {
        let account = try Account.forServer()
        try prepare(home, for: account)
        try prepare(socketDirectory, for: account)
        try await requireReachable(account)
        let programs = try await findPrograms()
        if !FileManager.default.fileExists(atPath: data.appending("PG_VERSION").string) {
            try await initialize(programs, account)
        }
        try writeSettings(account)
        forgetDeadPostmaster()
        if postmaster != nil {
            if await answers(within: .seconds(startTimeoutSeconds)) {
                logger.info("a running cluster was taken over", metadata: ["home": "\(home)"])
                return
            }
            try await stop(.immediate)
        }
        try await launch(programs, account)
        if case .ofProcess(let process) = lifetime { try await guardLifetime(process, programs, account) }
    }

    /// Does nothing when the server is not running.
    package func stop(_ mode: StopMode = .fast) async throws(EmbeddedServerError) {
        guard postmaster != nil else { return }
        let account = try Account.forServer()
        let arguments = ["stop", "-D", data.string, "-m", mode.rawValue, "-w", "-t", "\(startTimeoutSeconds)"]
        try await run(try await findPrograms().path("pg_ctl"), arguments, account)
    }

    /// The process id of the server, while it runs.
    package var postmaster: Int32? {
        // No file, no server.
        guard let text = try? String(contentsOfFile: data.appending("postmaster.pid").string, encoding: .utf8),
            let line = text.split(separator: "\n").first, let process = Int32(line), worksHere(process)
        else { return nil }
        return process
    }

    /// Whether that process works in this cluster's directory, as its server does. Numbers come again: a process that has
    /// the one in an old lock file may be anything, the server of another cluster too. One that is dead and that nobody
    /// buries, as in a container whose first process waits for nobody, works nowhere.
    private func worksHere(_ process: Int32) -> Bool {
        var here = Glibc.stat()
        var there = Glibc.stat()
        guard unsafe stat(data.string, &here) == 0 else { return false }
        if unsafe stat("/proc/\(process)/cwd", &there) == 0 {
            return here.st_dev == there.st_dev && here.st_ino == there.st_ino
        }
        // Root that may not look at other users' processes, as in many a container: their name has to do.
        guard errno == EACCES, let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        else { return false }
        let isServers = "\(process) (postgres) "
        return status.hasPrefix(isServers) && !status.dropFirst(isServers.count).hasPrefix("Z")
    }

    // MARK: Contents

    /// Makes a role that may log in, unless it exists.
    package func createRole(_ name: PostgresIdentifier) async throws(PostgresError) {
        let connection = try await PostgresConnection.connect(to: connectionString())
        let present = try await connection.query("SELECT FROM pg_roles WHERE rolname = \(name.name)")
        if present.isEmpty { _ = try await connection.query("CREATE ROLE \(identifier: name) LOGIN") }
        await connection.close()
    }

    /// Lets `member` act as `role`.
    package func grant(_ role: PostgresIdentifier, to member: PostgresIdentifier) async throws(PostgresError) {
        let connection = try await PostgresConnection.connect(to: connectionString())
        _ = try await connection.query("GRANT \(identifier: role) TO \(identifier: member)")
        await connection.close()
    }

    /// Makes a database, unless it exists.
    package func createDatabase(
        _ name: PostgresIdentifier,
        owner: PostgresIdentifier
    ) async throws(PostgresError) {
        let connection = try await PostgresConnection.connect(to: connectionString())
        let present = try await connection.query("SELECT FROM pg_database WHERE datname = \(name.name)")
        if present.isEmpty {
            _ = try await connection.query("CREATE DATABASE \(identifier: name) OWNER \(identifier: owner)")
        }
        await connection.close()
    }
}
