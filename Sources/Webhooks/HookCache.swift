import Domain
import ServiceLifecycle
import Storage
import Synchronization

/// A hook with its keys read.
struct CachedHook: Sendable {
    let source: SourceID
    let organization: OrganizationID
    let slug: Slug
    let user: UserID
    let status: SourceStatus
    let ipAllowList: [NetworkRange]?
    let profile: SigningProfile
    let keys: [SigningKey]
    let keysVersion: Int64
}

/// Hooks as they were at most ``freshness`` ago, so that a burst of deliveries asks for its source once, and together.
///
/// What the database does not know is never kept: an unknown source is asked for after each request for it came, and is
/// known at once when it is made. A key that was removed counts for at most ``freshness`` after.
///
/// Invariants: whoever asks is answered within `patience` of the look-up that answers it, whatever the database does; at
/// most ``mostLookUps`` look-ups are under way for what was never found, and at most ``mostLookUpsOfNetwork`` for one client
/// network: whoever asks for sources that do not exist keeps nobody from those that do.
final class HookCache: Service, Sendable {
    private struct Kept: Sendable {
        let hook: CachedHook
        let readAt: ContinuousClock.Instant
    }

    private typealias Waiting = CheckedContinuation<CachedHook?, any Error>

    private struct State {
        var kept: [SourceID: Kept] = [:]
        /// Who waits for which look-up.
        var waiting: [SourceID: [Waiting]] = [:]
        /// Look-ups for what is not kept, those that nobody waits for any longer too, by the network that began them.
        var strange: [NetworkRange?: Int] = [:]
        var isClosed = false
    }

    private struct Asked: Sendable {
        let id: SourceID
        let network: NetworkRange?
        /// Whether it holds one of the places for what is not kept.
        let isStrange: Bool
    }

    private enum Standing {
        case known(CachedHook)
        case begun(Asked)
        case joined
        case refused
    }

    private let store: Store
    private let profiles: [String: SigningProfile]
    private let state = Mutex(State())
    private let asked: AsyncStream<Asked>
    private let ask: AsyncStream<Asked>.Continuation

    /// How long a look-up may take.
    private let patience: Duration

    static let freshness = Duration.seconds(1)
    /// Past this many sources the cache starts anew.
    static let mostHooks = 4096
    /// At once, for what is not kept; more than a pool has connections, fewer than may wait for one. Those for sources that
    /// are kept, but not fresh, are bounded by ``mostHooks``.
    static let mostLookUps = 256
    static let mostLookUpsOfNetwork = 32

    init(store: Store, profiles: [String: SigningProfile], patience: Duration) {
        self.patience = patience
        self.store = store
        self.profiles = profiles
        (asked, ask) = AsyncStream.makeStream()
    }

    /// nil only where the database knows no such source. Throws ``HookFault/tooLate`` when it does not say so in time.
    ///
    /// `network`: that of the client who asks.
    func hook(_ id: SourceID, from network: NetworkRange?) async throws -> CachedHook? {
        let first = try await found(id, from: network)
        if first.isFresh || first.hook != nil { return first.hook }
        // Somebody asked before the source was made, perhaps. Whichever look-up answers now began after we came.
        return try await found(id, from: network).hook
    }

