// Provisioning: the engine of the apply leg. It makes events of accepted deliveries, and applies the events of each
// person in order. What follows from an event is computed in Domain (`Planner`), claimed, locked and written in Storage
// (`DeliveryMapping`, `EventApplication`); here is only the loop around them. Beside it, it has rejected requests verified
// again after keys changed, removes those that were kept for their time (`RejectedReview`, `RejectedExpiry`) and what
// deliveries said once it was (`BodyExpiry`), and executes erasures whose hold was lifted (`QueuedErasures`).
//
// Any number of engines may run, on any number of nodes: claims skip what another one holds.

package import Domain
package import Logging
import Metrics
import ServiceLifecycle
package import Storage

/// Maps and applies whatever waits, as soon as it is told or looks.
package struct ProvisioningEngine: Service {
    private let store: Store
    private let mapping: DeliveryMapping
    private let review: RejectedReview
    private let signal: WorkSignal
    private let workers: Int
    private let bodyLifetime: Duration
    private let logger: Logger

    /// How long something waits at most when no signal came: what other nodes accepted, what became due.
    package static let lookInterval = Duration.milliseconds(100)
    /// Pause after a fault, so that a database that is away is not beaten.
    package static let pauseAfterFault = Duration.seconds(1)
    /// Deliveries or persons of one transaction at most.
    package static let mostPerClaim = 64
    /// How soon after a change of keys rejected requests are verified again.
    package static let reviewInterval = Duration.seconds(1)
    /// Rejected requests of one transaction at most: each may hold a whole body.
    package static let mostPerReview = 16
    /// Transactions of one removal of bodies.
    static let mostBodyRounds = 500
    /// Reviews between two removals of what was kept for its time.
    static let reviewsPerExpiry = 60

    /// `mappings` and `profiles` by the names that sources chose; `workers` transactions at once on this node. Whoever accepts a delivery
    /// raises `signal`.
    package init(
        store: Store,
        mappings: [String: Mapping],
        profiles: [String: SigningProfile],
        signal: WorkSignal,
        workers: Int = 2,
        bodyLifetime: Duration = BodyExpiry.standardLifetime,
        logger: Logger
    ) {
        self.store = store
        mapping = DeliveryMapping(mappings: mappings, profiles: profiles)
        review = RejectedReview(profiles: profiles)
        self.signal = signal
        self.workers = workers
        self.bodyLifetime = bodyLifetime
        self.logger = logger
    }

    /// Works until graceful shutdown; what is claimed then is finished.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await look() }
                group.addTask { await lookAtRejected() }
                for _ in 0..<workers { group.addTask { await work() } }
                await group.waitForAll()
            }
        } onGracefulShutdown: {
            signal.close()
        }
    }

    // Every look wakes one worker, which wakes the next while there is more.
    private func look() async {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            signal.raise()
            do { try await Task.sleep(for: Self.lookInterval) } catch { return }
        }
    }

    private func lookAtRejected() async {
        var round = 0
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                if try await reviewRejected() > 0 { signal.raise() }
                if round.isMultiple(of: Self.reviewsPerExpiry) {
                    try await removeExpiredRejected()
                    try await removeExpiredBodies()
                }
                try await executeQueuedErasures()
                round += 1
                try await Task.sleep(for: Self.reviewInterval)
            } catch is CancellationError {
                return
            } catch {
                logger.warning(
                    "Rejected requests are looked at again later",
                    metadata: ["error": .string(String(reflecting: error))]
                )
                // Cancelled while pausing: the loop sees it.
                try? await Task.sleep(for: Self.reviewInterval)
            }
        }
    }

    /// Verifies again what waits for it; returns how many were looked at.
    package func reviewRejected() async throws -> Int {
        var reviewed = 0
        while true {
            let done = try await store.performNext(review, most: Self.mostPerReview)
            guard done > 0 else { return reviewed }
            reviewed += done
        }
    }

    /// Removes rejected requests that were kept for their time.
    package func removeExpiredRejected() async throws {
        while try await store.performNext(RejectedExpiry(), most: Self.mostPerClaim) > 0 {}
    }

    /// Removes what deliveries said that were kept for their time, as much as ``mostBodyRounds`` transactions can.
    package func removeExpiredBodies() async throws {
        for _ in 0..<Self.mostBodyRounds {
            guard try await store.performNext(BodyExpiry(after: bodyLifetime), most: Self.mostPerClaim) > 0 else {
                return
            }
        }
    }

    /// Executes erasures that nothing is in the way of any more; one at a time, because each reads many bodies.
    package func executeQueuedErasures() async throws {
        while try await store.performNext(QueuedErasures(), most: 1) > 0 {}
    }

    private func work() async {
        for await _ in signal.wakeUps {
            do {
                try await drain()
            } catch {
                logger.error(
                    "Provisioning paused after a fault",
                    metadata: ["error": .string(String(reflecting: error))]
                )
                // Cancelled while pausing: the loop ends with the stream.
                try? await Task.sleep(for: Self.pauseAfterFault)
            }
        }
    }

    /// Returns when nothing is left that this engine may claim now.
    package func drain() async throws {
        var done = 1
        while done > 0, !Task.isCancelled {
            done = try await store.performNext(mapping, most: Self.mostPerClaim)
            let began = ContinuousClock.now
            let applied = try await store.performNext(EventApplication(), most: Self.mostPerClaim)
            if applied > 0 {
                let took = ContinuousClock.now - began
                Timer(label: "rollcall_apply_seconds").recordNanoseconds(took.wholeMicroseconds * 1000)
                signal.raise()
            }
            done += applied
        }
    }
}
