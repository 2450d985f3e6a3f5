import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage

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

    /// At a quarter of a second each, besides what pg_ctl itself takes.
    private static let launchAttempts = 20
    private static let settingsFile = "private-cluster.conf"

    func findPrograms() async throws(EmbeddedServerError) -> PostgresPrograms {
        // No file means that there is no cluster yet, so any version will do.
        let version = try? String(contentsOfFile: data.appending("PG_VERSION").string, encoding: .utf8)
        return try await PostgresPrograms.find(majorVersion: version?.trimmed)
    }

    /// Makes `directory` the account's own. One that belongs to somebody else is refused.
    func prepare(_ directory: FilePath, for account: Account) throws(EmbeddedServerError) {
        let made = unsafe mkdir(directory.string, 0o700) == 0
        if made, unsafe chown(directory.string, account.user, account.group) != 0 {
            throw .homeUnusable(directory.string)
        }
        var status = Glibc.stat()
        guard unsafe lstat(directory.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
            status.st_uid == account.user, status.st_mode & 0o022 == 0
        else { throw .homeUnusable(directory.string) }
    }

    func requireReachable(_ account: Account) async throws(EmbeddedServerError) {
        do throws(EmbeddedServerError) {
            try await run("/usr/bin/test", ["-w", home.string], account)
        } catch {
            throw .homeUnusable(home.string)
        }
    }

    /// Made beside and renamed, so that a start that was killed leaves nothing half made.
    func initialize(_ programs: PostgresPrograms, _ account: Account) async throws(EmbeddedServerError) {
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

    func writeSettings(_ account: Account) throws(EmbeddedServerError) {
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
    func forgetDeadPostmaster() {
        if postmaster != nil { return }
        // Without the file there is nothing to forget.
        try? FileManager.default.removeItem(atPath: data.appending("postmaster.pid").string)
    }

    func launch(_ programs: PostgresPrograms, _ account: Account) async throws(EmbeddedServerError) {
        let arguments = ["start", "-D", data.string, "-l", log.string, "-w", "-t", "\(startTimeoutSeconds)"]
        // The backends of a postmaster that was killed may need a moment to notice and to let go of its memory.
        for _ in 0..<Self.launchAttempts {
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
        do throws(EmbeddedServerError) {
            try await run(programs.path("pg_ctl"), arguments, account)
        } catch {
            throw .failed(program: "postgres", output: lastWords)
        }
    }

    /// The end of what the server said, which pg_ctl only points to.
    private var lastWords: String {
        // Without a log there are no words.
        let text = (try? String(contentsOfFile: log.string, encoding: .utf8)) ?? ""
        return String(text.suffix(Self.lastWordsLimit)).trimmed
    }

    private static let lastWordsLimit = 2000

    /// A small shell, in a session of its own, that outlives us just long enough to clear up.
    func guardLifetime(
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

    func answers(within limit: Duration) async -> Bool {
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

    func run(
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

    static func percentEncoded(_ text: String) -> String {
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
