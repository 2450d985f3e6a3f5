package import Transparency

/// When which of the keys signs, and which are published.
///
/// Invariants:
/// - A key is published ``publishedBefore`` it signs, longer than anybody keeps what was published, so that nobody meets a
///   token whose key they cannot know. The first of all keys signs at once: nobody has asked before.
/// - It signs until the next one does, and stays published ``publishedAfter`` that: longer than a token lives, and a node
///   goes on with what it read.
/// - A key that was taken out is not among these any more, whatever it signed.
package struct TokenKeySchedule: Sendable {
    /// A key and when it begins to sign; its end is the begin of the next.
    package struct Entry: Sendable {
        package let key: TokenKey
        package let madeAt: Timestamp
        package let signsFrom: Timestamp

        package init(key: TokenKey, madeAt: Timestamp, signsFrom: Timestamp) {
            self.key = key
            self.madeAt = madeAt
            self.signsFrom = signsFrom
        }
    }

    /// What a key does at a moment.
    package enum State: String, Sendable {
        /// Published, so that everybody knows it in time.
        case waiting
        case signing
        /// Published for what it signed.
        case retired
        /// Nothing that it signed is good any more.
        case over
    }

    /// How long one key signs.
    package static let signsFor = Duration.seconds(30 * 86_400)
    package static let publishedBefore = Duration.seconds(3600)
    package static let publishedAfter = Duration.seconds(3600)
    /// Seconds for which whoever asks may keep what is published.
    package static let cacheSeconds = 300

    /// In the order in which they sign.
    private let entries: [Entry]

    /// `entries` are those that were not taken out.
    package init(_ entries: [Entry]) {
        self.entries = entries.sorted { ($0.signsFrom, $0.key.id) < ($1.signsFrom, $1.key.id) }
    }

    /// The last to sign; nil where there is none.
    package var newest: Entry? { entries.last }

    /// Every key with what it does then.
    package func states(at now: Timestamp) -> [(entry: Entry, state: State)] {
        entries.indices.map { place in
            let entry = entries[place]
            if entry.signsFrom > now { return (entry, .waiting) }
            let next = entries.dropFirst(place + 1).first
            guard let next, next.signsFrom <= now else { return (entry, .signing) }
            return (entry, next.signsFrom + Self.publishedAfter > now ? .retired : .over)
        }
    }

    /// The key that signs then.
    package func signing(at now: Timestamp) -> TokenKey? { states(at: now).first { $0.state == .signing }?.entry.key }

    /// The set of keys as it is published then (RFC 7517 5).
    package func published(at now: Timestamp) -> JSON {
        ["keys": .array(states(at: now).filter { $0.state != .over }.map(\.entry.key.json))]
    }

    /// Whether it is time for another key, and how long after it is published it is to sign.
    package func due(at now: Timestamp) -> Duration? {
        guard let newest else { return .zero }
        // All others were taken out: until it signs, nothing would.
        guard signing(at: now) != nil else { return .zero }
        return newest.signsFrom + Self.signsFor - Self.publishedBefore <= now ? Self.publishedBefore : nil
    }
}
