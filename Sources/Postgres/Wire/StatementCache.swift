/// Which statements a connection has prepared, at most `limit`, the least recently used given up first.
struct StatementCache {
    /// A statement by its text and the types of its values.
    struct Key: Hashable {
        let sql: SQL

        static func == (left: Key, right: Key) -> Bool {
            left.sql.slots.count == right.sql.slots.count && left.sql.text == right.sql.text
                && zip(left.sql.slots, right.sql.slots).allSatisfy {
                    $0.position == $1.position && $0.type == $1.type
                }
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(sql.text)
            for slot in sql.slots {
                hasher.combine(slot.position)
                hasher.combine(slot.type)
            }
        }
    }

    struct Entry {
        let name: String
        var lastUse: Int
    }

    enum Use {
        case prepared(String)
        case prepare(String)
    }

    private let limit: Int
    private var entries: [Key: Entry] = [:]
    private var clock = 0
    private var named = 0
    /// Statements that the server still holds and nobody will use again.
    private(set) var doomed: [String] = []

    init(limit: Int) {
        self.limit = limit
    }

    /// The name to execute `sql` by, prepared already or to be prepared first. A name is never used twice.
    mutating func use(_ sql: SQL) -> Use {
        clock += 1
        let key = Key(sql: sql)
        if let index = entries.index(forKey: key) {
            entries.values[index].lastUse = clock
            return .prepared(entries.values[index].name)
        }
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
            doomed.append(oldest.value.name)
        }
        named += 1
        let name = "s\(named)"
        // Only the text and the types matter from here on.
        var kept = sql
        kept.values = []
        entries[Key(sql: kept)] = Entry(name: name, lastUse: clock)
        return .prepare(name)
    }

    /// For a statement whose preparation failed.
    mutating func forget(_ sql: SQL) {
        entries[Key(sql: sql)] = nil
    }

    /// For statements that no longer fit what they read: all are prepared anew.
    mutating func forgetAll() {
        doomed += entries.values.map(\.name)
        entries = [:]
    }

    mutating func takeDoomed() -> [String] {
        defer { doomed = [] }
        return doomed
    }

    mutating func doom(_ name: String) {
        doomed.append(name)
    }
}
