package import Domain
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Takes rejected requests off the path of their answers, and keeps them by commits of its own: one connection at most,
/// however many are refused.
///
/// Invariants: to offer one never waits; what waits is bounded for each source and altogether, in number and in bytes, and
/// nothing that waits holds back a delivery. What finds the queue full is not taken, and whoever offered it is told, so that
/// its sender can come again. What has no room of its own any more (``RejectedRequest/mostRequests`` and so on) does not
/// enter the queue at all: a network that has used up its share takes nobody else's place on the way there.
package final class RejectedQueue: Service, Sendable {
    private struct Waiting: Sendable {
        let request: RejectedRequest
        let organization: OrganizationID
    }

    /// Whose room is counted.
    private struct Place: Hashable {
        let source: SourceID
        let network: String
    }

    /// What became of an offer.
    package enum Offer: Sendable {
        case taken
        /// Its source or its network has no room left: it is dropped, as whatever comes then.
        case noRoom
        /// Too many wait just now: a fault of ours, and its sender should come again.
        case queueFull
    }

    private struct State {
        /// Places that had no room lately, and until when nothing of theirs is taken.
        var full: [Place: ContinuousClock.Instant] = [:]
        var waiting: [Waiting] = []
        var bytes = 0
        var requests: [SourceID: Int] = [:]
    }

    private let store: Store
    private let tallies: RefusalTallies
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// That may wait at once, of all sources and of one.
    package static let mostWaiting = 512
    package static let mostWaitingOfSource = 64
    package static let mostWaitingBytes = 32 << 20
    /// Of one commit.
    static let mostPerCommit = 16
    /// How long a place without room is not asked for again.
    static let restOfFull = Duration.seconds(5)
    /// Places that are remembered for that.
    static let mostFull = 4096
    /// The reason under which a dropped one is told in the summary of its minute.
    package static let notKept = "not-kept"

    /// Those that find no room are told by `tallies`.
    package init(_ store: Store, tallies: RefusalTallies) {
        self.store = store
        self.tallies = tallies
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes it to be kept, or does not. Never waits.
    @discardableResult
    package func offer(_ request: RejectedRequest, in organization: OrganizationID) -> Offer {
        let offer = state.withLock { state -> Offer in
            let place = Place(source: request.source, network: request.network)
            if let until = state.full[place] {
                guard until <= .now else { return .noRoom }
                state.full[place] = nil
            }
            guard state.waiting.count < Self.mostWaiting, state.bytes + request.bytes <= Self.mostWaitingBytes,
                state.requests[request.source, default: 0] < Self.mostWaitingOfSource
            else { return .queueFull }
            state.waiting.append(Waiting(request: request, organization: organization))
            state.bytes += request.bytes
            state.requests[request.source, default: 0] += 1
            return .taken
        }
        switch offer {
        case .taken: signal.yield()
        case .noRoom: drop(request, in: organization, "not-kept")
        case .queueFull: drop(request, in: organization, "queue-full")
        }
        return offer
    }

    private func noteFull(_ request: RejectedRequest) {
        state.withLock { state in
            if state.full.count >= Self.mostFull { state.full = [:] }
            state.full[Place(source: request.source, network: request.network)] = .now + Self.restOfFull
        }
    }

    /// Keeps what was offered until shutdown, and what still waits then.
    package func run() async throws {
        await withGracefulShutdownHandler {
            for await _ in signals { await flush() }
            await flush()
        } onGracefulShutdown: {
            self.signal.finish()
        }
    }

    /// Keeps all that waits now. What cannot be written is dropped: a database that is away must not fill the memory.
    package func flush() async {
        while let (organization, batch) = takeBatch() {
            do {
                let results = try await store.perform(batch.map(RejectedKeeping.init), in: organization)
                for (request, result) in zip(batch, results) {
                    switch result {
                    case .success(.kept): count("kept")
                    case .success(.noRoom):
                        noteFull(request)
                        drop(request, in: organization, "not-kept")
                    case .success(.known), .failure: drop(request, in: organization, "not-kept")
                    }
                }
            } catch {
                store.logger.warning("Rejected requests were not kept", metadata: ["error": "\(error)"])
                for request in batch { drop(request, in: organization, "fault") }
            }
        }
    }

    /// The oldest one's organization, and what waits of it.
    private func takeBatch() -> (OrganizationID, [RejectedRequest])? {
        state.withLock { state in
            guard let organization = state.waiting.first?.organization else { return nil }
            var batch: [RejectedRequest] = []
            state.waiting.removeAll { waiting in
                guard batch.count < Self.mostPerCommit, waiting.organization == organization else { return false }
                batch.append(waiting.request)
                return true
            }
            for request in batch {
                state.bytes -= request.bytes
                let left = state.requests[request.source, default: 1] - 1
                state.requests[request.source] = left > 0 ? left : nil
            }
            return (organization, batch)
        }
    }

    private func drop(_ request: RejectedRequest, in organization: OrganizationID, _ result: String) {
        count(result)
        tallies.count(Self.notKept, of: .source(request.source), in: organization)
    }

    private func count(_ result: String) {
        Counter(label: "rollcall_rejected_requests_total", dimensions: [("result", result)]).increment()
    }
}
