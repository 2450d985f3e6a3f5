import Foundation
import Glibc
import HTTPTypes
import Outbound
import Postgres
import Synchronization
import TestSupport
import Transparency

/// A `rollcall dev` on a home of its own.
final class Development: Sendable {
    let home: String
    private let state = Mutex(State())

    private struct State {
        var process: Int32?
        var document: JSON = .null
    }

    struct NotReady: Error { let log: String }
    struct NoAnswer: Error { let sql: String }

    private static let count = Atomic<Int>(0)
    /// For a start on a home that has to recover, on a busy machine.
    private static let startLimit = Duration.seconds(150)

    private init(home: String) { self.home = home }

    /// Runs `body` beside a server that is ready, and clears everything away whatever happened.
    static func with(
        _ name: String,
        arguments: [String] = [],
        _ body: (Development) async throws -> Void
    ) async throws {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let development = Development(home: "/tmp/rc-e2e-\(getpid())-\(number)-\(name)")
        try await development.guardLifetime()
        let result: Result<Void, any Error>
        do {
            try await development.start(arguments)
            try await body(development)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await development.clear()
        try result.get()
    }

    // MARK: What it announced

    var document: JSON { state.withLock { $0.document } }
    var process: Int32 { state.withLock { $0.process ?? 0 } }
    var baseURL: String { document["base_url"]?.string ?? "" }
    var port: Int { Int(baseURL.split(separator: ":").last ?? "") ?? 0 }
    var databaseURL: String { document["database_url"]?.string ?? "" }
    var serviceDatabaseURL: String { databaseURL.replacing("//rollcall_owner@", with: "//rollcall_service@") }
    var superuserDatabaseURL: String { databaseURL.replacing("//rollcall_owner@", with: "//postgres@") }
    /// What the server wrote to stderr so far.
    var log: String { (try? String(contentsOfFile: home + ".err", encoding: .utf8)) ?? "" }
    var announcement: JSON? { (try? String(contentsOfFile: home + "/dev.json", encoding: .utf8)).flatMap(Self.json) }

    func organization(_ slug: String = "acme") -> JSON {
        document["organizations"]?.array?.first { $0["slug"]?.string == slug } ?? .null
    }

    func admin(_ slug: String = "acme") -> Bearer { bearer(organization(slug)["admin_token"]?.string ?? "") }
    func auditor(_ slug: String = "acme") -> Bearer { bearer(organization(slug)["auditor_token"]?.string ?? "") }
    func sender(_ slug: String = "acme") -> Sender {
        Sender(source: organization(slug)[pointer: "/sources/0"] ?? .null)
    }
    func bearer(_ token: String?) -> Bearer { Bearer(base: baseURL, token: token) }

    private static func json(_ text: String) -> JSON? { try? JSON.parse(text: text) }

    // MARK: Life

    /// On the port of before, if there was one.
    func start(_ arguments: [String] = []) async throws {
        let words = ["dev", "--home", home, "--port", "\(port)"] + arguments
        let started = try await Self.launch(words, output: home, environment: [:])
        state.withLock { $0.process = started }
        let deadline = ContinuousClock.now + Self.startLimit
        while ContinuousClock.now < deadline, Processes.isAlive(started) {
            if let said = announcement, said["pid"]?.int64 == Int64(started) {
                state.withLock { $0.document = said }
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw NotReady(log: String(log.suffix(2000)))
    }

    /// Sends a signal and waits until the process is gone.
    func end(_ signal: Int32) async throws {
        try await Processes.end(process, by: signal)
    }

    var postmaster: Int32? {
        let file = try? String(contentsOfFile: home + "/cluster/data/postmaster.pid", encoding: .utf8)
        guard let process = file?.split(separator: "\n").first.flatMap({ Int32($0) }) else { return nil }
        // Numbers come again: whoever has that of a former server is not to be ended. Where it cannot be seen, it is his.
        let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd")
        return place == nil || place == home + "/cluster/data" ? process : nil
    }

    /// SIGQUIT is PostgreSQL's immediate stop, SIGKILL leaves its backends behind.
    func endPostgres(_ signal: Int32) async throws {
        guard let postmaster else { return }
        try await Processes.end(postmaster, by: signal)
    }

    /// Starts another process of the program, whose streams go to `<home>-<name>.out` and `.err`; ended with the home.
    func launch(_ name: String, _ arguments: [String], environment: [String: String]) async throws -> Int32 {
        try await Self.launch(arguments, output: "\(home)-\(name)", environment: environment)
    }

    /// Settings with which another process of the program serves the same database.
    func settings(_ more: [String: String] = [:]) -> [String: String] {
        [
            "ROLLCALL_DATABASE_URL": serviceDatabaseURL, "ROLLCALL_DATABASE_DIRECT_URL": databaseURL,
            "ROLLCALL_PUBLIC_URL": baseURL, "ROLLCALL_KEYRING_FILE": home + "/keyring",
            "ROLLCALL_METRICS_BIND": "off",
        ].merging(more) { _, given in given }
    }

    private static func launch(
        _ arguments: [String],
        output: String,
        environment: [String: String]
    ) async throws -> Int32 {
        let words = ([Program.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
        let line = "setsid \(words) >>'\(output).out' 2>>'\(output).err' </dev/null & echo $!"
        let run = try await Program.shell(line, environment: environment)
        guard let process = Int32(run.stdout.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw NotReady(log: run.stderr)
        }
        return process
    }

    /// A small shell, in a session of its own, that clears up when the test process cannot.
    private func guardLifetime() async throws {
        let script = """
            while [ -d /proc/$0 ] && [ ! -e $1.cleared ]; do sleep 0.5; done; [ -e $1.cleared ] && rm -f $1.cleared && \
            exit; for p in $(grep -la -- "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ | cut -d/ -f3 | sort -u); do [ $p != $$ ] && kill -9 $p; done; \
            sleep 1; rm -rf $1 $1.out $1.err $1-*
            """
        let line = "setsid /bin/sh -c '\(script)' \(getpid()) \(home) </dev/null >/dev/null 2>&1 &"
        _ = try await Program.shell(line)
    }

    private func clear() async {
        let postmaster = postmaster
        for process in Processes.mentioning(home) where process != postmaster { await Processes.kill(process) }
        if let postmaster { await Processes.kill(postmaster, SIGQUIT) }
        _ = FileManager.default.createFile(atPath: home + ".cleared", contents: nil)
        for path in [home, home + ".out", home + ".err"] { try? FileManager.default.removeItem(atPath: path) }
        let beside = (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
        for name in beside where "/tmp/\(name)".hasPrefix(home + "-") {
            try? FileManager.default.removeItem(atPath: "/tmp/\(name)")
        }
    }
}

// MARK: Looking into the database

extension Development {
    /// As the owner, who sees the rows of every organization.
    @discardableResult
    func rows(_ sql: SQL, as url: String? = nil) async throws -> PostgresRows {
        let connection = try await PostgresConnection.connect(to: url ?? databaseURL)
        do {
            let rows = try await connection.query(sql)
            await connection.close()
            return rows
        } catch {
            await connection.close()
            throw error
        }
    }

    /// The one number that `sql` asks for, as `n`.
    func number(_ sql: SQL) async throws -> Int {
        guard let row = try await rows(sql).first else { throw NoAnswer(sql: "\(sql)") }
        return Int(try row.decode("n", as: Int64.self))
    }

    func texts(_ sql: SQL, _ column: String = "t") async throws -> [String] {
        try await rows(sql).map { try $0.decode(column, as: String.self) }
    }

    /// Until no delivery waits to be mapped and no event to be applied.
    func settle(within limit: Duration = .seconds(120)) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            let waiting = try await number(
                """
                SELECT (SELECT count(*) FROM deliveries WHERE status = 'accepted')
                    + (SELECT count(*) FROM events WHERE status = 'pending') AS n
                """
            )
            if waiting == 0 { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }
}

/// Processes that these tests started, by id alone.
enum Processes {
    struct StillThere: Error { let process: Int32 }

    /// A zombie, which only its parent can bury, counts as gone.
    static func isAlive(_ process: Int32) -> Bool {
        guard process > 0, let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return false }
        return !stat[name...].hasPrefix(") Z")
    }

    static func end(_ process: Int32, by signal: Int32, within limit: Duration = .seconds(120)) async throws {
        guard process > 0 else { return }
        _ = Glibc.kill(process, signal)
        let deadline = ContinuousClock.now + limit
        while isAlive(process) {
            guard ContinuousClock.now < deadline else { throw StillThere(process: process) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    static func kill(_ process: Int32, _ signal: Int32 = SIGKILL) async {
        // One that does not go is the guard's.
        try? await end(process, by: signal, within: .seconds(10))
    }

    /// Processes that have `text` in their command line or environment; not this one, nor the shells that guard homes.
    static func mentioning(_ text: String) -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.filter { process in
            let files = ["cmdline", "environ"].map { FileManager.default.contents(atPath: "/proc/\(process)/\($0)") }
            let words = files.map { String(decoding: $0 ?? Data(), as: UTF8.self) }
            return process != getpid() && !words[0].hasPrefix("/bin/sh") && words.contains { $0.contains(text) }
        }
    }

    /// KiB of a field of /proc/PID/status, such as VmRSS or VmHWM.
    static func memory(_ field: String, of process: Int32) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
        return line?.split(separator: " ").compactMap { Int($0) }.first
            ?? line?.split(whereSeparator: { $0 == "\t" || $0 == " " }).compactMap { Int($0) }.first ?? 0
    }
}

extension Development {
    /// The outside form of an id: TypeID's base32 of the 128 bits.
    static func typeID(_ prefix: String, _ uuid: UUID) -> String {
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz")
        let bytes = uuid.uuidString.filter { $0 != "-" }
        var value = UInt128(bytes, radix: 16) ?? 0
        var text: [Character] = []
        for _ in 0..<26 {
            text.append(digits[Int(value & 31)])
            value >>= 5
        }
        return "\(prefix)_\(String(text.reversed()))"
    }
}
