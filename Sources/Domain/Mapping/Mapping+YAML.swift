import Filter
import Transparency
import Yams

extension Mapping {
    /// The mappings that the program carries, by name.
    package static func embedded() throws(MappingFileError) -> [String: Mapping] {
        var mappings: [String: Mapping] = [:]
        for (file, text) in EmbeddedFiles.mappings {
            let mapping = try Mapping(yaml: text, file: file)
            mappings[mapping.name] = mapping
        }
        return mappings
    }

    /// Refuses a file that names an unknown member, kind, form or pointer, at whatever depth, by the member's path.
    package init(yaml: String, file: String) throws(MappingFileError) {
        do throws(SigningProfileError) {
            var fields = try ProfileFields(yaml: yaml, file: file)
            try self.init(&fields, file: file)
            try fields.end()
        } catch {
            throw MappingFileError(file: error.file, field: error.field, problem: error.problem)
        }
    }

    private init(_ fields: inout ProfileFields, file: String) throws(SigningProfileError) {
        name = try fields.text("name")
        guard file == name + ".yaml" else { throw fields.error("name", "is not the file's name") }
        unconfirmed = try fields.optional("unconfirmed")?.texts() ?? []
        events = try fields.list("events") { element throws(SigningProfileError) in try element.pointer() }
        guard !events.isEmpty else { throw fields.error("events", "is empty") }
        habits = PayloadPart.Habits(
            absent: Set(try fields.optional("absent")?.texts(orEmpty: true) ?? []),
            valueMember: try fields.optionalText("value_member")
        )
        kinds = try KindRules(&fields)
        id = try fields.optional("id").map { element throws(SigningProfileError) in
            try MappedValue(element, form: .text, allowed: [.text])
        }
        occurredAt = try fields.optional("occurred_at").map { element throws(SigningProfileError) in
            try MappedValue(element, form: .rfc3339, allowed: MappedValue.times)
        }
        effectiveAt = try fields.optional("effective_at").map { element throws(SigningProfileError) in
            try MappedValue(element, form: .rfc3339, allowed: MappedValue.times + [.date])
        }
        person = try fields.required("person").pointer()
        attributes = try fields.optionalFields("attributes").map { fields throws(SigningProfileError) in
            try MappedAttribute(members: fields)
        }
        samples = try Self.samples(fields.optionalFields("samples"))
        guard occurredAt != nil || kinds.rules.allSatisfy({ $0.ahead == nil }) else {
            throw fields.error("occurred_at", "is needed: a rule asks what lies ahead of it")
        }
    }

    /// In alphabetical order.
    private static func samples(_ fields: ProfileFields?) throws(SigningProfileError) -> [MappingSample] {
        guard var fields else { return [] }
        var samples: [MappingSample] = []
        for name in fields.names { samples.append(try MappingSample(try fields.required(name), name: name)) }
        return samples
    }
}

extension KindRules {
    /// Either `kind` and `kinds`, a word and its meanings, or `rules` over `names`.
    fileprivate init(_ fields: inout ProfileFields) throws(SigningProfileError) {
        guard let ordered = fields.optional("rules") else {
            let pointer = try fields.fields("kind").onlyPointer()
            try self.init(words: try fields.fields("kinds"), at: pointer)
            return
        }
        var names: [String: MappedValue] = [:]
        if var named = try fields.optionalFields("names") {
            for name in named.names {
                guard name.isPlainName else { throw named.error(name, "is no name that a filter can ask for") }
                names[name] = try MappedValue(
                    try named.required(name),
                    form: .any,
                    allowed: MappedValue.Form.allCases,
                    mayKnow: true
                )
            }
        }
        var rules: [MappingRule] = []
        for element in try ordered.elements() { rules.append(try MappingRule(try element.fields(), names: names)) }
        guard !rules.isEmpty else { throw ordered.error("is empty") }
        self.init(names: names, rules: rules)
    }

    /// One word that says it all: each meaning is a rule of its own.
    private init(words: ProfileFields, at pointer: PayloadPointer) throws(SigningProfileError) {
        var words = words
        var known: [String: JSON] = [:]
        var rules: [MappingRule] = []
        for word in words.names {
            let kind: EventKind = try words.word(word)
            known[word] = .string(word)
            rules.append(
                MappingRule(
                    when: Filter(.comparison(AttributePath("kind"), .equal, .string(word))),
                    ahead: nil,
                    kind: kind,
                    effectiveAt: nil,
                    asked: ["kind"]
                )
            )
        }
        guard !rules.isEmpty else { throw words.error("", "is empty") }
        let word = MappedValue(pointers: [pointer], constant: nil, words: known, form: .text)
        self.init(names: ["kind": word], rules: rules)
    }
}

