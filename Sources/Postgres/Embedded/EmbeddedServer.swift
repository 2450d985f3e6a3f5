import FoundationEssentials
import Glibc
package import Logging
import Subprocess
package import SystemPackage

/// A private PostgreSQL cluster: in a directory of its own, reachable by a Unix socket only, run by the current user or,
/// as root, by the system user `postgres`.
///
/// The cluster outlives a process that is killed; the next `start` on the same home takes it over, or restarts it when
/// it does not answer. A start after a crash waits for recovery.
package struct EmbeddedServer: Sendable {
    package enum StopMode: String, Sendable {
        /// Ends sessions, rolls their transactions back, writes a checkpoint.
        case fast
        /// As a crash: the next start recovers.
        case immediate
    }

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
    private let settings: [String: String]
    private let lifetime: Lifetime
    private let startTimeoutSeconds: Int
    private let logger: Logger

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
            let line = text.split(separator: "\n").first, let process = Int32(line),
            // A process of that number that is not the server's got it after a reboot.
            let command = try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8),
            command.trimmed == "postgres"
        else { return nil }
        return process
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

// MARK: Steps

extension EmbeddedServer {
    /// Sessions that the server admits beyond what one process of ours can open.
    private static let ownSettings = [
        "listen_addresses": "",
        "max_connections": "200",
        "unix_socket_permissions": "0700",
        "log_min_messages": "warning",
        "log_line_prefix": "%m [%p] %u@%d ",
        "max_wal_size": "1GB",
        "wal_level": "replica",
    ]

    private static let settingsFile = "private-cluster.conf"

    private func findPrograms() async throws(EmbeddedServerError) -> PostgresPrograms {
        // No file means that there is no cluster yet, so any version will do.
        let version = try? String(contentsOfFile: data.appending("PG_VERSION").string, encoding: .utf8)
        return try await PostgresPrograms.find(majorVersion: version?.trimmed)
    }

