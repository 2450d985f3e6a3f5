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
/// error, or when it waits no longer; nothing is acknowledged before its commit; at most ``mostWaiting`` changes wait, and
/// the next is refused.
package final class GroupCommit<C: Change>: Service, Sendable {
    private final class Waiting: Sendable {
        let change: C
        let organization: OrganizationID
        private let continuation = Mutex<CheckedContinuation<C.Output, any Error>?>(nil)

        init(_ change: C, in organization: OrganizationID) {
            self.change = change
            self.organization = organization
        }

        func wait(on continuation: CheckedContinuation<C.Output, any Error>) {
            self.continuation.withLock { $0 = continuation }
        }

        /// Whoever comes second finds nobody waiting.
        func resume(_ result: Result<C.Output, any Error>) {
            let continuation = continuation.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            continuation?.resume(with: result)
        }
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
    ///
    /// A cancelled caller waits no longer: its change is not made if no commit has taken it, else nobody knows.
    package func perform(_ change: C, in organization: OrganizationID) async throws -> C.Output {
        let waiting = Waiting(change, in: organization)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiting.wait(on: continuation)
                let refusal: (any Error)? = state.withLock { state in
                    if state.isClosed { return Overload.closed }
                    if state.waiting.count >= Self.mostWaiting { return Overload.tooManyWaiting }
                    state.waiting.append(waiting)
                    return nil
                }
                if let refusal { return waiting.resume(.failure(refusal)) }
                signal.yield()
                // A cancellation that came before it waited found nobody.
                if Task.isCancelled { abandon(waiting) }
            }
        } onCancel: {
            abandon(waiting)
        }
    }

    /// The same, for whoever can wait only so long: throws ``Overload/tooLate`` then, and whether the change is made is
    /// unknown.
    package func perform(
        _ change: C,
        in organization: OrganizationID,
        within patience: Duration
    ) async throws -> C.Output {
        try await withThrowingTaskGroup(of: C.Output?.self) { group in
            group.addTask { try await self.perform(change, in: organization) }
            group.addTask {
                try await Task.sleep(for: patience)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let output = first else { throw Overload.tooLate }
            return output
        }
    }

    private func abandon(_ waiting: Waiting) {
        state.withLock { state in
            guard let place = state.waiting.firstIndex(where: { $0 === waiting }) else { return }
            state.waiting.remove(at: place)
        }
        waiting.resume(.failure(CancellationError()))
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

/// Why a change was not made. A fault of ours: the caller may try again.
package enum Overload: Error, Sendable {
    /// It was not even tried.
    case tooManyWaiting
    /// It was not even tried.
    case closed
    /// It was not made in the time that its caller has. It may be made after that.
    case tooLate
}