extension MappingRule {
    fileprivate init(_ fields: ProfileFields, names: [String: MappedValue]) throws(SigningProfileError) {
        var fields = fields
        if let text = try fields.optionalText("when") {
            do throws(FilterError) {
                when = try Filter(text)
            } catch {
                throw fields.error("when", "is no filter: \(error)")
            }
        } else {
            when = nil
        }
        var asked: [String] = []
        for path in when?.root.paths ?? [] where names[path.attribute] != nil && !asked.contains(path.attribute) {
            asked.append(path.attribute)
        }
        self.asked = asked
        ahead = try fields.optionalText("ahead")
        if let ahead, names[ahead] == nil { throw fields.error("ahead", "is none of the names") }
        let word = try fields.text("kind")
        kind = EventKind(rawValue: word)
        guard kind != nil || word == "none" else {
            let known = EventKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw fields.error("kind", "is unknown; known are \(known), none")
        }
        effectiveAt = try fields.optional("effective_at").map { element throws(SigningProfileError) in
            try MappedValue(element, form: .rfc3339, allowed: MappedValue.times + [.date])
        }
        try fields.end()
    }
}

extension MappedValue {
    fileprivate static let times: [Form] = [.rfc3339, .iso8601, .seconds, .milliseconds]

    /// A pointer, or what is made of one or several: `{pointer: …}`, `{pointers: […], values: {…}}`, `{constant: …}`.
    /// `mayKnow` takes `known: […]` too: the only words there may be, as they are.
    fileprivate init(
        _ element: ProfileElement,
        form: Form,
        allowed: [Form],
        mayKnow: Bool = false
    ) throws(SigningProfileError) {
        if element.isText {
            self.init(pointers: [try element.pointer()], constant: nil, words: nil, form: form)
            return
        }
        var fields = try element.fields()
        if let constant = fields.optional("constant") {
            try fields.end()
            self.init(pointers: [], constant: try constant.scalar(), words: nil, form: .any)
            return
        }
        let pointers: [PayloadPointer]
        if let several = fields.optional("pointers") {
            var read: [PayloadPointer] = []
            for element in try several.elements() { read.append(try element.pointer()) }
            guard !read.isEmpty else { throw several.error("is empty") }
            pointers = read
        } else {
            pointers = [try fields.required("pointer").pointer()]
        }
        var words: [String: JSON]?
        if var values = try fields.optionalFields("values") {
            var read: [String: JSON] = [:]
            for word in values.names { read[word] = try values.required(word).scalar() }
            words = read
        } else if mayKnow, let known = try fields.optional("known")?.texts() {
            words = Dictionary(known.map { ($0, JSON.string($0)) }) { first, _ in first }
        }
        let named: Form? = try fields.optional("form")?.word()
        if let named, !allowed.contains(named) || words != nil {
            throw fields.error("form", "cannot be \(named.rawValue) here")
        }
        try fields.end()
        self.init(pointers: pointers, constant: nil, words: words, form: named ?? form)
    }
}

extension MappedAttribute {
    /// A pointer, a value made of pointers, a list, or an object of those.
    private init(_ element: ProfileElement) throws(SigningProfileError) {
        if element.isText {
            self = .value(try MappedValue(element, form: .any, allowed: []))
        } else if element.node.sequence != nil {
            var elements: [MappedAttribute] = []
            for element in try element.elements() { elements.append(try MappedAttribute(element)) }
            self = .list(elements)
        } else {
            let fields = try element.fields()
            // No attribute of SCIM is called so.
            let isValue = !Set(fields.names).isDisjoint(with: ["pointer", "pointers", "constant"])
            self =
                isValue
                ? .value(try MappedValue(element, form: .any, allowed: [.any, .text, .date, .rfc3339, .iso8601]))
                : try MappedAttribute(members: fields)
        }
    }

    fileprivate init(members: ProfileFields) throws(SigningProfileError) {
        var members = members
        var read: [(name: String, attribute: MappedAttribute)] = []
        for name in members.names { read.append((name, try MappedAttribute(try members.required(name)))) }
        self = .object(read)
    }
}

extension ProfileFields {
    fileprivate func onlyPointer() throws(SigningProfileError) -> PayloadPointer {
        var fields = self
        let pointer = try fields.required("pointer").pointer()
        try fields.end()
        return pointer
    }
}

extension ProfileElement {
    /// An RFC 6901 pointer; the empty one is the whole.
    fileprivate func pointer() throws(SigningProfileError) -> PayloadPointer {
        guard let text = node.scalar?.string, let pointer = PayloadPointer(text) else {
            throw error("is no JSON pointer")
        }
        return pointer
    }

    fileprivate func texts(orEmpty: Bool = false) throws(SigningProfileError) -> [String] {
        var texts: [String] = []
        for element in try elements() {
            guard let text = element.node.scalar?.string, orEmpty || !text.isEmpty else {
                throw element.error("is not a text")
            }
            texts.append(text)
        }
        return texts
    }

    /// A text, true, false or a whole number, as YAML writes them.
    fileprivate func scalar() throws(SigningProfileError) -> JSON {
        guard let scalar = node.scalar else { throw error("is not a single value") }
        guard scalar.style == .plain else { return .string(scalar.string) }
        if let bool = node.bool { return .bool(bool) }
        if let number = node.int { return .integer(number) }
        return .string(scalar.string)
    }
}

extension String {
    /// Letters, digits, `_` and `-` behind a letter: what a filter writes without a dot.
    fileprivate var isPlainName: Bool {
        let isLetter = { (byte: UInt8) in (0x61...0x7A).contains(byte | 0x20) }
        guard let first = utf8.first, isLetter(first) else { return false }
        return utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F }
    }
}
