import Domain
import Metrics
import Synchronization

/// What this node remembers of tokens (``TokenCache``), shared by every copy of its store. Without an ``AccessWatch`` that
/// runs it is never fresh, and the database is asked at every use.
package final class AccessCache: Sendable {
    private let state = Mutex(TokenCache())
    /// What wakes the other nodes up.
    private let wake = Mutex<@Sendable () -> Void>({})
    private let hits = Counter(label: "rollcall_checks_total", dimensions: [("answered_from", "cache")])
    private let misses = Counter(label: "rollcall_checks_total", dimensions: [("answered_from", "database")])

    /// Empty, and not fresh.
    package init() {}

    func facts(of digest: [UInt8]) -> TokenFacts? {
        guard let digest = TokenDigest(digest) else { return nil }
        let facts = state.withLock { $0.facts(of: digest, at: .now) }
        if facts == nil { misses.increment() } else { hits.increment() }
        return facts
    }

    var mark: TokenCache.Mark { state.withLock { $0.mark } }

    func keep(_ facts: TokenFacts, of digest: [UInt8], since mark: TokenCache.Mark) {
        guard let digest = TokenDigest(digest) else { return }
        state.withLock { $0.keep(facts, of: digest, since: mark, at: .now) }
    }

    func take(_ look: TokenCache.Look) { state.withLock { $0.take(look) } }

    func lose() { state.withLock { $0.lose() } }

    /// Calls `wake` after each transaction of this node that narrowed something, in place of what was called before.
    func whenCommitted(_ wake: @escaping @Sendable () -> Void) { self.wake.withLock { $0 = wake } }

    /// Whether a token that is kept would be answered without asking the database; for metrics and tests.
    package var isFresh: Bool { state.withLock { $0.isFresh(at: .now) } }

    /// Tokens that are kept.
    package var count: Int { state.withLock { $0.count } }

    fileprivate func suspend(_ subjects: [AccessSubject]) { state.withLock { $0.suspend(subjects) } }

    fileprivate func lift(_ subjects: [AccessSubject]) {
        state.withLock { $0.lift(subjects) }
        wake.withLock { $0 }()
    }
}

/// What one transaction of this node narrows. Nothing of it is answered from the cache from the moment on at which the
/// transaction says so, before its COMMIT, until it is over, and what was cached is forgotten then, also where nobody
/// knows whether the COMMIT arrived.
final class Narrowing: Sendable {
    private let cache: AccessCache
    private let subjects = Mutex<[AccessSubject]>([])

    init(in cache: AccessCache) { self.cache = cache }

    func add(_ more: [AccessSubject]) {
        cache.suspend(more)
        subjects.withLock { $0 += more }
    }

    /// To be called once the transaction is over, before anybody is answered.
    func lift() {
        let narrowed = subjects.withLock { subjects in
            defer { subjects = [] }
            return subjects
        }
        if !narrowed.isEmpty { cache.lift(narrowed) }
    }
}
