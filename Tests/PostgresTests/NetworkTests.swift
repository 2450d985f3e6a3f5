import Foundation
import Logging
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite struct NetworkTests {
    @Test func `a peer that accepts and never answers costs the connect timeout and no more`() async throws {
        let silent = try SilentPeer()
        let started = ContinuousClock.now
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(
                PostgresConnectionConfiguration(
                    connectionString: "postgresql://x@127.0.0.1:\(silent.port)/x?connect_timeout=60",
                    connectTimeout: .milliseconds(400)
                )
            )
        }
        guard case .connectTimedOut = error else { return #expect(Bool(false), "\(String(describing: error))") }
        // Left to libpq it would be a minute, or for ever.
        #expect(started.duration(to: .now) < .seconds(30))
        silent.close()
    }

    @Test func `the next host is tried when one never answers`() async throws {
        let silent = try SilentPeer()
        let server = try await TestCluster.shared.server
        let connection = try await PostgresConnection.connect(
            PostgresConnectionConfiguration(
                connectionString:
                    "host=127.0.0.1,\(server.socketDirectory) port=\(silent.port),\(server.port) user=postgres",
                // For each address: the silent one costs it, the good one may need it on a busy machine.
                connectTimeout: .seconds(5)
            )
        )
        #expect(try await connection.query("SELECT 1").count == 1)
        silent.close()
    }

    @Test func `read-write finds the host that is`() async throws {
        let reading = try await TestCluster.own(named: "ro", settings: ["default_transaction_read_only": "on"])
        let writing = try await TestCluster.shared.server
        let hosts = "\(reading.server.socketDirectory),\(writing.socketDirectory)"
        func setting(_ attributes: String) async throws -> String {
            let connection = try await PostgresConnection.connect(
                to: "host=\(hosts) user=postgres dbname=postgres target_session_attrs=\(attributes)"
            )
            return try await connection.query("SELECT current_setting('default_transaction_read_only') AS v")[0]
                .decode("v")
        }
        #expect(try await setting("read-write") == "off")
        #expect(try await setting("any") == "on")
        #expect(try await setting("prefer-standby") == "on")
        let error = await #expect(throws: PostgresError.self) { try await setting("standby") }
        #expect(error?.description.contains("standby") == true)
        try await reading.server.stop(.immediate)
    }

    @Test(arguments: [
        "host=a,b port=1,2,3", "postgresql://[", "service=prod", "no such thing", "host=a\u{0}b",
        "host=a,b hostaddr=127.0.0.1",
    ])
    func `a string that is none is refused without being shown`(text: String) async throws {
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(to: text + " password=hunter2")
        }
        guard case .invalidConnectionString = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func `an unknown name is said to be one`() async throws {
        let error = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(to: "host=nowhere.invalid user=x")
        }
        #expect(error?.description.contains("resolved") == true)
    }

    @Test func `TLS is verified to the host name, and statements are cancelled without leaving it`() async throws {
        let port = try SilentPeer.freePort()
        let cluster = try await TestCluster.own(named: "tls")
        let home = cluster.server.home.string
        let owner = "--reference=\(cluster.server.data)"
        let made = try await Subprocess.run(
            .path("/bin/sh"),
            arguments: ["-ec", Self.certificates, home, owner],
            output: .string(limit: 65536),
            error: .string(limit: 65536)
        )
        #expect(made.terminationStatus.isSuccess, "\(made.standardError)")
        try await cluster.server.stop(.fast)
        let server = EmbeddedServer(
            home: cluster.server.home,
            settings: [
                "fsync": "off", "listen_addresses": "127.0.0.1", "port": "\(port)", "ssl": "on",
                "ssl_cert_file": "\(home)/server.crt", "ssl_key_file": "\(home)/server.key",
                "log_statement": "all",
            ],
            logger: .silent
        )
        try await server.start()
        let admin = try await PostgresConnection.connect(to: server.connectionString())
        _ = try await admin.query("CREATE ROLE tls LOGIN PASSWORD 'hunter2'")
        let base = "port=\(port) user=tls password=hunter2 dbname=postgres sslrootcert=\(home)/ca.crt"

        let connection = try await PostgresConnection.connect(to: "host=localhost sslmode=verify-full \(base)")
        let encrypted = try await connection.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        #expect(try encrypted[0].decode("ssl", as: Bool.self))
        for wrong in ["host=127.0.0.1", "host=elsewhere.invalid hostaddr=127.0.0.1"] {
            let error = await #expect(throws: PostgresError.self) {
                try await PostgresConnection.connect(to: "\(wrong) sslmode=verify-full \(base)")
            }
            #expect(error?.description.contains("does not match host name") == true, "\(String(describing: error))")
            #expect(error?.description.contains("hunter2") == false)
        }
        let unknown = await #expect(throws: PostgresError.self) {
            let untrusted = base.replacingOccurrences(of: "ca.crt", with: "other.crt")
            return try await PostgresConnection.connect(to: "host=localhost sslmode=verify-full \(untrusted)")
        }
        #expect(unknown?.description.contains("certificate verify failed") == true)
        let password = await #expect(throws: PostgresError.self) {
            let wrong = base.replacingOccurrences(of: "hunter2", with: "guess")
            return try await PostgresConnection.connect(to: "host=localhost sslmode=verify-full \(wrong)")
        }
        #expect(password?.description.contains("authentication failed") == true)

        let task = Task { try await connection.query("SELECT pg_sleep(30)") }
        try await eventually {
            try await !admin.query(
                "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'"
            ).isEmpty
        }
        task.cancel()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        guard case .cancelled = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(try await connection.query("SELECT 1").count == 1)
        // A cancel request of libpq 15 goes in clear; that it was asked for by a statement is what the server saw.
        let said = try String(contentsOfFile: server.log.string, encoding: .utf8)
        #expect(said.contains("pg_cancel_backend"))
        try await server.stop(.immediate)
    }

    /// A CA, a certificate for localhost by it, and a CA that signed nothing; `$0` is the directory.
    private static let certificates = """
        cd "$0"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
            -keyout ca.key -out ca.crt
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other \
            -keyout other.key -out other.crt
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
            -keyout server.key -out server.csr
        echo "subjectAltName=DNS:localhost" > extensions
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
            -extfile extensions -out server.crt
        chmod 600 server.key
        chown "$1" server.key server.crt ca.crt
        """
}
