// AuditLog: the engine of the log. `LogSequencer` leads every organization's log while it has the turn: it gives waiting
// leaves their indexes, signs what has grown and keeps a copy of each checkpoint outside the database. What it may do next is
// decided by the pure `Sequencer` (Transparency); `LedLog` only does it. `RootAttestor` has witnesses and a time stamp authority
// vouch for the root log of all checkpoints. `AuditLogKeeper` keeps the log's house: partitions
// ahead of time, and summaries of what was refused to callers that proved nothing.
//
// Entries themselves are written by Storage, in the transaction of what they tell.

package import Logging
import ServiceLifecycle
package import Storage

/// Keeps the log able to take entries.
package struct AuditLogKeeper: Service {
    private let store: Store
    private let logger: Logger

    package static let summaryInterval = Duration.seconds(5)
    /// Partitions are looked after at start and each so many summaries: daily.
    package static let summariesPerDay = 86_400 / 5

    package init(store: Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var round = 0
            while !Task.isCancelled {
                if round.isMultiple(of: Self.summariesPerDay) { await attempt("Partitions") { try await extend() } }
                await attempt("Summaries of refusals") {
                    while try await store.performNext(RefusalSummary(), most: 1) > 0 {}
                }
                round += 1
                // Cancelled while pausing: the loop sees it.
                try? await Task.sleep(for: Self.summaryInterval)
            }
        }
    }

    private func extend() async throws {
        let made = try await store.extendPartitions()
        if made > 0 { logger.info("Partitions made", metadata: ["count": "\(made)"]) }
    }

    private func attempt(_ what: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch is CancellationError {
            return
        } catch {
            logger.warning(
                "The log's housekeeping failed and is tried again",
                metadata: ["task": "\(what)", "error": .string(String(reflecting: error))]
            )
        }
    }
}
