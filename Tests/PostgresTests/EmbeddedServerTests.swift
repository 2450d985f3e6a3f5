import Foundation
import Logging
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite struct EmbeddedServerTests {
    private func home(_ name: String) -> FilePath { FilePath("/tmp/rc-embedded-\(getpid())-\(name)") }

    private func kill9(_ processes: String) async throws {
        _ = try await Subprocess.run(.path("/bin/sh"), arguments: ["-c", "kill -9 \(processes)"], output: .discarded)
    }

    @Test func `it keeps what was committed through stops, kills and a killed owner`() async throws {
        let server = EmbeddedServer(home: home("life"), logger: .silent)
        try await server.start()
        defer { try? FileManager.default.removeItem(atPath: server.home.string) }
        let owner = try #require(PostgresIdentifier("owner"))
        let name = try #require(PostgresIdentifier("product"))
        for _ in 0..<2 {
            try await server.createRole(owner)
            try await server.createDatabase(name, owner: owner)
        }
        let url = server.connectionString(user: "owner", database: "product")
        func query(_ statement: SQL) async throws -> PostgresRows {
            let connection = try await PostgresConnection.connect(to: url)
            let rows = try await connection.query(statement)
            await connection.close()
            return rows
        }
        _ = try await query("CREATE TABLE kept (id int)")
        _ = try await query("INSERT INTO kept VALUES (1)")
        let psql = try await Subprocess.run(
            .name("psql"),
            arguments: ["-qAt", url, "-c", "SELECT id FROM kept"],
            output: .string(limit: 100)
        )
        #expect(psql.standardOutput == "1\n")

        // Somebody who starts on the same home takes the running one over.
        let process = try #require(server.postmaster)
        try await EmbeddedServer(home: server.home, logger: .silent).start()
        #expect(server.postmaster == process)

        try await server.stop(.fast)
        #expect(server.postmaster == nil)
        try await server.stop(.fast)
        try await server.start()
        #expect(try await query("INSERT INTO kept VALUES (2)").affected == 1)
        try await server.stop(.immediate)
        try await server.start()
        #expect(try await query("SELECT id FROM kept").count == 2)

        let postmaster = try #require(server.postmaster)
        try await kill9("\(postmaster)")
        try await server.start()
        #expect(try await query("SELECT id FROM kept").count == 2)
        #expect(server.postmaster != postmaster)

        // A lock file of before a reboot names somebody else's process.
        try await kill9("\(try #require(server.postmaster)) && sleep 1")
        try "1\n/x\n".write(toFile: server.data.appending("postmaster.pid").string, atomically: true, encoding: .utf8)
        try await server.start()
        #expect(try await query("SELECT id FROM kept").count == 2)
        try await server.stop(.fast)
    }

    @Test func `a server that is dead and that nobody buried is none`() async throws {
        let server = EmbeddedServer(home: home("zombie"), logger: .silent)
        try FileManager.default.createDirectory(atPath: server.data.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: server.home.string) }
        let parent = Process()
        parent.executableURL = URL(filePath: "/bin/sh")
        // The shell becomes a sleep, which waits for no child.
        let script =
            "cd \"$0/data\" && cp /bin/sleep \"$0/postgres\" && { \"$0/postgres\" 600 & echo $! > \"$0/data/postmaster.pid\"; exec sleep 600; }"
        parent.arguments = ["-c", script, server.home.string]
        try parent.run()
        try await eventually { server.postmaster != nil }
        let child = try #require(server.postmaster)
        try await kill9("\(child)")
        try await eventually {
            try String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8).contains("(postgres) Z")
        }
        #expect(server.postmaster == nil)
        parent.terminate()
        parent.waitUntilExit()
    }

    @Test func `a process that has the number of a former server is left alone`() async throws {
        let running = try await TestCluster.shared.server
        let server = EmbeddedServer(home: home("former"), logger: .silent)
        try FileManager.default.createDirectory(atPath: server.data.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: server.home.string) }
        let process = try #require(running.postmaster)
        // Nothing to be seen, as in many a container, nothing to be told apart.
        let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd")
        guard place != nil else { return }
        try "\(process)\n".write(
            toFile: server.data.appending("postmaster.pid").string,
            atomically: true,
            encoding: .utf8
        )
        #expect(server.postmaster == nil)
        try await server.stop(.immediate)
        #expect(running.postmaster == process)
        let connection = try await PostgresConnection.connect(to: running.connectionString())
        #expect(try await connection.query("SELECT 1").count == 1)
    }

    @Test func `only its user reaches the socket and nobody a port`() async throws {
        let server = try await TestCluster.shared.server
        let attributes = try FileManager.default.attributesOfItem(atPath: server.socketDirectory.string)
        #expect((attributes[.posixPermissions] as? Int) == 0o700)
        let connection = try await PostgresConnection.connect(to: server.connectionString())
        let listening = try await connection.query("SELECT current_setting('listen_addresses') AS v")
        #expect(try listening[0].decode("v", as: String.self) == "")
    }

    @Test func `a home of somebody else's or out of reach is refused`() async throws {
        await #expect(throws: EmbeddedServerError.homeUnusable("/proc/1")) {
            try await EmbeddedServer(home: "/proc/1", logger: .silent).start()
        }
        await #expect(throws: EmbeddedServerError.homeUnusable("/tmp/no/such/parent")) {
            try await EmbeddedServer(home: "/tmp/no/such/parent", logger: .silent).start()
        }
        guard getuid() == 0 else { return }
        let closed = "/tmp/rc-closed-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: closed,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        defer { try? FileManager.default.removeItem(atPath: closed) }
        await #expect(throws: EmbeddedServerError.homeUnusable(closed + "/home")) {
            try await EmbeddedServer(home: FilePath(closed + "/home"), logger: .silent).start()
        }
    }

    @Test func `a long home has its socket in a short place`() {
        let long = FilePath("/tmp/" + String(repeating: "long/", count: 30))
        let server = EmbeddedServer(home: long, logger: .silent)
        #expect(server.socketDirectory.string.utf8.count < 85)
        #expect(server.socketDirectory == EmbeddedServer(home: long, logger: .silent).socketDirectory)
        #expect(server.socketDirectory != EmbeddedServer(home: long.appending("x"), logger: .silent).socketDirectory)
    }
}
