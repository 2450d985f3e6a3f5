package import Transparency

/// The values by which a person can be told from others: what is looked for where somebody may have written of them.
package struct IdentifyingValues: Sendable, Hashable {
    /// Each once, as it was written, and in lower case where that is another text.
    package let texts: [String]

    /// Attributes of which every text is one, in whichever depth.
    private static let attributes: Set<String> = [
        "externalId", "userName", "displayName", "nickName", "emails", "phoneNumbers", "employeeNumber", "ims",
        "profileUrl", "username",
    ]
    /// Shorter ones are found as a whole JSON text only: others hold them by chance.
    package static let leastFree = 6

    /// Also usernames of accounts that were made for the person.
    package init(of person: JSON.Object, usernames: [String] = []) {
        var texts = usernames
        for (name, value) in person.members {
            switch name {
            case _ where Self.attributes.contains(name): texts += Self.texts(in: value)
            case "name": texts += [value["formatted"]?.string, Self.fullName(value)].compactMap(\.self)
            case _ where name.hasPrefix("urn:"):
                for (inner, value) in value.object?.members ?? [] where Self.attributes.contains(inner) {
                    texts += Self.texts(in: value)
                }
            default: break
            }
        }
        let whole = texts.filter { !$0.isEmpty }
        self.texts = Set(whole + whole.map { $0.lowercased() }).sorted()
    }

    /// Of what an entry discloses of one person: attributes by their paths, extensions opened.
    package init(disclosed: [(name: String, value: JSON)]) {
        var person: JSON.Object = [:]
        for (path, value) in disclosed {
            // Both sides of a change may say the attribute.
            let name = path.hasPrefix("urn:") ? String(path.split(separator: ":").last ?? "") : path
            person[name] = .array((person[name]?.array ?? []) + [value])
        }
        let names = person["name"]?.array ?? []
        person["name"] = nil
        let fullNames = names.flatMap { [$0["formatted"]?.string, Self.fullName($0)].compactMap(\.self) }
        self.init(of: person, usernames: fullNames)
    }

    /// Byte strings of which none stands in a text that does not say one of the values: the value itself, with its other
    /// characters escaped as JSON may, and in base64 at each of the three places where it may begin.
    package var forms: [[UInt8]] {
        var forms: Set<[UInt8]> = []
        for text in texts {
            guard text.utf8.count >= Self.leastFree else {
                forms.insert(Array("\"\(text)\"".utf8))
                continue
            }
            forms.insert(Array(text.utf8))
            forms.insert(Self.escaped(text))
            forms.formUnion(Self.base64(Array(text.utf8)))
        }
        return forms.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Whether a text that somebody wrote says one of the values: a short one as a line of its own.
    package func isSaid(in text: String) -> Bool {
        let lower = text.lowercased()
        let lines = Set(lower.split(separator: "\n").map { String($0) })
        return texts.contains { value in
            value.utf8.count >= Self.leastFree ? lower.contains(value.lowercased()) : lines.contains(value.lowercased())
        }
    }

    private static func texts(in value: JSON) -> [String] {
        switch value {
        case .string(let text): [text]
        case .number(let number): [number.literal]
        case .array(let values): values.flatMap(texts)
        // `type` and `primary` of a plural attribute say nothing of anybody.
        case .object(let object): ["value", "display"].compactMap { object[$0] }.flatMap(texts)
        case .null, .bool: []
        }
    }

    private static func fullName(_ name: JSON) -> String? {
        guard let given = name["givenName"]?.string, let family = name["familyName"]?.string else { return nil }
        return "\(given) \(family)"
    }

    private static func escaped(_ text: String) -> [UInt8] {
        text.utf16.flatMap { unit -> [UInt8] in
            if unit < 0x80 { return [UInt8(unit)] }
            let digits = String(unit, radix: 16)
            return Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
        }
    }

    /// In both alphabets, without the characters at either end that also tell of what stands beside.
    private static func base64(_ bytes: [UInt8]) -> Set<[UInt8]> {
        var forms: Set<[UInt8]> = []
        for before in 0..<3 {
            let padded = [UInt8](repeating: 0, count: before) + bytes
            let first = (before * 8 + 5) / 6
            let last = padded.count * 8 / 6
            for alphabet in [Base64.standard, Base64.url] {
                forms.insert(Array(Array(alphabet.encode(padded).utf8)[first..<last]))
            }
        }
        return forms
    }
}