    /// Makes `directory` the account's own. One that belongs to somebody else is refused.
    private func prepare(_ directory: FilePath, for account: Account) throws(EmbeddedServerError) {
        let made = unsafe mkdir(directory.string, 0o700) == 0
        if made, unsafe chown(directory.string, account.user, account.group) != 0 {
            throw .homeUnusable(directory.string)
        }
        var status = Glibc.stat()
        guard unsafe lstat(directory.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
            status.st_uid == account.user, status.st_mode & 0o022 == 0
        else { throw .homeUnusable(directory.string) }
    }

    private func requireReachable(_ account: Account) async throws(EmbeddedServerError) {
        do throws(EmbeddedServerError) {
            try await run("/usr/bin/test", ["-w", home.string], account)
        } catch {
            throw .homeUnusable(home.string)
        }
    }

    /// Made beside and renamed, so that a start that was killed leaves nothing half made.
    private func initialize(_ programs: PostgresPrograms, _ account: Account) async throws(EmbeddedServerError) {
        let fresh = home.appending("data.new")
        try await run("/bin/rm", ["-rf", fresh.string], account)
        var arguments = ["-D", fresh.string, "-U", Self.superuser, "--encoding=UTF8", "--locale=C.UTF-8"]
        arguments += ["--auth-local=trust", "--auth-host=scram-sha-256", "--data-checksums"]
        if settings["fsync"] == "off" { arguments.append("--no-sync") }
        try await run(programs.path("initdb"), arguments, account)
        let include =
            "echo \"include_if_exists = '\(Self.settingsFile)'\" >> \"$0/postgresql.conf\" && mv \"$0\" \"$1\""
        try await run("/bin/sh", ["-c", include, fresh.string, data.string], account)
    }

    private func writeSettings(_ account: Account) throws(EmbeddedServerError) {
        var all = Self.ownSettings
        all["unix_socket_directories"] = socketDirectory.string
        all["port"] = port
        all.merge(settings) { _, given in given }
        let text = all.sorted { $0.key < $1.key }
            .map { key, value in
                let quoted = value.map { $0 == "'" || $0 == "\\" ? "\($0)\($0)" : String($0) }.joined()
                return "\(key) = '\(quoted)'\n"
            }
            .joined()
        let path = data.appending(Self.settingsFile).string
        do {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw .homeUnusable(home.string)
        }
        guard unsafe chown(path, account.user, account.group) == 0 else { throw .homeUnusable(home.string) }
    }

    /// A lock file that names a process which is not a server stops PostgreSQL from starting when that process lives.
    private func forgetDeadPostmaster() {
        if postmaster != nil { return }
        // Without the file there is nothing to forget.
        try? FileManager.default.removeItem(atPath: data.appending("postmaster.pid").string)
    }

    private func launch(_ programs: PostgresPrograms, _ account: Account) async throws(EmbeddedServerError) {
        let arguments = ["start", "-D", data.string, "-l", log.string, "-w", "-t", "\(startTimeoutSeconds)"]
        // The backends of a postmaster that was killed may need a moment to notice and to let go of its memory.
        for _ in 0..<20 {
            do throws(EmbeddedServerError) {
                return try await run(programs.path("pg_ctl"), arguments, account)
            } catch {
                if postmaster != nil, await answers(within: .seconds(startTimeoutSeconds)) { return }
                do {
                    try await Task.sleep(for: .milliseconds(250))
                } catch {
                    throw .failed(program: "pg_ctl", output: "cancelled")
                }
            }
        }
        try await run(programs.path("pg_ctl"), arguments, account)
    }

    /// A small shell, in a session of its own, that outlives us just long enough to clear up.
    private func guardLifetime(
        _ process: Int32,
        _ programs: PostgresPrograms,
        _ account: Account
    ) async throws(EmbeddedServerError) {
        let script = """
            setsid /bin/sh -c 'while [ -d /proc/$0 ]; do sleep 0.5; done; "$1" stop -D "$2" -m immediate -t 10; \
            rm -rf "$3" "$4"' "$0" "$1" "$2" "$3" "$4" </dev/null >/dev/null 2>&1 &
            """
        let pgctl = programs.path("pg_ctl").string
        let arguments = ["-c", script, "\(process)", pgctl, data.string, socketDirectory.string, home.string]
        try await run("/bin/sh", arguments, account)
    }

    private func answers(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline, postmaster != nil {
            do {
                let connection = try await PostgresConnection.connect(to: connectionString())
                await connection.close()
                return true
            } catch {
                // Refused while it recovers; asked again until the deadline.
                do {
                    try await Task.sleep(for: .milliseconds(100))
                } catch {
                    return false
                }
            }
        }
        return false
    }

    private func run(
        _ program: FilePath,
        _ arguments: [String],
        _ account: Account
    ) async throws(EmbeddedServerError) {
        let name = program.lastComponent?.string ?? program.string
        var command = [program.string] + arguments
        if getuid() == 0, account.user != 0 {
            // Not by Subprocess's own options: between its clone and exec glibc's setuid waits for threads that the
            // child does not have.
            let identity = ["--reuid=\(account.user)", "--regid=\(account.group)", "--clear-groups", "--"]
            command = ["/usr/bin/setpriv"] + identity + command
        }
        do {
            let record = try await Subprocess.run(
                .path(FilePath(command[0])),
                arguments: Arguments(Array(command.dropFirst())),
                environment: .custom(["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": home.string]),
                workingDirectory: "/",
                output: .string(limit: Self.outputLimit),
                error: .string(limit: Self.outputLimit)
            )
            guard record.terminationStatus.isSuccess else {
                let output = record.standardOutput + record.standardError
                throw EmbeddedServerError.failed(program: name, output: output.trimmed)
            }
        } catch let error as EmbeddedServerError {
            throw error
        } catch {
            throw .failed(program: name, output: "\(error)")
        }
    }

    /// Bytes of a program's output that are kept for its error.
    private static let outputLimit = 256 * 1024

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte -> String in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                return String(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                return "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        .joined()
    }
}
