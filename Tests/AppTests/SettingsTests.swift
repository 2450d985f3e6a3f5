import App
import AuditLog
import Domain
import Edge
import Foundation
import Postgres
import Testing

/// A directory of its own for as long as the body runs.
private func withDirectory(_ body: (String) async throws -> Void) async throws {
    let path = "/tmp/rollcall-settings-\(UInt64.random(in: 0...UInt64.max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    do {
        try await body(path)
        try FileManager.default.removeItem(atPath: path)
    } catch {
        try FileManager.default.removeItem(atPath: path)
        throw error
    }
}

private func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
}

@Suite struct SettingsReaderTests {
    @Test func `flags win over the environment, that over a file, that over defaults`() async throws {
        try await withDirectory { directory in
            let file = directory + "/rollcall.json"
            try write(#"{"log_level": "debug", "bind": "file:1", "roles": "web"}"#, to: file)
            let reader = try await SettingsReader(
                environment: ["ROLLCALL_CONFIG": file, "ROLLCALL_BIND": "environment:2", "ROLLCALL_ROLES": "worker"],
                flags: [.roles: "sequencer"]
            )
            #expect(reader[.roles] == "sequencer" && reader.origin(of: .roles) == .flag)
            #expect(reader[.bind] == "environment:2" && reader.origin(of: .bind) == .environment("ROLLCALL_BIND"))
            #expect(reader[.logLevel] == "debug" && reader.origin(of: .logLevel) == .file(file))
            #expect(reader[.databasePoolSize] == "12" && reader.origin(of: .databasePoolSize) == .standard)
            #expect(reader[.keyring] == nil && reader.origin(of: .keyring) == .unset)
        }
    }

    @Test func `a variable may name a file instead, whose last newline is not part of it`() async throws {
        try await withDirectory { directory in
            let file = directory + "/url"
            try write("postgres://one\n", to: file)
            let reader = try await SettingsReader(environment: ["ROLLCALL_DATABASE_URL_FILE": file])
            #expect(reader[.databaseURL] == "postgres://one")
            #expect(reader.origin(of: .databaseURL) == .namedFile("ROLLCALL_DATABASE_URL_FILE"))
        }
    }

    @Test func `a value and a file for it are one too many`() async throws {
        try await withDirectory { directory in
            try write("x", to: directory + "/url")
            let environment = [
                "ROLLCALL_DATABASE_URL": "postgres://one", "ROLLCALL_DATABASE_URL_FILE": directory + "/url",
            ]
            await #expect(throws: SettingsError.self) { try await SettingsReader(environment: environment) }
        }
    }

    @Test func `a file that cannot be read is named with its variable`() async {
        await #expect(throws: SettingsError.unreadable("ROLLCALL_KEYRING_FILE", "/nonexistent")) {
            try await SettingsReader(environment: ["ROLLCALL_KEYRING_FILE": "/nonexistent"])
        }
        await #expect(throws: SettingsError.unreadable("ROLLCALL_CONFIG", "/nonexistent")) {
            try await SettingsReader(environment: [:], file: "/nonexistent")
        }
    }

    @Test(arguments: ["ROLLCALL_DATABSE_URL", "ROLLCALL_", "ROLLCALL_BIND_FILE_FILE", "ROLLCALL_PORT"])
    func `an unknown variable is an error`(name: String) async {
        await #expect(throws: SettingsError.unknown(name, place: "the environment")) {
            try await SettingsReader(environment: [name: "x"])
        }
    }

    @Test func `other programs' variables and the client's are left alone`() async throws {
        _ = try await SettingsReader(environment: ["PATH": "/bin", "ROLLCALL_URL": "x", "ROLLCALL_TOKEN": "y"])
    }

    @Test(arguments: [
        (#"{"prot": 1}"#, "prot"), (#"{"bind": "a:1", "bind": "b:2"}"#, "JSON"), ("[]", "object"), ("bind: a", "JSON"),
    ])
    func `a file that says what it should not is an error`(text: String, named: String) async throws {
        try await withDirectory { directory in
            let file = directory + "/rollcall.json"
            try write(text, to: file)
            let error = await #expect(throws: SettingsError.self) {
                try await SettingsReader(environment: [:], file: file)
            }
            #expect(error?.description.contains(named) == true)
        }
    }

    @Test func `every setting has a name in the environment and a meaning`() {
        #expect(Setting.allCases.allSatisfy { !$0.meaning.isEmpty && $0.environmentName.hasPrefix("ROLLCALL_") })
        let secrets: Set<Setting> = [
            .databaseURL, .databaseDirectURL, .auditReadURL, .keyring, .checkpointKey, .proxyCredentials, .tlsKey,
        ]
        #expect(Set(Setting.allCases.filter(\.isSecret)) == secrets)
        #expect(secrets.allSatisfy { $0.standard == nil })
    }
}

