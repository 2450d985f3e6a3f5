import Domain
import Foundation
import HTTPTypes
import Logging
import Postgres
import Storage
import Synchronization
import TestSupport
import Testing
import Transparency

@testable import Webhooks

@Suite struct `A database that is away` {
    /// What the strictest sender waits, by its profile.
    private static let strictest = Duration.seconds(3)
    /// The fixture's pool waits 90 seconds: who is answered before did not wait for it. How long the door takes exactly is
    /// a matter of how busy the machine is.
    private static let beforeThePool = Duration.seconds(60)

    @Test func `no sender waits as little as we may take`() throws {
        for profile in try SigningProfile.embedded().values {
            #expect(profile.response.ackBudget >= Self.strictest, "\(profile.name)")
        }
        #expect(WebhooksDoor.mostWait + .seconds(1) <= Self.strictest)
    }

    @Test func `one that stands still is 503 in time, and what was sent meanwhile is there once in the end`()
        async throws
    {
        let cluster = StoreCluster.own()
        try await TestHooks.with(mostWait: WebhooksDoor.mostWait, on: cluster) { hooks in
            let server = try await cluster.server()
            try await Self.accepted(hooks, "before")
            try await Self.stalled(server) {
                // Known to the door still: what stands still is the commit. After a second: the look-up too.
                try await Self.refuseInTime(hooks, "first")
                try await hooks.forget()
                try await Self.refuseInTime(hooks, "second")
            }
            for prefix in ["first", "second"] {
                for number in 0..<Self.atOnce { try await Self.accepted(hooks, "\(prefix)_\(number)") }
            }
            let all = 1 + 2 * Self.atOnce
            #expect(try await hooks.deliveries == all)
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id, action: .deliveryAccepted).count == all)
        }
        try await cluster.server().stop(.immediate)
    }

    @Test func `one that is gone is 503 in time, and is used again when it is back`() async throws {
        let cluster = StoreCluster.own()
        try await TestHooks.with(mostWait: WebhooksDoor.mostWait, on: cluster) { hooks in
            let server = try await cluster.server()
            try await Self.accepted(hooks, "before")
            try await server.stop(.immediate)
            try await Self.refuseInTime(hooks, "first")
            try await hooks.forget()
            try await Self.refuseInTime(hooks, "second")
            try await server.start()
            try await Self.accepted(hooks, "first_0")
        }
        try await cluster.server().stop(.immediate)
    }

    private static let atOnce = 20

    /// As a sender does: again, until it is answered that it is kept.
    private static func accepted(_ hooks: TestHooks, _ id: String) async throws {
        try await eventually {
            let answer = try await hooks.post(try hooks.signed(id: id))
            #expect([202, 503].contains(answer.status))
            return answer.status == 202
        }
    }

    private static func refuseInTime(_ hooks: TestHooks, _ prefix: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<atOnce {
                group.addTask {
                    let began = ContinuousClock.now
                    let answer = try await hooks.post(try hooks.signed(id: "\(prefix)_\(number)"))
                    #expect(answer.status == 503 && answer.fields[.retryAfter] == "5")
                    #expect(ContinuousClock.now - began < beforeThePool)
                }
            }
            try await group.waitForAll()
        }
    }

    /// Every process of the server stopped, as on a machine whose storage hangs: it takes connections and answers nobody.
    private static func stalled(_ server: EmbeddedServer, _ body: () async throws -> Void) async throws {
        let postmaster = try #require(server.postmaster)
        _ = kill(postmaster, SIGSTOP)
        let sessions = try children(of: postmaster)
        for session in sessions { _ = kill(session, SIGSTOP) }
        defer { for process in [postmaster] + sessions { _ = kill(process, SIGCONT) } }
        try await body()
    }

    private static func children(of parent: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(Int32.init).filter { process in
            // It may end while we look.
            guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else {
                return false
            }
            return status.split(separator: "\n").contains("PPid:\t\(parent)")
        }
    }
}

@Suite struct `Answers that come late` {
    private final class Lines: Sendable {
        let all = Mutex<[Logger.Metadata]>([])
    }

    private struct Recording: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.all.withLock { $0.append(event.metadata ?? [:]) }
        }
    }

    @Test func `more than half of the patience is told, with the worst, and once a minute`() {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in Recording(lines: lines) }
        let lateness = HookLateness(strictest: .seconds(3), logger: logger, pause: .milliseconds(300))
        lateness.note(.milliseconds(1500), of: nil)
        #expect(lines.all.withLock(\.count) == 0)
        lateness.note(.milliseconds(1501), of: nil)
        lateness.note(.milliseconds(2500), of: nil)
        lateness.note(.milliseconds(1600), of: nil)
        #expect(lines.all.withLock(\.count) == 1)
        #expect(lines.all.withLock { $0[0]["count"] } == "1")
        Thread.sleep(forTimeInterval: 0.35)
        lateness.note(.milliseconds(1700), of: nil)
        #expect(lines.all.withLock(\.count) == 2)
        #expect(lines.all.withLock { $0[1]["count"] } == "3")
        #expect(lines.all.withLock { $0[1]["slowest_ms"] } == "2500")
    }
}