    /// Looks up what is asked for until shutdown.
    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await asked in asked { group.addTask { await self.lookUp(asked) } }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.isClosed = true }
            self.ask.finish()
        }
        let left = state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting.values.flatMap(\.self)
        }
        for one in left { one.resume(throwing: HookFault.tooLate) }
    }

    /// `isFresh`: whether the look-up began after the call.
    private func found(_ id: SourceID, from network: NetworkRange?) async throws -> (hook: CachedHook?, isFresh: Bool) {
        let now = ContinuousClock.now
        if let known = state.withLock({ Self.known(id, at: now, in: $0) }) { return (known, true) }
        var isFresh = false
        let hook = try await withCheckedThrowingContinuation { (waiting: Waiting) in
            switch state.withLock({ Self.stand(waiting, for: id, from: network, at: now, in: &$0) }) {
            case .known(let hook): waiting.resume(returning: hook)
            case .begun(let asked):
                isFresh = true
                ask.yield(asked)
            case .joined: break
            case .refused: waiting.resume(throwing: HookFault.tooManyLookUps)
            }
        }
        return (hook, isFresh)
    }

    private static func known(_ id: SourceID, at now: ContinuousClock.Instant, in state: State) -> CachedHook? {
        state.kept[id].flatMap { $0.readAt.duration(to: now) < freshness ? $0.hook : nil }
    }

    private static func stand(
        _ waiting: Waiting,
        for id: SourceID,
        from network: NetworkRange?,
        at now: ContinuousClock.Instant,
        in state: inout State
    ) -> Standing {
        if let hook = known(id, at: now, in: state) { return .known(hook) }
        if state.waiting[id] != nil {
            state.waiting[id]?.append(waiting)
            return .joined
        }
        if state.isClosed { return .refused }
        let isStrange = state.kept[id] == nil
        if isStrange {
            let ofNetwork = state.strange[network, default: 0]
            guard ofNetwork < mostLookUpsOfNetwork, state.strange.values.reduce(0, +) < mostLookUps else {
                return .refused
            }
            state.strange[network] = ofNetwork + 1
        }
        state.waiting[id] = [waiting]
        return .begun(Asked(id: id, network: network, isStrange: isStrange))
    }

    /// Answers those who wait when the look-up ends or its time is over, whichever is first. A statement that is given up
    /// may take its time to end; nobody waits for that.
    private func lookUp(_ asked: Asked) async {
        let id = asked.id
        let began = ContinuousClock.now
        await withTaskGroup(of: Result<CachedHook?, any Error>.self) { group in
            group.addTask {
                do { return .success(try await self.store.hook(id).map(self.read)) } catch { return .failure(error) }
            }
            group.addTask {
                // Cancellation ends the sleep, and nobody asks for its result then.
                try? await Task.sleep(for: self.patience)
                return .failure(HookFault.tooLate)
            }
            if let first = await group.next() { settle(id, as: first, readAt: began) }
            group.cancelAll()
        }
        guard asked.isStrange else { return }
        state.withLock { state in
            let left = state.strange[asked.network, default: 1] - 1
            state.strange[asked.network] = left > 0 ? left : nil
        }
    }

    private func settle(_ id: SourceID, as result: Result<CachedHook?, any Error>, readAt: ContinuousClock.Instant) {
        let waiting = state.withLock { state in
            if case .success(let hook?) = result {
                if state.kept.count >= Self.mostHooks { state.kept = [:] }
                state.kept[id] = Kept(hook: hook, readAt: readAt)
            }
            return state.waiting.removeValue(forKey: id) ?? []
        }
        for one in waiting { one.resume(with: result) }
    }

    private func read(_ row: Hook) throws -> CachedHook {
        guard let profile = profiles[row.profile] else { throw HookFault.profileMissing(row.profile) }
        return CachedHook(
            source: row.source,
            organization: row.organization,
            slug: row.slug,
            user: row.user,
            status: row.status,
            ipAllowList: row.ipAllowList,
            profile: profile.expecting(row.tokenParties),
            keys: try row.keys.map { try $0.signingKey(for: profile) },
            keysVersion: row.keysVersion
        )
    }
}

/// Why a source cannot be judged here. A fault of ours.
enum HookFault: Error, Hashable {
    case profileMissing(String)
    case tooLate
    case tooManyLookUps
}

/// Which uses of keys are to be written, with the delivery that happens to be theirs: one a minute and key on each node, and
/// besides the first after another key of the source had signed, at most one a second. During a rotation an admin wants to
/// know which key signed last, and before they remove one that it is not in use any more; neither is worth a write for
/// each delivery.
final class KeyUses: Sendable {
    private struct State {
        var noted: [SourceKeyID: Timestamp] = [:]
        /// Of each source the key whose use was written last.
        var signers: [SourceID: (key: SourceKeyID, at: Timestamp)] = [:]
    }

    private let state = Mutex(State())

    static let resolution = Duration.seconds(60)
    /// Between two writings of keys that take turns.
    static let resolutionOfTurns = Duration.seconds(1)
    /// Past this many keys all are noted anew.
    static let mostKeys = 16_384

    /// Whether this use is to be written.
    func isToBeNoted(_ key: SourceKeyID?, of source: SourceID, at instant: Timestamp) -> Bool {
        guard let key else { return false }
        return state.withLock { state in
            if let last = state.noted[key], instant < last + Self.resolution {
                guard let signer = state.signers[source], signer.key != key,
                    instant >= signer.at + Self.resolutionOfTurns
                else { return false }
            }
            if state.noted.count >= Self.mostKeys { state = State() }
            state.noted[key] = instant
            state.signers[source] = (key, instant)
            return true
        }
    }
}
