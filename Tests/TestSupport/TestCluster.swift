import Foundation
package import Logging
package import Postgres
import Synchronization
import SystemPackage

/// A private cluster in /tmp that ends with the test process.
package struct TestCluster: Sendable {
    package let server: EmbeddedServer

    /// The cluster that tests share, started by the first who asks. Not durable: fsync is off.
    package static var shared: TestCluster {
        get async throws { try await starting.value.get() }
    }

    // Started once, by whoever asks first; every later one waits for the same task.
    private static let starting = Task { () -> Result<TestCluster, any Error> in
        do {
            await reap()
            return .success(try await own(named: "shared"))
        } catch {
            return .failure(error)
        }
    }

    /// Clusters of processes that are gone and whose guard is gone too.
    private static func reap() async {
        // An unreadable /tmp holds nothing that we could clear up.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] {
            let parts = name.split(separator: "-")
            guard parts.count > 3, name.hasPrefix("rc-test-"), let owner = Int32(parts[2]),
                !FileManager.default.fileExists(atPath: "/proc/\(owner)")
            else { continue }
            let server = EmbeddedServer(home: FilePath("/tmp/" + name), logger: .silent)
            // Whatever cannot be cleared up stays for the next one.
            try? await server.stop(.immediate)
            try? FileManager.default.removeItem(atPath: server.home.string)
        }
    }

    private static let count = Atomic<Int>(0)

    /// A cluster for one test, which may kill it. Costs a second or two.
    package static func own(
        named name: String = "own",
        settings: [String: String] = [:]
    ) async throws -> TestCluster {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let notDurable = [
            "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300",
        ]
        let server = EmbeddedServer(
            home: FilePath("/tmp/rc-test-\(getpid())-\(number)-\(name)"),
            settings: notDurable.merging(settings) { _, given in given },
            lifetime: .ofProcess(getpid()),
            logger: .silent
        )
        try await server.start()
        return TestCluster(server: server)
    }
}

extension Logger {
    /// For components whose log no test reads.
    package static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
