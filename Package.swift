// swift-tools-version: 6.2
import PackageDescription

// Imports go down, never sideways (Sources/App/Rollcall.docc/Architecture.md). The manifest states that graph once,
// and Tests/Gates/imports holds every `import` to it.

extension [SwiftSetting] {
    /// What every target of ours is compiled with.
    static var strict: [SwiftSetting] {
        [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .strictMemorySafety(),
            .treatAllWarnings(as: .error),
            .swiftLanguageMode(.v6),
        ]
    }
}

extension [Resource] {
    /// The files of migrations/, embedded in the program.
    static var migrations: [Resource] {
        [
            "0001_organizations", "0002_people_and_users", "0003_sources", "0004_deliveries_and_events",
            "0005_integrations_and_grants", "0006_tokens", "0007_audit", "0008_crossings", "0009_idempotency",
            "0010_receiving", "0011_checking", "0012_accounts", "0013_terms", "0014_expiry",
            "0015_log",
            "0016_issuing",
            "0017_members",
            "0018_queries",
            "0019_endings",
            "0020_root_log",
            "0021_erasure",
        ].map { .embedInCode("\($0).sql") }
    }
}

extension Target.Dependency {
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let asn1 = product(name: "SwiftASN1", package: "swift-asn1")
    static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
    static let configuration = product(name: "Configuration", package: "swift-configuration")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras = product(name: "CryptoExtras", package: "swift-crypto")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTesting = product(name: "HummingbirdTesting", package: "hummingbird")
    static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
    static let instrumentation = product(name: "Instrumentation", package: "swift-distributed-tracing")
    static let jwtKit = product(name: "JWTKit", package: "jwt-kit")
    static let logging = product(name: "Logging", package: "swift-log")
    static let metrics = product(name: "Metrics", package: "swift-metrics")
    static let coreMetrics = product(name: "CoreMetrics", package: "swift-metrics")
    static let mustache = product(name: "Mustache", package: "swift-mustache")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let nioHTTPTypes = product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1 = product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let rawStructuredFieldValues = product(
        name: "RawStructuredFieldValues",
        package: "swift-http-structured-headers"
    )
    static let serviceLifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let subprocess = product(name: "Subprocess", package: "swift-subprocess")
    static let systemPackage = product(name: "SystemPackage", package: "swift-system")
    static let tracing = product(name: "Tracing", package: "swift-distributed-tracing")
    static let unixSignals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let x509 = product(name: "X509", package: "swift-certificates")
    static let yams = product(name: "Yams", package: "Yams")

    /// What a door may use besides Edge.
    static let edgeKit: [Target.Dependency] = [
        "Storage", "Domain", "Filter", "Transparency", .hummingbird, .httpTypes, .nioCore, .logging, .metrics, .tracing,
    ]
}

extension Target {
    static func room(
        _ name: String,
        uses dependencies: [Target.Dependency] = [],
        path: String? = nil,
        exclude: [String] = [],
        resources: [Resource]? = nil,
        plugins: [PluginUsage]? = nil
    ) -> Target {
        .target(
            name: name,
            dependencies: dependencies,
            path: path,
            exclude: exclude,
            resources: resources,
            swiftSettings: .strict,
            plugins: plugins
        )
    }

    /// A target that speaks one protocol to one kind of peer. No door imports a door.
    static func door(
        _ name: String,
        uses more: [Target.Dependency] = [],
        resources: [Resource]? = nil
    ) -> Target {
        room(name, uses: ["Edge"] + Target.Dependency.edgeKit + more, resources: resources)
    }

    /// A target that works on its own clock on top of Storage. No engine imports a door or an engine.
    static func engine(_ name: String, uses more: [Target.Dependency] = []) -> Target {
        room(
            name,
            uses: ["Storage", "Domain", "Filter", "Transparency", .logging, .metrics, .serviceLifecycle, .tracing]
                + more
        )
    }

    static func tests(_ name: String, uses dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
        .testTarget(
            name: name + "Tests",
            dependencies: dependencies,
            exclude: exclude,
            swiftSettings: .strict
        )
    }
}

