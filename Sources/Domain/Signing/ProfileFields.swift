import Yams

/// The members of one mapping of a profile's file. Each may be taken once; `end()` refuses what nobody took.
struct ProfileFields {
    private let file: String
    private let path: String
    private var rest: [String: Node]

    init(yaml: String, file: String) throws(SigningProfileError) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw SigningProfileError(file: file, field: "", problem: "is not YAML: \(error)")
        }
        guard let root else { throw SigningProfileError(file: file, field: "", problem: "is empty") }
        try self.init(root, file: file, path: "")
    }

    fileprivate init(_ node: Node, file: String, path: String) throws(SigningProfileError) {
        self.file = file
        self.path = path
        guard let mapping = node.mapping else {
            throw SigningProfileError(file: file, field: path, problem: "is not a mapping")
        }
        rest = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw SigningProfileError(file: file, field: path, problem: "has a name that is not text")
            }
            rest[name] = value
        }
    }

    /// The members that nobody took yet, in alphabetical order: for a mapping whose names are the file's own.
    var names: [String] { rest.keys.sorted() }

    /// Refuses members that nobody took.
    func end() throws(SigningProfileError) {
        if let unknown = rest.keys.sorted().first { throw error(unknown, "is unknown") }
    }

    func error(_ name: String, _ problem: String) -> SigningProfileError {
        SigningProfileError(file: file, field: qualified(name), problem: problem)
    }

    mutating func optional(_ name: String) -> ProfileElement? {
        rest.removeValue(forKey: name).map { ProfileElement(node: $0, file: file, path: qualified(name)) }
    }

    mutating func required(_ name: String) throws(SigningProfileError) -> ProfileElement {
        guard let element = optional(name) else { throw error(name, "is missing") }
        return element
    }

    mutating func text(_ name: String) throws(SigningProfileError) -> String {
        try required(name).text()
    }

    mutating func optionalText(_ name: String) throws(SigningProfileError) -> String? {
        try optional(name)?.text()
    }

    /// A header's name, lower-cased.
    mutating func header(_ name: String) throws(SigningProfileError) -> String {
        try required(name).text().lowercased()
    }

    /// Whether nobody took that member yet and it is there.
    func has(_ name: String) -> Bool { rest[name] != nil }

    /// An RFC 6901 pointer that is not the whole body.
    mutating func pointer(_ name: String) throws(SigningProfileError) -> String {
        try required(name).innerPointer()
    }

    /// A number in that range, or one of the words.
    mutating func bound(
        _ name: String,
        in range: ClosedRange<Int>,
        words: [String]
    ) throws(SigningProfileError) -> Bound {
        let element = try required(name)
        if let word = words.first(where: { $0 == element.node.scalar?.string }) { return .word(word) }
        guard let number = element.node.int, range.contains(number) else {
            let known = words.joined(separator: ", ")
            throw error(name, "is neither \(known) nor a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return .number(Int64(number))
    }

    /// What `bound` read.
    enum Bound {
        case number(Int64)
        case word(String)
    }

    func onlyHeader() throws(SigningProfileError) -> String { try onlyText("header").lowercased() }

    /// The text of the one member that there may be.
    func onlyText(_ name: String) throws(SigningProfileError) -> String {
        var fields = self
        let text = try fields.text(name)
        try fields.end()
        return text
    }

    mutating func flag(_ name: String) throws(SigningProfileError) -> Bool {
        guard let flag = try required(name).node.bool else { throw error(name, "is neither true nor false") }
        return flag
    }

    mutating func number(_ name: String, in range: ClosedRange<Int>) throws(SigningProfileError) -> Int {
        let element = try required(name)
        guard let number = element.node.int, range.contains(number) else {
            throw error(name, "is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func word<Word>(_ name: String) throws(SigningProfileError) -> Word
    where Word: RawRepresentable<String> & CaseIterable {
        try required(name).word()
    }

    mutating func fields(_ name: String) throws(SigningProfileError) -> ProfileFields {
        try required(name).fields()
    }

    mutating func optionalFields(_ name: String) throws(SigningProfileError) -> ProfileFields? {
        try optional(name)?.fields()
    }

    mutating func list<Value>(
        _ name: String,
        of read: (ProfileElement) throws(SigningProfileError) -> Value
    ) throws(SigningProfileError) -> [Value] {
        guard let nodes = try required(name).node.sequence else { throw error(name, "is not a list") }
        var values: [Value] = []
        for (place, node) in nodes.enumerated() {
            values.append(try read(ProfileElement(node: node, file: file, path: qualified(name) + "[\(place)]")))
        }
        return values
    }

    private func qualified(_ name: String) -> String {
        path.isEmpty ? name : path + "." + name
    }
}

/// One value of a profile's file, and where it stands.
struct ProfileElement {
    let node: Node
    fileprivate let file: String
    fileprivate let path: String

    var isText: Bool { node.scalar != nil }

    func error(_ problem: String) -> SigningProfileError {
        SigningProfileError(file: file, field: path, problem: problem)
    }

    /// Text that is not empty.
    func text() throws(SigningProfileError) -> String {
        guard let text = node.scalar?.string, !text.isEmpty else { throw error("is not a text") }
        return text
    }

    /// The same in lower case.
    func lowercasedText() throws(SigningProfileError) -> String { try text().lowercased() }

    /// An RFC 6901 pointer that is not the whole body.
    func innerPointer() throws(SigningProfileError) -> String {
        let text = try text()
        guard text.hasPrefix("/") else { throw error("is not a pointer such as /type") }
        return text
    }

    func fields() throws(SigningProfileError) -> ProfileFields {
        try ProfileFields(node, file: file, path: path)
    }

    /// The elements of a list.
    func elements() throws(SigningProfileError) -> [ProfileElement] {
        guard let nodes = node.sequence else { throw error("is not a list") }
        return nodes.enumerated().map { place, node in
            ProfileElement(node: node, file: file, path: path + "[\(place)]")
        }
    }

    /// One of the words that the type knows.
    func word<Word>() throws(SigningProfileError) -> Word where Word: RawRepresentable<String> & CaseIterable {
        guard let word = Word(rawValue: try text()) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw error("is unknown; known are \(known)")
        }
        return word
    }
}
