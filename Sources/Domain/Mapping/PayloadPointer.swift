import Transparency

/// An RFC 6901 pointer of a mapping's file, known to be well formed.
struct PayloadPointer: Sendable, Hashable, CustomStringConvertible {
    let description: String

    /// Empty, or tokens that begin with `/` and in which each `~` is `~0` or `~1`.
    init?(_ text: String) {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        var isEscape = false
        for scalar in text.unicodeScalars {
            if isEscape, scalar != "0", scalar != "1" { return nil }
            isEscape = !isEscape && scalar == "~"
        }
        guard !isEscape else { return nil }
        description = text
    }

    /// The whole of what is pointed into.
    static let whole = PayloadPointer()

    private init() { description = "" }
}

/// A part of a payload that pointers lead into, where it stands in the whole, and what of it is as good as missing.
struct PayloadPart {
    let value: JSON
    /// The pointer to it from the whole payload, for refusals.
    let base: String
    let habits: Habits

    /// What a sender does with every value.
    struct Habits: Sendable {
        /// Texts that mean nothing, such as a date of zeros: read as null.
        var absent: Set<String> = []
        /// Where a pointer leads to an object with this member, the member is meant: `{"value": "Ada"}` is `"Ada"`.
        var valueMember: String?
    }

    /// nil where there is nothing; null where the sender says that there is nothing.
    subscript(_ pointer: PayloadPointer) -> JSON? {
        guard var found = value[pointer: pointer.description] else { return nil }
        if let member = habits.valueMember, let inner = found[member] { found = inner }
        if let text = found.string, habits.absent.contains(text) { return .null }
        return found
    }

    /// The part that the pointer leads to; nil unless it is an object.
    func part(_ pointer: PayloadPointer) -> PayloadPart? {
        guard let found = value[pointer: pointer.description], found.object != nil else { return nil }
        return PayloadPart(value: found, base: base + pointer.description, habits: habits)
    }

    func error(_ pointer: PayloadPointer, _ problem: String) -> MappingError {
        MappingError(pointer: base + pointer.description, problem: problem)
    }
}
