import Domain
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

/// Hooks as they were at most ``freshness`` ago, so that a burst of deliveries asks for its source once.
///
/// What the database does not know is never kept: an unknown source is asked for each time, and is known at once when it
/// is made. A key that was removed counts for at most that long after.
final class HookCache: Sendable {
    private struct Kept: Sendable {
        let hook: CachedHook
        let readAt: ContinuousClock.Instant
    }

    private let store: Store
    private let profiles: [String: SigningProfile]
    private let kept = Mutex<[SourceID: Kept]>([:])

    static let freshness = Duration.seconds(1)
    /// Past this many sources the cache starts anew.
    static let mostHooks = 4096

    init(store: Store, profiles: [String: SigningProfile]) {
        self.store = store
        self.profiles = profiles
    }

    /// nil only where the database knows no such source.
    func hook(_ id: SourceID) async throws -> CachedHook? {
        let now = ContinuousClock.now
        if let known = kept.withLock({ $0[id] }), known.readAt.duration(to: now) < Self.freshness { return known.hook }
        guard let row = try await store.hook(id) else { return nil }
        let hook = try read(row)
        kept.withLock { kept in
            if kept.count >= Self.mostHooks { kept = [:] }
            kept[id] = Kept(hook: hook, readAt: now)
        }
        return hook
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
            profile: profile,
            keys: try row.keys.map { try $0.signingKey(for: profile) },
            keysVersion: row.keysVersion
        )
    }
}

/// A source that cannot be judged here. A fault of ours.
enum HookFault: Error {
    case profileMissing(String)
}

/// Which uses of keys are to be written: one a minute and key on each node, with the delivery that happens to be the
/// first of that minute. That a key is still in use is what an admin wants to know before they remove it; it is not worth
/// a write for each delivery.
final class KeyUses: Sendable {
    private let noted = Mutex<[SourceKeyID: Timestamp]>([:])

    static let resolution = Duration.seconds(60)
    /// Past this many keys all are noted anew.
    static let mostKeys = 16_384

    /// Whether this use is to be written. Says so once a ``resolution``.
    func isToBeNoted(_ key: SourceKeyID?, at instant: Timestamp) -> Bool {
        guard let key else { return false }
        return noted.withLock { noted in
            if let last = noted[key], instant < last + Self.resolution { return false }
            if noted.count >= Self.mostKeys { noted = [:] }
            noted[key] = instant
            return true
        }
    }
}
