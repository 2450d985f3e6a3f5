import Synchronization

/// How many requests of each key (a client's network, a source) are in hand at once.
///
/// Invariants: none of a key beyond `most` is let in, it is told so at once and never queued; a key without requests takes
/// no room.
final class HookCrowd<Key: Hashable & Sendable>: Sendable {
    private let most: Int
    private let present = Mutex<[Key: Int]>([:])

    init(most: Int) {
        self.most = most
    }

    /// Runs `body` while there is room for `key`; throws ``Crowded`` where there is none.
    func admit<Output>(_ key: Key, _ body: () async throws -> Output) async throws -> Output {
        let isAdmitted = present.withLock { present in
            guard present[key, default: 0] < most else { return false }
            present[key, default: 0] += 1
            return true
        }
        guard isAdmitted else { throw Crowded() }
        defer {
            present.withLock { present in
                let left = present[key, default: 1] - 1
                present[key] = left > 0 ? left : nil
            }
        }
        return try await body()
    }
}

/// Too many requests of one source or network are in hand. The sender is to come again.
struct Crowded: Error {}
