extension JSON {
    /// The members of an object in the order in which they came. Names are compared byte for byte.
    package struct Object: Sendable {
        /// Every member once, in order of arrival; setting an existing name keeps its place.
        package private(set) var members: [(key: String, value: JSON)] = []

        /// Where each name stands in `members`; kept only above `scanLimit`, because comparing a few short names is
        /// cheaper than hashing them.
        private var places: [ExactText: Int]?

        /// Up to so many members are searched one by one.
        private static let scanLimit = 12

        /// Room made for the first member, so that most objects allocate once.
        private static let firstCapacity = 6

        /// An object without members.
        package init() {}

        /// The number of members.
        package var count: Int { members.count }

        /// True when there is no member.
        package var isEmpty: Bool { members.isEmpty }

        /// The names in order of arrival.
        package var keys: [String] { members.map(\.key) }

        /// The value of that name. Setting nil takes the member out; to store a null, set `JSON.null`.
        package subscript(_ key: String) -> JSON? {
            get {
                place(of: key).map { members[$0].value }
            }
            set {
                switch (place(of: key), newValue) {
                case (let place?, let value?):
                    members[place].value = value
                case (let place?, nil):
                    members.remove(at: place)
                    places = nil
                    indexIfLarge()
                case (nil, let value?):
                    add(key, value)
                case (nil, nil):
                    break
                }
            }
        }

        /// Adds a member of a new name; false, and nothing changed, when the name is there already.
        mutating func insert(_ key: String, _ value: JSON) -> Bool {
            if places != nil {
                let (place, isNew) = reserve(key)
                guard isNew, place == members.count else { return false }
                members.append((key, value))
                return true
            }
            guard place(of: key) == nil else { return false }
            add(key, value)
            return true
        }

        private mutating func reserve(_ key: String) -> (place: Int, isNew: Bool) {
            let next = members.count
            let found = places?[ExactText(key), default: next] ?? next
            guard found == next else { return (found, false) }
            places?[ExactText(key)] = next
            return (next, true)
        }

        private mutating func add(_ key: String, _ value: JSON) {
            if members.isEmpty { members.reserveCapacity(Self.firstCapacity) }
            places?[ExactText(key)] = members.count
            members.append((key, value))
            indexIfLarge()
        }

        private mutating func indexIfLarge() {
            guard places == nil, members.count > Self.scanLimit else { return }
            var found: [ExactText: Int] = [:]
            found.reserveCapacity(members.count * 2)
            for (place, member) in members.enumerated() { found[ExactText(member.key)] = place }
            places = found
        }

        private func place(of key: String) -> Int? {
            if let places { return places[ExactText(key)] }
            let sought = key.utf8Span.span
            return members.firstIndex { ExactText.same($0.key, sought) }
        }
    }
}

extension JSON.Object: Hashable {
    /// Equal members in any order.
    package static func == (left: Self, right: Self) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }

    /// Agrees with `==`.
    package func hash(into hasher: inout Hasher) {
        // Order does not count in equality, so the members' hashes are joined by a sum, which has no order either.
        var sum = 0
        for (key, value) in members {
            var member = Hasher()
            member.combine(ExactText(key))
            member.combine(value)
            sum &+= member.finalize()
        }
        hasher.combine(sum)
    }
}

extension JSON.Object: ExpressibleByDictionaryLiteral {
    /// A name written twice keeps its first place and its last value.
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }
}
