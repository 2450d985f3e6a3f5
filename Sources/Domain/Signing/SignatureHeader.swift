/// The text that carries the signatures as named values, by the profile's grammar.
struct SignatureHeader {
    /// Values that belong to one signed time. One, but for the grammar `groups`.
    let groups: [Group]

    /// Characters of the text.
    static let longest = 4_096
    /// Values in one text, and so signatures. A rotation takes two; the most generous sender keeps ten old keys.
    static let mostValues = 16
    /// Groups of one text: each is signed over a text of its own, which holds the whole body. A rotation takes two.
    static let mostGroups = 4

    /// The values of one group, in the sender's order.
    struct Group {
        let values: [(name: String, value: String)]

        /// The value of a name that has to be there once.
        func one(_ name: String, _ refusals: HeaderRefusals) throws(Verdict.Refusal) -> String {
            var found: String?
            for value in values where value.name == name {
                guard found == nil else { throw refusals.repeated }
                found = value.value
            }
            guard let found else { throw refusals.missing }
            guard found.utf8.count <= HookRequest.longestValue else { throw refusals.tooLong }
            return found
        }
    }

    init(_ text: String, grammar: SigningProfile.Grammar) throws(Verdict.Refusal) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { throw .signatureMalformed }
        switch grammar {
        case .raw:
            groups = [Group(values: [("", text)])]
        case .prefixed(let prefix):
            groups = [Group(values: [("", try Self.behind(prefix, of: text))])]
        case .prefixedList(let prefix):
            let items = try Self.behind(prefix, of: text).split(separator: ",", omittingEmptySubsequences: false)
            groups = [Group(values: items.map { ("", String($0)) })]
        case .list:
            groups = [Group(values: try Self.split(text, between: " ", inside: ","))]
        case .pairs:
            groups = [Group(values: try Self.split(text, between: ",", inside: "="))]
        case .groups:
            var groups: [Group] = []
            for group in text.split(separator: " ", omittingEmptySubsequences: false) {
                groups.append(Group(values: try Self.split(String(group), between: ",", inside: "=")))
            }
            self.groups = groups
        }
        guard groups.count <= Self.mostGroups else { throw .signatureTooMany }
        guard groups.reduce(0, { $0 + $1.values.count }) <= Self.mostValues else { throw .signatureTooMany }
    }

    private static func behind(_ prefix: String, of text: String) throws(Verdict.Refusal) -> String {
        guard text.hasPrefix(prefix) else { throw .signatureMalformed }
        return String(text.dropFirst(prefix.count))
    }

    private static func split(
        _ text: String,
        between: Character,
        inside: Character
    ) throws(Verdict.Refusal) -> [(name: String, value: String)] {
        var values: [(name: String, value: String)] = []
        for item in text.split(separator: between, omittingEmptySubsequences: false) {
            // Some senders put a space behind the comma.
            let item = between == "," && item.first == " " ? item.dropFirst() : item
            guard let middle = item.firstIndex(of: inside), middle != item.startIndex,
                item.index(after: middle) != item.endIndex
            else { throw .signatureMalformed }
            values.append((String(item[..<middle]), String(item[item.index(after: middle)...])))
        }
        return values
    }
}

extension SigningProfile.Grammar {
    /// One signature as the grammar writes it; the prefix of a prefixed grammar is written once, by `join`.
    func item(tag: String, text: String) -> String {
        switch self {
        case .raw, .prefixed, .prefixedList: text
        case .list: tag + "," + text
        case .pairs, .groups: tag + "=" + text
        }
    }

    /// The whole text of these values; nil when the grammar has room for fewer.
    func join(_ groups: [[String]]) -> String? {
        let values = groups.first ?? []
        switch self {
        case .raw: return values.count == 1 && groups.count == 1 ? values[0] : nil
        case .prefixed(let prefix): return values.count == 1 && groups.count == 1 ? prefix + values[0] : nil
        case .prefixedList(let prefix): return prefix + values.joined(separator: ",")
        case .list: return values.joined(separator: " ")
        case .pairs: return values.joined(separator: ",")
        case .groups: return groups.map { $0.joined(separator: ",") }.joined(separator: " ")
        }
    }
}
