/// What a node remembers of the tokens that it looked up: decides by itself when that may be answered from, and forgets.
///
/// A token that a committed change has ended is never answered from here: on the node that commits the change not from
/// the moment on at which the COMMIT is sent, on any other not later than ``freshness`` after it. The invariants that
/// make it so stand at the fields. Pure: whoever keeps one tells it what happened, and when on the monotonic clock.
package struct TokenCache: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// How long after a look at the endings began this cache may answer. 250 ms is promised; what is left of them is for
    /// the answer's way out.
    package static let freshness = Duration.milliseconds(200)
    /// Facts that decide nothing (names) are read anew after this.
    package static let longestKept = Duration.seconds(60)
    /// Tokens that are kept at most.
    package static let standardCapacity = 16_384
    /// Endings that are remembered for the sake of look-ups under way; beyond them every look-up under way counts as
    /// overtaken.
    static let mostRecent = 4096

    /// A look at the endings that completed.
    package struct Look: Sendable {
        /// Before its first statement was sent. Every ending that was committed by then is in this look or in an earlier.
        package let began: Instant
        /// The database's clock, read after `began`.
        package let clock: Timestamp
        /// nil: this look only says from where on the next ones will tell, or there were too many to tell.
        package let ended: [AccessSubject]?

        package init(began: Instant, clock: Timestamp, ended: [AccessSubject]?) {
            self.began = began
            self.clock = clock
            self.ended = ended
        }
    }

    /// When a look-up began, in the order of endings.
    package struct Mark: Sendable, Hashable {
        fileprivate let sequence: UInt64
    }

    private struct Entry {
        let digest: TokenDigest
        let facts: TokenFacts
        let subjects: [AccessSubject]
        let keptAt: Instant
        /// Since the hand of the clock came by: such an entry is passed over once.
        var wasUsed = false
    }

    /// The last look. Nothing is answered once its begin is ``freshness`` ago: a listener that hangs (a half-open
    /// connection, a stopped process) proves nothing by not having reported, so the proof is compared at each use.
    private var proof: Look?
    /// Subjects of transactions under way on this node, with how many each. Of these nothing is answered and nothing kept:
    /// between the COMMIT in the database and its arrival here, only the database knows.
    private var suspended: [AccessSubject: Int] = [:]
    /// One more with everything that was forgotten. A look-up that began before the last forgetting of one of its subjects
    /// may have read what was true before, so what it brings is not kept.
    private var sequence: UInt64 = 0
    private var recent: [AccessSubject: UInt64] = [:]
    /// Marks below it are overtaken, whatever they looked up.
    private var floor: UInt64 = 0

    private var entries: [Entry?] = []
    private var places: [TokenDigest: Int] = [:]
    private var free: [Int] = []
    /// Places of what names a user, grant, token or authorization. The wide subjects are looked for instead: they end
    /// seldom, and their lists would be as long as the cache.
    private var placesOfSubject: [AccessSubject: [Int]] = [:]
    private var hand = 0
    private let capacity: Int

    /// Empty, and without a proof of freshness: it keeps and answers nothing before the first look.
    package init(capacity: Int = Self.standardCapacity) {
        self.capacity = max(1, capacity)
    }

    package var count: Int { places.count }

    /// Whether a kept token would be answered now.
    package func isFresh(at now: Instant) -> Bool {
        guard let proof else { return false }
        return now - proof.began < Self.freshness
    }

    // MARK: Use

    /// What is known of the token, as of now; nil: to be asked of the database.
    ///
    /// Now is the database's clock as the last look read it, carried on by the monotonic clock since that look began: never
    /// behind the database's, so that nothing is good here which has expired there, and without this node's own wall clock,
    /// which may be anywhere.
    package mutating func facts(of digest: TokenDigest, at now: Instant) -> TokenFacts? {
        guard let proof, isFresh(at: now), let place = places[digest], let entry = entries[place] else { return nil }
        guard now - entry.keptAt < Self.longestKept else {
            remove(at: place)
            return nil
        }
        guard suspended.isEmpty || !entry.subjects.contains(where: { suspended[$0] != nil }) else { return nil }
        entries[place]?.wasUsed = true
        var facts = entry.facts
        facts.checkedAt = max(facts.checkedAt, proof.clock + (now - proof.began))
        return facts
    }

    /// To be taken before a look-up is sent to the database.
    package var mark: Mark { Mark(sequence: sequence) }

    /// Keeps what a look-up brought, unless an ending overtook it. Only what is good wherever it is used is kept: a refusal
    /// may be lifted at any time, and nobody would hear of it here.
    package mutating func keep(_ facts: TokenFacts, of digest: TokenDigest, since mark: Mark, at now: Instant) {
        guard proof != nil, mark.sequence >= floor, facts.refusalWhereverUsed == nil else { return }
        let subjects = facts.subjects
        let isOvertaken = subjects.contains { suspended[$0] != nil || recent[$0].map { $0 > mark.sequence } ?? false }
        guard !isOvertaken else { return }
        if let place = places[digest] { remove(at: place) }
        let place = emptyPlace()
        entries[place] = Entry(digest: digest, facts: facts, subjects: subjects, keptAt: now)
        places[digest] = place
        for subject in subjects where !subject.isWide { placesOfSubject[subject, default: []].append(place) }
    }

    // MARK: Endings

    /// A transaction of this node is about to end or narrow their access. Until ``lift(_:)`` the database is asked.
    package mutating func suspend(_ subjects: [AccessSubject]) {
        for subject in subjects { suspended[subject, default: 0] += 1 }
    }

    /// That transaction is over, whatever came of it.
    package mutating func lift(_ subjects: [AccessSubject]) {
        for subject in subjects {
            let left = suspended[subject, default: 1] - 1
            suspended[subject] = left > 0 ? left : nil
        }
        forget(subjects)
    }

    /// A look completed. The first one after ``lose()`` only sets the point from which on endings are told: what was looked
    /// up before it is overtaken.
    package mutating func take(_ look: Look) {
        if let ended = look.ended { forget(ended) } else { forgetAll() }
        proof = look
    }

    /// The connection is lost, and with it what it would have told.
    package mutating func lose() {
        proof = nil
        forgetAll()
    }

    private mutating func forget(_ subjects: [AccessSubject]) {
        guard !subjects.isEmpty else { return }
        sequence += 1
        if recent.count + subjects.count > Self.mostRecent {
            recent = [:]
            floor = sequence
        } else {
            for subject in subjects { recent[subject] = sequence }
        }
        let wide = Set(subjects.filter(\.isWide))
        for subject in subjects where !subject.isWide {
            for place in placesOfSubject[subject] ?? [] { remove(at: place) }
        }
        guard !wide.isEmpty else { return }
        for place in entries.indices {
            guard let entry = entries[place], entry.subjects.contains(where: wide.contains) else { continue }
            remove(at: place)
        }
    }

    private mutating func forgetAll() {
        sequence += 1
        floor = sequence
        recent = [:]
        entries = []
        places = [:]
        free = []
        placesOfSubject = [:]
        hand = 0
    }

    // MARK: Places

    private mutating func emptyPlace() -> Int {
        if let place = free.popLast() { return place }
        guard entries.count >= capacity else {
            entries.append(nil)
            return entries.count - 1
        }
        // Second chance: what was used since the hand came by stays for one more round. Two rounds at most.
        while true {
            let place = hand
            hand = (hand + 1) % capacity
            guard entries[place]?.wasUsed != true else {
                entries[place]?.wasUsed = false
                continue
            }
            remove(at: place)
            return free.popLast() ?? place
        }
    }

    private mutating func remove(at place: Int) {
        guard let entry = entries[place] else { return }
        entries[place] = nil
        places[entry.digest] = nil
        free.append(place)
        for subject in entry.subjects where !subject.isWide {
            placesOfSubject[subject]?.removeAll { $0 == place }
            if placesOfSubject[subject]?.isEmpty == true { placesOfSubject[subject] = nil }
        }
    }
}

extension AccessSubject {
    /// Whether it concerns many users at once.
    fileprivate var isWide: Bool {
        switch self {
        case .integration, .organization: true
        case .user, .grant, .token, .authorization: false
        }
    }
}

/// The keyed digest under which a token is stored and looked up.
package struct TokenDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// nil unless it has the 32 bytes of HMAC-SHA256.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        func word(_ place: Int) -> UInt64 { bytes[place * 8..<place * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    package static func == (one: TokenDigest, other: TokenDigest) -> Bool { one.words == other.words }

    package func hash(into hasher: inout Hasher) {
        // A keyed digest is already as random as a hash can be.
        hasher.combine(words.0)
    }
}
