import API
import AuditLog
package import Domain
package import Edge
import Hummingbird
import HummingbirdTLS
package import Logging
import Metrics
import NIOCore
import NIOSSL
import OAuth
import Outbound
import Postgres
import Provisioning
package import ServiceLifecycle
package import Storage
package import UnixSignals
import Webhooks

/// All of Rollcall in one process: what its roles call for, as one group of services.
package struct Server: Sendable {
    package let settings: Settings
    package let store: Store
    package let logger: Logger
    private let randomness: any Randomness
    private let registry: PrometheusRegistry
    private let signal = WorkSignal()

    /// How long services may take to finish what they have in hand.
    package static let shutdownGrace = Duration.seconds(25)

    /// Nothing is opened or bound before it runs. `clock` and `randomness` are what every room below is handed.
    package init(
        settings: Settings,
        registry: PrometheusRegistry,
        clock: any WallClock = SystemClock(),
        randomness: any Randomness = SystemRandomness(),
        logger: Logger
    ) {
        self.settings = settings
        self.registry = registry
        self.randomness = randomness
        self.logger = logger
        store = Store(
            pool: PostgresPool(configuration: settings.database, logger: logger),
            keyring: settings.keyring,
            clock: clock,
            randomness: randomness,
            logger: logger,
            erasures: ErasureList(directory: settings.erasureDirectory)?.register
        )
    }

    /// Serves until a signal asks it to stop, or one of the services beside it returns. `onRunning` is called once with the port that the doors listen on; a
    /// process without the web role never calls it.
    package func run(
        until signals: [UnixSignal] = [.sigterm, .sigint],
        beside more: [any Service] = [],
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        try await ServerPreflight.requireDatabase(store, allowsVolatile: settings.allowsVolatileDatabase)
        try await ServerPreflight.requireErasures(store)
        let services = try services(onRunning: onRunning)
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }
                + more.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            gracefulShutdownSignals: signals,
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = Self.shutdownGrace
        try await ServiceGroup(configuration: configuration).run()
    }

    // In the order in which they start; shutdown goes the other way, so that doors close first and the pool last.
    private func services(onRunning: @escaping @Sendable (Int) async -> Void) throws -> [any Service] {
        let acceptances = GroupCommit<DeliveryAcceptance>(store, name: "delivery")
        let observations = GroupCommit<Observation>(store, name: "observation")
        let issues = GroupCommit<TokenIssue>(store, name: "token")
        let lastUses = LastUses(store)
        let tallies = RefusalTallies(store, logger: logger)
        let rejected = RejectedQueue(store, tallies: tallies)
        let profiles = try SigningProfile.embedded()
        let auditReads = store.reading(PostgresPool(configuration: settings.auditReads, logger: logger))
        var services: [any Service] = [store.pool]
        if settings.roles.contains(.sequencer) {
            services.append(AuditLogKeeper(store: store, logger: logger))
            if let sequencer { services.append(sequencer) }
        }
        if settings.roles.contains(.worker) {
            services.append(NoticeKeeper(store))
            services.append(
                ProvisioningEngine(
                    store: store,
                    mappings: try Mapping.embedded(),
                    profiles: profiles,
                    signal: signal,
                    bodyLifetime: settings.deliveryBodyLifetime,
                    logger: logger
                )
            )
        }
        if settings.roles.contains(.worker) { services.append(ExpiredRows(store)) }
        if let address = settings.metricsBind { services.append(try metricsServer(at: address)) }
        guard settings.roles.contains(.web) else { return services }
        let watch = AccessWatch(store, connectionString: settings.databaseDirectURL)
        services += [auditReads.pool, watch, tallies, rejected, lastUses, acceptances, observations, issues]
        let router = Router<EdgeContext>.edge(faults: .rollcall)
        let webhooks = WebhooksDoor(
            store: store,
            acceptances: acceptances,
            rejected: rejected,
            tallies: tallies,
            signal: signal,
            profiles: profiles,
            publicURL: settings.publicURL
        )
        services += webhooks.services
        webhooks.mount(on: router)
        let limits = CallerLimits(settings.rates)
        let tokenKeys = TokenKeys(store)
        services.append(tokenKeys)
        try OAuthDoor(
            store: store,
            issues: issues,
            observations: observations,
            tallies: tallies,
            lastUses: lastUses,
            issuer: settings.publicURL,
            hashing: try PasswordHashing(randomness: randomness),
            limits: limits,
            tokenKeys: tokenKeys,
            outsiders: OutsideClients(
                registration: settings.allowsRegistration,
                documents: settings.allowsClientDocuments
                    ? ClientDocuments(outbound: OutboundClient(policy: .publicOnly()), logger: logger) : nil
            )
        ).mount(on: router)
        APIDoor(
            store: store,
            observations: observations,
            lastUses: lastUses,
            auditReads: auditReads,
            publicURL: settings.publicURL,
            profiles: profiles,
            mappings: try Mapping.embedded()
        ).mount(on: router)
        Probes(checks: [.init("database") { [store] in try await store.answers() }]).mount(on: router)
        router.closeMethods()
        ForwardAuth(
            store: store,
            observations: observations,
            lastUses: lastUses,
            credentials: settings.proxyCredentials,
            trust: ProxyTrust(proxies: settings.proxies.proxies),
            limits: limits
        ).mount(on: router)
        services.append(try webServer(router, onRunning: onRunning))
        return services
    }

    private var sequencer: LogSequencer? {
        guard let checkpoints = settings.checkpoints else {
            logger.warning(
                "No key signs the log: entries are kept, and wait. See rollcall keys checkpoint",
                metadata: ["setting": "\(Setting.checkpointKey.environmentName)"]
            )
            return nil
        }
        return LogSequencer(
            store: store,
            directURL: settings.databaseDirectURL,
            keys: checkpoints.keys,
            copies: CheckpointCopies(directory: checkpoints.copies),
            publicURL: settings.publicURL,
            attestor: settings.attesters.isEmpty
                ? nil
                : RootAttestor(
                    store: store,
                    outbound: OutboundClient(policy: .operatorChosen),
                    attesters: settings.attesters
                ),
            logger: logger
        )
    }

    private var surroundings: EdgeSurroundings {
        EdgeSurroundings(
            clock: store.clock,
            randomness: randomness,
            proxies: settings.proxies,
            faults: .rollcall,
            publicURL: settings.publicURL,
            errorForms: [OAuthDoor.errorForm]
        )
    }

    private func webServer(
        _ router: Router<EdgeContext>,
        onRunning: @escaping @Sendable (Int) async -> Void
    ) throws -> any Service {
        var configuration = EdgeServer.Configuration(address: settings.bind)
        configuration.tls = try settings.tls.map { try Self.tls($0) }
        return try EdgeServer.application(
            responder: EdgeResponder(router.buildResponder(), surroundings: surroundings),
            configuration: configuration,
            logger: logger,
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) }
        )
    }

    private static func tls(_ texts: (certificate: String, key: String)) throws -> TLSConfiguration {
        let certificates = try NIOSSLCertificate.fromPEMBytes(Array(texts.certificate.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(texts.key.utf8), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }

    private func metricsServer(at address: BindAddress) throws -> any Service {
        try MetricsServer.application(
            address: address,
            registry: registry,
            logger: logger,
            surroundings: surroundings,
            refresh: { [store] in try await Self.refreshGauges(of: store) }
        )
    }

    /// Gauges that are read when somebody asks.
    private static func refreshGauges(of store: Store) async throws {
        let statistics = store.pool.statistics
        for (state, count) in [
            ("busy", statistics.inUse), ("idle", statistics.idle), ("waiting", statistics.waiting),
        ] {
            Gauge(label: MetricName.poolConnections, dimensions: [("state", state)]).record(count)
        }
        let waiting = try await store.workWaiting()
        Gauge(label: MetricName.eventsPending).record(waiting.events + waiting.deliveries)
        Gauge(label: MetricName.eventsOldestAge).record(Double(waiting.oldestAge.wholeMicroseconds) / 1_000_000)
        let logs = try await store.logsStanding()
        Gauge(label: MetricName.logsHalted).record(logs.halted)
        Gauge(label: MetricName.logPendingAge).record(Double(logs.oldestPendingAge.wholeMicroseconds) / 1_000_000)
        Gauge(label: MetricName.partitionsAhead, dimensions: [("table", "audit_entries")])
            .record(try await store.partitionsAhead())
    }
}
