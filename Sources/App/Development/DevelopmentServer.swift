package import Edge
import Foundation
import Hummingbird
package import Logging
import NIOCore
import NIOPosix
import Postgres
import ServiceLifecycle
import Storage
package import Transparency
package import UnixSignals

/// Rollcall with everything it needs, on one machine, for one developer: a private cluster under a home, two
/// organizations to begin with, all roles. What it serves is what `serve` serves.
package struct DevelopmentServer: Sendable {
    package let home: DevelopmentDirectory
    private let port: Int
    private let registry: PrometheusRegistry
    private let logger: Logger
    private let randomness = SystemRandomness()

    private static let database = "rollcall"
    private static let owner = "rollcall_owner"
    private static let service = "rollcall_service"

    /// `port` 0 takes a free one.
    package init(home: DevelopmentDirectory, port: Int, registry: PrometheusRegistry, logger: Logger) {
        self.home = home
        self.port = port
        self.registry = registry
        self.logger = logger
    }

    /// Serves until it is told to stop, and stops the cluster. `onReady` is called once with what `dev.json` says; with
    /// `stoppingAfterReady` its return is what ends the server. What it throws ends the server and is thrown.
    package func run(
        until signals: [UnixSignal] = [.sigterm, .sigint],
        stoppingAfterReady: Bool = false,
        onReady: @escaping @Sendable (JSON) async throws -> Void = { _ in }
    ) async throws {
        try home.withdraw()
        let port = try await freePort()
        let cluster = home.cluster(logger: logger)
        try await cluster.start()
        do {
            try await prepare(cluster)
            try await serve(cluster, port: port, until: signals, stoppingAfterReady, onReady)
        } catch {
            // The cluster is stopped whatever went wrong; what went wrong is what is told.
            try? await cluster.stop()
            throw error
        }
        try await cluster.stop()
    }

    // MARK: Steps

    private func prepare(_ cluster: EmbeddedServer) async throws {
        for name in [Self.owner, Self.service] { try await cluster.createRole(Self.identifier(name)) }
        try await cluster.createDatabase(Self.identifier(Self.database), owner: Self.identifier(Self.owner))
        _ = try await ServerPreflight.migrator(url(cluster, Self.owner), logger: logger).up()
    }

    private func serve(
        _ cluster: EmbeddedServer,
        port: Int,
        until signals: [UnixSignal],
        _ stoppingAfterReady: Bool,
        _ onReady: @escaping @Sendable (JSON) async throws -> Void
    ) async throws {
        let settings = try await settings(cluster, port: port)
        let server = Server(settings: settings, registry: registry, logger: logger)
        let (running, announce) = AsyncStream.makeStream(of: Int.self)
        let seeding = DevelopmentSeeding(
            home: home,
            baseURL: settings.publicURL,
            databaseURL: settings.databaseDirectURL,
            keyring: settings.keyring,
            running: running,
            logger: logger,
            stopsAfterReady: stoppingAfterReady,
            onReady: onReady
        )
        try await server.run(until: signals, beside: [seeding]) { port in
            announce.yield(port)
            announce.finish()
        }
        try home.withdraw()
    }

    private func settings(_ cluster: EmbeddedServer, port: Int) async throws -> Settings {
        let reader = try await SettingsReader(
            environment: [:],
            flags: [
                .databaseURL: url(cluster, Self.service),
                .databaseDirectURL: url(cluster, Self.owner),
                .publicURL: "http://127.0.0.1:\(port)",
                .bind: "127.0.0.1:\(port)",
                .metricsBind: "off",
                .keyring: try home.keyring(using: randomness),
                .checkpointKey: try home.checkpointKey(using: randomness),
                .checkpointCopies: try home.checkpointCopies(),
            ]
        )
        return try Settings(reader)
    }

    private func url(_ cluster: EmbeddedServer, _ role: String) -> String {
        cluster.connectionString(user: role, database: Self.database)
    }

    private static func identifier(_ name: String) throws -> PostgresIdentifier {
        guard let identifier = PostgresIdentifier(name) else { throw ImpossibleName(name: name) }
        return identifier
    }

    private struct ImpossibleName: Error { let name: String }

    /// How long a port that was asked for may still be held: by a process that was just killed, or by a client that
    /// tried it while nobody listened and so reached itself.
    private static let portPatience = Duration.seconds(5)
    /// Below the ports that the kernel gives to clients, for the same reason.
    private static let freePorts = 20_000..<32_000

    /// The port that was asked for, or one that is free now: the public address has to be known before it is bound.
    private func freePort() async throws -> Int {
        let deadline = ContinuousClock.now + Self.portPatience
        repeat {
            let candidate = port == 0 ? Int.random(in: Self.freePorts) : port
            if await isFree(candidate) { return candidate }
            try await Task.sleep(for: .milliseconds(port == 0 ? 1 : 100))
        } while ContinuousClock.now < deadline
        throw DevelopmentError.portTaken(port)
    }

    private func isFree(_ port: Int) async -> Bool {
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: "127.0.0.1", port: port).get()
            try await channel.close()
            return true
        } catch {
            return false
        }
    }
}
