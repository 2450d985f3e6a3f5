import Foundation

/// The cluster that the script started: databases, statements by psql, and pgbench.
struct Cluster {
    let socket: String
    let port: Int

    static let owner = "rollcall_owner"
    static let service = "rollcall_service"
    private static let psql = "/usr/bin/psql"

    func url(_ database: String, as role: String) -> String {
        let place = socket.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socket
        return "postgresql://\(role)@\(place):\(port)/\(database)"
    }

    /// What decides whether an acknowledged commit is kept, as the server says it.
    func durability() throws -> String {
        let names = ["server_version", "fsync", "full_page_writes", "synchronous_commit", "wal_sync_method"]
        let values = try names.map { "\($0) \(try query("SHOW \($0)", in: "postgres", as: "postgres"))" }
        return "PostgreSQL: " + values.joined(separator: ", ")
    }

    @discardableResult
    func query(_ statement: String, in database: String, as role: String = owner) throws -> String {
        let arguments = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url(database, as: role), "-c", statement]
        return try ChildProcess.output(of: Self.psql, arguments, log: "/dev/stderr")
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs a script of psql's with these variables.
    func run(_ script: String, in database: String, _ variables: [String: String]) throws {
        let set = variables.sorted { $0.key < $1.key }.flatMap { ["-v", "\($0.key)=\($0.value)"] }
        let arguments = ["-Xq", "-d", url(database, as: Self.owner)] + set + ["-f", script]
        _ = try ChildProcess.output(of: Self.psql, arguments, log: "/dev/stderr")
    }

    func createDatabase(_ name: String) throws {
        try query("CREATE DATABASE \(name) OWNER \(Self.owner)", in: "postgres", as: "postgres")
    }

    func dropDatabase(_ name: String) throws {
        try query("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", in: "postgres", as: "postgres")
    }

    /// Transactions a second that each insert one row.
    func pgbench(clients: Int, seconds: Double, row: String) throws -> Double {
        let database = "bench_pgbench"
        try dropDatabase(database)
        try createDatabase(database)
        defer {
            // What is left of a failed drop goes with the cluster.
            try? dropDatabase(database)
        }
        let table = "CREATE TABLE kept (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)"
        try query(table, in: database)
        let script = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).sql").path
        // In hexadecimal, because pgbench takes every colon in a text for a variable.
        let bytes = row.utf8.map { String(format: "%02x", $0) }.joined()
        try "INSERT INTO kept (body) VALUES ('\\x\(bytes)');\n"
            .write(toFile: script, atomically: true, encoding: .utf8)
        defer { unlink(script) }
        let output = try ChildProcess.output(
            of: "/usr/bin/pgbench",
            [
                "-n", "-M", "prepared", "-c", "\(clients)", "-j", "1", "-T", "\(max(1, Int(seconds)))", "-f", script,
                url(database, as: Self.owner),
            ],
            log: "/dev/stderr"
        )
        let line = output.split(separator: "\n").first { $0.hasPrefix("tps = ") }
        guard let text = line?.split(separator: " ").dropFirst(2).first, let rate = Double(text) else {
            throw ChildError.unexpected("pgbench did not say its rate")
        }
        return rate
    }
}

/// A psql that stays, for many small questions.
final class Session {
    private let child: ChildProcess
    private var buffer = Data()

    private static let end = "--end--"

    init(_ database: String, of cluster: Cluster) throws {
        child = try ChildProcess(
            "/usr/bin/psql",
            ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", cluster.url(database, as: Cluster.owner)],
            log: "/dev/stderr",
            keepsOutput: true
        )
    }

    func lines(_ statement: String) throws -> [String] {
        try child.input.fileHandleForWriting.write(contentsOf: Data("\(statement);\n\\echo \(Self.end)\n".utf8))
        var lines: [String] = []
        while true {
            guard let newline = buffer.firstIndex(of: UInt8(ascii: "\n")) else {
                let more = child.output.fileHandleForReading.availableData
                guard !more.isEmpty else { throw ChildError.unexpected("psql ended: \(statement)") }
                buffer.append(more)
                continue
            }
            let line = String(decoding: buffer[..<newline], as: UTF8.self)
            buffer = Data(buffer[buffer.index(after: newline)...])
            if line == Self.end { return lines }
            if !line.isEmpty { lines.append(line) }
        }
    }

    func number(_ statement: String) throws -> Int { Int(try lines(statement).first ?? "") ?? 0 }

    func end() { child.end() }
}