@Suite struct SettingsTests {
    private static let good = [
        "ROLLCALL_DATABASE_URL": "postgres://service@db/rollcall",
        "ROLLCALL_DATABASE_DIRECT_URL": "postgres://owner@db/rollcall",
        "ROLLCALL_PUBLIC_URL": "https://rollcall.example",
        "ROLLCALL_KEYRING": "test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    ]

    private static func settings(_ changes: [String: String?] = [:]) async throws -> Settings {
        let environment = changes.reduce(into: good) { $0["ROLLCALL_" + $1.key] = $1.value }
        return try Settings(try await SettingsReader(environment: environment))
    }

    @Test func `witnesses and an authority of time are asked where they are set, and nobody otherwise`() async throws {
        #expect(try await Self.settings().attesters.isEmpty)
        let vectors = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/rfc3161/ca.pem")
        let key = "witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
        let set = try await Self.settings([
            "WITNESS_POLICY": "witness w \(key) https://w.example/\nquorum w\n",
            "TIMESTAMP_URL": "https://time.example", "TIMESTAMP_CERTIFICATES_FILE": vectors.path(),
        ]).attesters
        #expect(set.witnesses.map(\.url) == ["https://w.example"])
        #expect(set.authorities.map(\.url) == ["https://time.example"])
        for changes in [
            ["WITNESS_POLICY": "quorum somebody"], ["TIMESTAMP_URL": "https://time.example"],
            ["TIMESTAMP_URL": "https://time.example", "TIMESTAMP_CERTIFICATES": "none"],
        ] { await #expect(throws: SettingsError.self) { try await Self.settings(changes) } }
    }

    @Test func `four settings are enough`() async throws {
        let settings = try await Self.settings()
        #expect(settings.publicURL == "https://rollcall.example")
        #expect(settings.roles == Set(Settings.ProcessRole.allCases))
        #expect(settings.database.size == 12)
        #expect(!settings.allowsVolatileDatabase && settings.tls == nil && settings.proxies.proxies.isEmpty)
    }

    @Test(arguments: ["DATABASE_URL", "DATABASE_DIRECT_URL", "PUBLIC_URL", "KEYRING"])
    func `each of the four is missed by name`(name: String) async {
        for value in [nil, ""] as [String?] {
            let error = await #expect(throws: SettingsError.self) { try await Self.settings([name: value]) }
            #expect(error?.description.contains("ROLLCALL_" + name) == true)
        }
    }

    @Test(arguments: [
        ("PUBLIC_URL", "https://rollcall.example/"),
        ("PUBLIC_URL", "rollcall.example"),
        ("PUBLIC_URL", "ftp://rollcall.example"),
        ("PUBLIC_URL", "https://rollcall.example?x=1"),
        ("PUBLIC_URL", "https://rollcall.example#x"),
        ("PUBLIC_URL", "https://ops@rollcall.example"),
        ("BIND", "8080"),
        ("BIND", "localhost:70000"),
        ("METRICS_BIND", "localhost"),
        ("DATABASE_POOL_SIZE", "1"),
        ("DATABASE_POOL_SIZE", "many"),
        ("AUDIT_READ_POOL_SIZE", "0"),
        ("DATABASE_STATEMENTS", "sometimes"),
        ("DATABASE_VOLATILE", "yes"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("PROXY_HEADER", "x-real-ip"),
        ("ROLES", "web,baker"),
        ("ROLES", ""),
        ("LOG_LEVEL", "loud"),
        ("KEYRING", "nonsense"),
        ("TLS_KEY", "pem"),
    ])
    func `a value that cannot be used is refused by name`(name: String, value: String) async {
        let error = await #expect(throws: SettingsError.self) { try await Self.settings([name: value]) }
        #expect(error?.description.contains("ROLLCALL_") == true)
    }

    @Test func `no error holds a secret`() async {
        let error = await #expect(throws: SettingsError.self) {
            try await Self.settings(["KEYRING": "test c2VjcmV0LW1hdGVyaWFs"])
        }
        #expect(error?.description.contains("c2VjcmV0") == false)
    }

    @Test func `proxies are read with the header that they write`() async throws {
        let settings = try await Self.settings([
            "TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1", "PROXY_HEADER": "forwarded", "METRICS_BIND": "off",
        ])
        #expect(settings.proxies.proxies == [try NetworkRange("10.0.0.0/8"), try NetworkRange("2001:db8::1")])
        #expect(settings.proxies.header == .forwarded)
        #expect(settings.metricsBind == nil)
    }
}