let package = Package(
    name: "rollcall",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "rollcall", targets: ["rollcall"]),
        .executable(name: "rollcall-verify", targets: ["rollcall-verify"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.10.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["JSON"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // libpq, and Swift over it.
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev", "libssl-dev"])]),
        .room(
            "Postgres",
            uses: ["CLibpq", .crypto, .logging, .metrics, .serviceLifecycle, .subprocess, .systemPackage]
        ),

        // Pure rooms.
        .room("Filter"),
        .room("Transparency", uses: [.asn1, .crypto, .x509]),
        .room("Evidence", uses: ["Transparency"]),
        .room(
            "Domain",
            uses: [
                "Filter", "Transparency", .crypto, .cryptoExtras, .jwtKit, .rawStructuredFieldValues, .yams,
            ],
            exclude: ["Profiles", "Mappings"],
            plugins: ["EmbeddedFiles"]
        ),
        // Carries Domain's data files into the program.
        .plugin(name: "EmbeddedFiles", capability: .buildTool, path: "Sources/EmbeddedFiles"),

        // The only SQL.
        .room("Migrations", path: "migrations", resources: .migrations),
        .room(
            "Storage",
            uses: [
                "Postgres", "Domain", "Filter", "Transparency", "Migrations", .crypto, .logging, .metrics,
                .serviceLifecycle, .tracing,
            ]
        ),

        // What every HTTP door shares, and the doors.
        .room(
            "Edge",
            uses: Target.Dependency.edgeKit + [
                .coreMetrics, .hummingbirdCore, .hummingbirdTLS, .instrumentation, .mustache, .nioHTTPTypes,
                .nioHTTPTypesHTTP1, .nioHTTP1, .nioPosix, .nioSSL, .serviceLifecycle, .crypto, .systemPackage,
            ]
        ),
        .door("Webhooks", uses: [.serviceLifecycle]),
        .door("OAuth", uses: ["Outbound", .mustache], resources: [.embedInCode("Pages")]),
        .door("API", uses: ["Evidence", .hummingbirdCore]),

        // Outgoing connections, and the engines.
        .room(
            "Outbound",
            uses: ["Domain", .asyncHTTPClient, .httpTypes, .nioCore, .nioHTTP1, .nioPosix, .nioSSL]
        ),
        .engine("Provisioning"),
        .engine("AuditLog", uses: ["Outbound", .httpTypes, .nioPosix, .systemPackage]),

        // Composition, and the program.
        .room(
            "App",
            uses: [
                "Postgres", "Domain", "Filter", "Transparency", "Migrations", "Storage", "Edge", "Webhooks", "OAuth",
                "API", "Outbound", "Provisioning", "AuditLog", .configuration, .crypto, .httpTypes, .hummingbird,
                .hummingbirdCore, .hummingbirdTLS, .logging, .metrics, .coreMetrics, .nioCore, .nioPosix, .nioSSL,
                .serviceLifecycle, .subprocess, .systemPackage, .tracing, .instrumentation, .unixSignals,
            ],
            exclude: ["Rollcall.docc"]
        ),
        .executableTarget(
            name: "rollcall",
            dependencies: [
                "App", "AuditLog", "Domain", "Evidence", "Transparency", "Outbound", "Storage", "Postgres",
                .argumentParser,
                .configuration,
                .crypto, .httpTypes, .hummingbird, .logging, .nioCore, .serviceLifecycle, .subprocess,
                .systemPackage,
            ],
            swiftSettings: .strict
        ),

        .executableTarget(
            name: "rollcall-verify",
            dependencies: ["Evidence", "Transparency", .argumentParser, .crypto],
            swiftSettings: .strict
        ),

        // Tests.
        .room(
            "TestSupport",
            uses: [
                "Postgres", "Domain", "Transparency", "Migrations", "Storage", .logging, .nioCore, .nioPosix,
                .subprocess, .systemPackage,
            ],
            path: "Tests/TestSupport"
        ),
        .tests(
            "Postgres",
            uses: ["Postgres", "TestSupport", .logging, .serviceLifecycle, .subprocess, .systemPackage]
        ),
        .tests("Filter", uses: ["Filter", "Transparency"]),
        .tests("Transparency", uses: ["Transparency", .crypto]),
        .tests("Evidence", uses: ["Evidence", "Domain", "Transparency"]),
        .tests("Domain", uses: ["Domain", "Filter", "Transparency", "TestSupport", .crypto, .cryptoExtras]),
        .tests(
            "Edge",
            uses: [
                "Edge", "Domain", "Filter", "Transparency", .crypto, .coreMetrics, .httpTypes, .hummingbird,
                .hummingbirdCore, .hummingbirdTesting, .logging, .metrics, .nioCore, .nioPosix, .serviceLifecycle,
            ]
        ),
        .tests(
            "API",
            uses: [
                "API", "Evidence", "TestSupport", "Edge", "Storage", "Postgres", "Domain", "Transparency", .httpTypes,
                .hummingbird,
                .hummingbirdTesting, .logging, .nioCore, .serviceLifecycle,
            ]
        ),
        .tests(
            "Storage",
            uses: [
                "TestSupport", "Storage", "Postgres", "Domain", "Transparency", .logging, .serviceLifecycle,
            ]
        ),
        .tests(
            "Webhooks",
            uses: [
                "Webhooks", "TestSupport", "Edge", "Storage", "Postgres", "Domain", "Transparency", .httpTypes,
                .hummingbird, .hummingbirdTesting, .logging, .nioCore, .serviceLifecycle,
            ]
        ),
        .tests(
            "OAuth",
            uses: [
                "OAuth", "Outbound", "TestSupport", "Edge", "Storage", "Postgres", "Domain", "Transparency", .crypto,
                .httpTypes,
                .hummingbird, .hummingbirdTesting, .logging, .nioCore, .serviceLifecycle,
            ]
        ),
        .tests(
            "App",
            uses: ["App", "AuditLog", "TestSupport", "Edge", "Storage", "Postgres", "Domain", .logging]
        ),
        .tests(
            "AuditLog",
            uses: [
                "AuditLog", "Outbound", "TestSupport", "Storage", "Postgres", "Domain", "Transparency", .logging,
                .nioCore,
                .nioHTTP1, .nioPosix,
            ]
        ),
        .tests("Outbound", uses: ["Outbound", "Domain", "TestSupport", .httpTypes, .nioCore]),
        .tests(
            "EndToEnd",
            uses: [
                "rollcall", "Domain", "Outbound", "Postgres", "TestSupport", "Transparency", .httpTypes, .nioCore,
                .nioPosix,
            ]
        ),
        .tests("RollcallVerify", uses: ["rollcall-verify", "Evidence", "Transparency", .argumentParser, .crypto]),
        .tests(
            "Rollcall",
            uses: ["rollcall", "Transparency", "TestSupport", .argumentParser],
            exclude: ["Transcripts"]
        ),
    ]
)
