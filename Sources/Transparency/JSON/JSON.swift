/// One JSON value as it was written: numbers keep their literal, objects keep their members' order.
///
/// Two values are equal when they hold the same bytes: text is compared byte for byte, never by Unicode canonical
/// equivalence, numbers by literal (`1` is not `1.0`), objects without regard to the order of their members.
package enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(Number)
    case string(String)
    case array([JSON])
    case object(Object)
}

extension JSON {
    /// A number value that keeps every digit of the integer.
    package static func integer(_ value: some FixedWidthInteger) -> JSON {
        .number(Number(value))
    }

    /// The text of a string value; nil for every other kind.
    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value of a boolean; nil for every other kind.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The number of a number value; nil for every other kind.
    package var number: Number? {
        if case .number(let value) = self { value } else { nil }
    }

    /// The value of a number whose literal is an integer that fits; nil otherwise, also for `1.0` and `1e3`.
    package var int64: Int64? { number?.int64 }

    /// The nearest double of a number; nil for other kinds and for numbers beyond a double's range.
    package var double: Double? { number?.double }

    /// The elements of an array; nil for every other kind.
    package var array: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members of an object; nil for every other kind.
    package var object: Object? {
        if case .object(let value) = self { value } else { nil }
    }

    /// True only for `null`.
    package var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The member of that name, compared byte for byte; nil when there is none or this is not an object.
    package subscript(_ key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The value an RFC 6901 pointer names; nil when there is none or the pointer is malformed. `""` is the whole
    /// value, `-` names nothing.
    package subscript(pointer pointer: String) -> JSON? {
        guard !pointer.isEmpty else { return self }
        guard pointer.utf8.first == UInt8(ascii: "/") else { return nil }
        var value = self
        for token in pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let name = Self.unescape(token), let next = value.step(name) else { return nil }
            value = next
        }
        return value
    }

    private static func unescape(_ token: Substring) -> String? {
        guard token.utf8.contains(UInt8(ascii: "~")) else { return String(token) }
        var name = ""
        var escaping = false
        for scalar in token.unicodeScalars {
            switch (escaping, scalar) {
            case (true, "0"): name.unicodeScalars.append("~")
            case (true, "1"): name.unicodeScalars.append("/")
            case (true, _): return nil
            case (false, "~"): break
            case (false, _): name.unicodeScalars.append(scalar)
            }
            escaping = !escaping && scalar == "~"
        }
        return escaping ? nil : name
    }

    private func step(_ name: String) -> JSON? {
        switch self {
        case .object(let object):
            return object[name]
        case .array(let elements):
            let digits = name.utf8
            guard let first = digits.first, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
                first != 0x30 || digits.count == 1, let index = Int(name), index < elements.count
            else { return nil }
            return elements[index]
        case .null, .bool, .number, .string:
            return nil
        }
    }
}

extension JSON: Hashable {
    /// By bytes and literals, see `JSON`.
    package static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): ExactText.same(left, right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }

    /// Agrees with `==`.
    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null:
            hasher.combine(0)
        case .bool(let value):
            hasher.combine(value)
        case .number(let value):
            hasher.combine(value)
        case .string(let value):
            hasher.combine(ExactText(value))
        case .array(let elements):
            hasher.combine(elements)
        case .object(let object):
            hasher.combine(object)
        }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    /// `null`.
    package init(nilLiteral: ()) { self = .null }
    /// `true` or `false`.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    /// The literal's digits.
    package init(integerLiteral value: Int64) { self = .number(Number(value)) }
    /// The shortest digits of the nearest double.
    package init(floatLiteral value: Double) { self = .number(Number(finite: value)) }
    /// A string of that text.
    package init(stringLiteral value: String) { self = .string(value) }
    /// An array of those elements.
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }

    /// A name written twice keeps its first place and its last value.
    package init(dictionaryLiteral elements: (String, JSON)...) {
        var object = Object()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}
