package import Domain
package import Storage
import Synchronization

/// A clock that stands still until the test moves it.
package final class FixedClock: WallClock {
    private let time: Mutex<Timestamp>

    package init(_ time: Timestamp = Timestamp(seconds: 1_795_251_600)) {
        self.time = Mutex(time)
    }

    package func now() -> Timestamp { time.withLock { $0 } }

    package func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// The same bytes for the same seed, never the same twice: SplitMix64. For tests alone.
package final class SeededRandomness: Randomness {
    private let state: Mutex<UInt64>

    package init(seed: UInt64 = 1) {
        state = Mutex(seed)
    }

    package func bytes(_ count: Int) -> [UInt8] {
        state.withLock { state in
            var bytes: [UInt8] = []
            while bytes.count < count {
                state &+= 0x9E37_79B9_7F4A_7C15
                var word = state
                word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
                word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
                word ^= word >> 31
                bytes += (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
            }
            return Array(bytes.prefix(count))
        }
    }
}

/// A list of erasures that ends with the test.
package final class NotedErasures: Sendable {
    private let noted = Mutex<[OrganizationID: Set<PersonID>]>([:])

    package init() {}

    package var people: [OrganizationID: [PersonID]] { noted.withLock { $0.mapValues { $0.sorted() } } }

    package var register: ErasureRegister {
        ErasureRegister(
            note: { organization, person in _ = self.noted.withLock { $0[organization, default: []].insert(person) } },
            listed: { self.people }
        )
    }
}
