package import Domain
import Metrics
import ServiceLifecycle
import Synchronization

/// Lets concurrent requests share one commit.
///
/// A request hands in its change and waits until the commit that holds it is done. While a commit of an organization is
/// under way its next batch gathers, and goes when the commit ends or when it is as large as what is under way: so batches
/// grow with load, commits of one organization overlap only where each has much to carry, and a lone request waits for
/// nobody, nor does one organization for another while a connection is left.
///
/// Invariants: a change is in exactly one batch; its waiter is resumed exactly once, after the commit or with the
/// error; nothing is acknowledged before its commit; at most ``mostWaiting`` changes wait, and the next is refused.
package final class GroupCommit<C: Change>: Service, Sendable {
    private struct Waiting: Sendable {
        let change: C
        let organization: OrganizationID
        let resume: @Sendable (Result<C.Output, any Error>) -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        /// Changes of the commits that are under way, where there are some.
        var committing: [OrganizationID: Int] = [:]
        var isClosed = false
    }

    private let store: Store
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let commits: Int
    private let batchSizes: Recorder

    /// Changes that may wait at once, all organizations together.
    package static var mostWaiting: Int { 8192 }
    /// Changes of one commit at most.
    package static var mostPerCommit: Int { 256 }
    /// Beside another commit, fewer than this do not make one of their own: a commit costs more than it carries then.
    private static var fewestBeside: Int { 8 }

    /// `commits`: how many may be under way at once, each on a connection of its own.
    package init(_ store: Store, name: String, commits: Int = 2) {
        self.store = store
        self.commits = commits
        batchSizes = Recorder(label: "rollcall_commit_batch_size", dimensions: [("change", name)])
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Makes the change in a shared commit. Throws ``Overload`` when too many wait, else what `perform` throws.
    package func perform(_ change: C, in organization: OrganizationID) async throws -> C.Output {
        try await withCheckedThrowingContinuation { continuation in
            let waiting = Waiting(change: change, organization: organization) { continuation.resume(with: $0) }
            let refusal: (any Error)? = state.withLock { state in
                if state.isClosed { return Overload.closed }
                if state.waiting.count >= Self.mostWaiting { return Overload.tooManyWaiting }
                state.waiting.append(waiting)
                return nil
            }
            if let refusal { continuation.resume(throwing: refusal) } else { signal.yield() }
        }
    }

    /// Commits batches until the service is shut down and everything that waits is committed.
    package func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for _ in 0..<commits { group.addTask { await self.commitBatches() } }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.isClosed = true }
            self.signal.finish()
        }
        state.withLock { state in
            state.isClosed = true
            for waiting in state.waiting { waiting.resume(.failure(Overload.closed)) }
            state.waiting = []
        }
    }

    private func commitBatches() async {
        for await _ in signals { await drain() }
        await drain()
    }

    private func drain() async {
        while let (organization, batch) = takeBatch() {
            // What is left may be another organization's: the next committer looks.
            signal.yield()
            batchSizes.record(batch.count)
            do {
                let results = try await store.perform(batch.map(\.change), in: organization)
                finish(batch.count, of: organization)
                for (waiting, result) in zip(batch, results) { waiting.resume(result) }
            } catch {
                finish(batch.count, of: organization)
                for waiting in batch { waiting.resume(.failure(error)) }
            }
        }
    }

    private func finish(_ count: Int, of organization: OrganizationID) {
        state.withLock { state in
            let left = state.committing[organization, default: count] - count
            state.committing[organization] = left > 0 ? left : nil
        }
        // Whoever found too little beside this commit may go now.
        signal.yield()
    }

    /// What waits of the organization whose turn it is; nil while it is better to wait for a commit under way.
    private func takeBatch() -> (OrganizationID, [Waiting])? {
        state.withLock { state in
            guard let organization = Self.turn(in: state) else { return nil }
            var batch: [Waiting] = []
            state.waiting.removeAll { waiting in
                guard batch.count < Self.mostPerCommit, waiting.organization == organization else { return false }
                batch.append(waiting)
                return true
            }
            state.committing[organization, default: 0] += batch.count
            return (organization, batch)
        }
    }

    /// The organization of the oldest change that need not gather any longer.
    private static func turn(in state: State) -> OrganizationID? {
        var gathered: [OrganizationID: Int] = [:]
        for waiting in state.waiting {
            guard let underWay = state.committing[waiting.organization] else { return waiting.organization }
            gathered[waiting.organization, default: 0] += 1
            if gathered[waiting.organization, default: 0] >= max(underWay, fewestBeside) {
                return waiting.organization
            }
        }
        return nil
    }
}

/// Why a change was not even tried. A fault of ours: the caller may try again.
package enum Overload: Error, Sendable {
    case tooManyWaiting
    case closed
}
