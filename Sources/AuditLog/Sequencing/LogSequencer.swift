import Domain
package import Logging
import Metrics
import ServiceLifecycle
package import Storage
import Transparency

/// Leads the logs of every organization, and the root log of their checkpoints, while it has the turn: gives indexes to what
/// waits, signs what has grown, and publishes it. Any number of nodes may run one; one of them leads.
package struct LogSequencer: Service {
    private let store: Store
    private let directURL: String
    private let keys: CheckpointKeys
    private let copies: CheckpointCopies
    private let originBase: String
    private let rootOrigin: String
    private let attestor: RootAttestor?
    private let logger: Logger

    /// Between two looks for leaves that wait.
    package static let lookInterval = Duration.milliseconds(100)
    /// Between two checkpoints of a log that grows.
    package static let publishInterval = Duration.seconds(1)
    /// Between two attempts to get the turn, and after a fault.
    package static let pause = Duration.seconds(1)
    /// Logs that are kept open; the others are taken up again when they have something.
    package static let mostOpen = 4096

    /// `directURL` leads to the database without a pooler. `publicURL` is what origins of new logs are made of. `attestor` works
    /// while this one leads.
    package init(
        store: Store,
        directURL: String,
        keys: CheckpointKeys,
        copies: CheckpointCopies,
        publicURL: String,
        attestor: RootAttestor? = nil,
        logger: Logger
    ) {
        self.store = store
        self.directURL = directURL
        self.keys = keys
        self.copies = copies
        originBase = Self.originBase(of: publicURL)
        rootOrigin = CheckpointKeys.rootOrigin(of: publicURL)
        self.attestor = attestor
        self.logger = logger
    }

    /// What an origin is made of: the address under which logs are served, without its scheme (C2SP tlog-checkpoint).
    package static func originBase(of publicURL: String) -> String {
        let start = publicURL.firstRange(of: "://")?.upperBound ?? publicURL.startIndex
        return publicURL[start...] + "/v1/audit/log/"
    }

    /// Leads whenever it can, until graceful shutdown; a batch under way is finished.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    if let leadership = try await Leadership.claim(directURL) { await leadAttested(leadership) }
                } catch {
                    logger.warning(
                        "The turn to sequence could not be asked for",
                        metadata: ["error": .string(String(reflecting: error))]
                    )
                }
                // Cancelled while pausing: the loop sees it.
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    /// Leads, while others are asked to vouch for what was published.
    private func leadAttested(_ leadership: Leadership) async {
        await withTaskGroup(of: Void.self) { group in
            if let attestor { group.addTask { await attestor.run() } }
            await lead(leadership)
            group.cancelAll()
        }
    }

    private func lead(_ leadership: Leadership) async {
        logger.info("Sequencing", metadata: ["leadership": "\(leadership.number)"])
        var round = LeaderRound(
            store: store,
            copies: copies,
            setting: .init(
                leadership: leadership.number,
                keys: keys,
                originBase: originBase,
                rootOrigin: rootOrigin
            ),
            logger: logger
        )
        var nextPublishing = ContinuousClock.now
        while !Task.isCancelled {
            do {
                if ContinuousClock.now >= nextPublishing {
                    // A lock that was lost without a sound is noticed here.
                    guard await leadership.holds() else { break }
                    try await round.publish()
                    nextPublishing = .now + Self.publishInterval
                }
                let count = try await round.sequence()
                if round.isDeposed { break }
                if count == 0 { try await Task.sleep(for: Self.lookInterval) }
            } catch is CancellationError {
                break
            } catch {
                logger.warning(
                    "Sequencing paused after a fault",
                    metadata: ["error": .string(String(reflecting: error))]
                )
                round.forget()
                // Cancelled while pausing: the loop sees it.
                try? await Task.sleep(for: Self.pause)
                guard await leadership.holds() else { break }
            }
        }
        logger.info("Sequencing ended", metadata: ["leadership": "\(leadership.number)"])
        await leadership.resign()
    }
}

/// The logs that a leadership has open.
private struct LeaderRound {
    let store: Store
    let copies: CheckpointCopies
    let setting: LedLog.Setting
    let logger: Logger
    private var open: [OrganizationID: LedLog] = [:]
    /// Logs that had a fault of their own, or wait for an operator, and when they are looked at again: one that cannot be
    /// led keeps no other waiting.
    private var resting: [OrganizationID: ContinuousClock.Instant] = [:]
    private(set) var isDeposed = false
    private let sequenced = Counter(label: "rollcall_log_entries_sequenced_total")

    init(store: Store, copies: CheckpointCopies, setting: LedLog.Setting, logger: Logger) {
        (self.store, self.copies, self.setting, self.logger) = (store, copies, setting, logger)
    }

    /// One batch of every log that has something; returns how many leaves there were.
    mutating func sequence() async throws -> Int {
        var count = 0
        var last: OrganizationID?
        while !Task.isCancelled, !isDeposed {
            let waiting = try await store.logsWaiting(after: last)
            for organization in waiting {
                try await with(organization) { count += try await $0.sequence() }
                if isDeposed { break }
            }
            guard waiting.count == Store.mostLogsPerLook else { break }
            last = waiting.last
        }
        sequenced.increment(by: count)
        return count
    }

    mutating func publish() async throws {
        for organization in try await store.logsUnpublished() where !isDeposed && organization != .root {
            try await with(organization) { try await $0.publish() }
        }
        // After the others, so that what they published is in it.
        if isDeposed { return }
        try await with(.root) { root in
            while try await root.sequence() == Sequencer.largestBatch {}
            try await root.publish()
        }
    }

    /// After a fault of the database nothing that was known counts: every log is taken up again.
    mutating func forget() { open = [:] }

    private mutating func with(
        _ organization: OrganizationID,
        _ body: (inout LedLog) async throws -> Void
    ) async throws {
        if let until = resting[organization] {
            guard until <= .now else { return }
            resting[organization] = nil
        }
        // A fault in between leaves it closed: then nothing that was known of it counts.
        let known = open.removeValue(forKey: organization)
        do {
            var log: LedLog
            if let known {
                log = known
            } else {
                if open.count >= LogSequencer.mostOpen { open = [:] }
                log = try await LedLog.open(organization, setting, store: store, copies: copies)
            }
            try await body(&log)
            switch log.standing {
            case .leading: open[organization] = log
            case .deposed: isDeposed = true
            // Taken up anew each time: an operator who has looked takes the note away.
            case .waitingForOperator: resting[organization] = .now + LogSequencer.pause
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            resting[organization] = .now + LogSequencer.pause
            logger.warning(
                "A log could not be led on, and is taken up again",
                metadata: ["organization": "\(organization)", "error": "\(error)"]
            )
        }
    }
}
