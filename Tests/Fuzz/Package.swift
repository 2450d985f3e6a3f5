// swift-tools-version: 6.2
import PackageDescription

// A coverage-guided fuzzer of what reads bytes that strangers send: header grammars of every profile, JSON, filters and
// mappings. A package of its own, because the rooms that it reaches have to be built with the sanitizer; their sources
// are links. What it must hold is in DeliveryProperties.swift, which the ordinary tests run over the corpus.

let sanitized: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .swiftLanguageMode(.v6),
    .unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"]),
]
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        .target(name: "CFuzzer"),
        .plugin(name: "EmbeddedFiles", capability: .buildTool, path: "Sources/EmbeddedFiles"),
        .target(name: "Filter", swiftSettings: sanitized),
        .target(name: "Transparency", dependencies: [crypto], swiftSettings: sanitized),
        .target(
            name: "Domain",
            dependencies: [
                "Filter", "Transparency", crypto,
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "RawStructuredFieldValues", package: "swift-http-structured-headers"),
                .product(name: "Yams", package: "Yams"),
            ],
            exclude: ["Profiles", "Mappings"],
            swiftSettings: sanitized,
            plugins: ["EmbeddedFiles"]
        ),
        .executableTarget(
            name: "fuzz",
            dependencies: ["CFuzzer", "Domain", "Filter", "Transparency"],
            swiftSettings: sanitized,
            // gold ends with an internal error on the sanitized objects.
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]
        ),
    ]
)
