extension Filter {
    /// The tree of a filter. `and` and `or` hold two or more operands, none of them of the same kind as themselves.
    package indirect enum Expression: Hashable, Sendable {
        case or([Expression])
        case and([Expression])
        case not(Expression)
        /// `attribute operator value`.
        case comparison(AttributePath, Comparison, FilterValue)
        /// `attribute pr`.
        case present(AttributePath)
        /// `attribute[…]`: one value of the attribute for which all of the inner expression holds. Paths inside are
        /// relative to that value.
        case element(AttributePath, Expression)
    }

    /// The operators that compare an attribute with a value.
    package enum Comparison: String, CaseIterable, Sendable {
        case equal = "eq"
        case notEqual = "ne"
        case contains = "co"
        case startsWith = "sw"
        case endsWith = "ew"
        case greater = "gt"
        case greaterOrEqual = "ge"
        case less = "lt"
        case lessOrEqual = "le"

        /// `eq` and `ne` take any value, the others only what has parts or an order (RFC 7644 table 3).
        func fits(_ value: FilterValue) -> Bool {
            switch (self, value) {
            case (.equal, _), (.notEqual, _), (_, .string): true
            case (.greater, .number), (.greaterOrEqual, .number), (.less, .number), (.lessOrEqual, .number): true
            default: false
            }
        }
    }
}

/// A value that a filter compares with.
package enum FilterValue: Hashable, Sendable {
    case string(String)
    case number(Double)
    case bool(Bool)
    case null
}

/// The name of an attribute as a filter writes it: `userName`, `name.familyName`, `urn:…:User:userName`. Equality and
/// hash disregard the case of ASCII letters, as RFC 7644 demands of attribute names.
package struct AttributePath: Sendable {
    /// The schema's URN, without the colon behind it; nil when the attribute stands alone.
    package let uri: String?
    /// The attribute.
    package let attribute: String
    /// What follows the dot.
    package let subAttribute: String?

    /// A path of parts that are well-formed names; only the parser is given text that might not be. An attribute cannot
    /// be called `not` without a URN: a filter could not tell it from the operator.
    package init(uri: String? = nil, _ attribute: String, _ subAttribute: String? = nil) {
        self.uri = uri
        self.attribute = attribute
        self.subAttribute = subAttribute
    }

    /// Whether two names differ at most in the case of ASCII letters. What a `FilterSubject` compares names with.
    package static func sameName(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { lowercased($0) == lowercased($1) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }
}

extension AttributePath: Hashable {
    /// Without regard to the case of ASCII letters.
    package static func == (left: Self, right: Self) -> Bool {
        sameName(left.description, right.description)
    }

    /// Agrees with `==`.
    package func hash(into hasher: inout Hasher) {
        for byte in description.utf8 { hasher.combine(Self.lowercased(byte)) }
    }
}

extension AttributePath: CustomStringConvertible {
    /// The path as a filter writes it.
    package var description: String {
        (uri.map { $0 + ":" } ?? "") + attribute + (subAttribute.map { "." + $0 } ?? "")
    }
}

extension Filter.Expression {
    /// The same with `and` in `and`, `or` in `or` and lists of one dissolved.
    var flattened: Self {
        switch self {
        case .and(let operands):
            let flat = operands.flatMap { operand -> [Self] in
                let operand = operand.flattened
                if case .and(let inner) = operand { return inner }
                return [operand]
            }
            return flat.count == 1 ? flat[0] : .and(flat)
        case .or(let operands):
            let flat = operands.flatMap { operand -> [Self] in
                let operand = operand.flattened
                if case .or(let inner) = operand { return inner }
                return [operand]
            }
            return flat.count == 1 ? flat[0] : .or(flat)
        case .not(let operand):
            return .not(operand.flattened)
        case .element(let path, let inner):
            return .element(path, inner.flattened)
        case .comparison, .present:
            return self
        }
    }
}

extension Filter: CustomStringConvertible {
    /// The normal form: one space, lower-case operators, only the parentheses that are needed. Reading it gives an
    /// equal filter.
    package var description: String { root.description }
}

extension Filter.Expression: CustomStringConvertible {
    package var description: String {
        switch self {
        case .or(let operands):
            operands.map(\.description).joined(separator: " or ")
        case .and(let operands):
            operands.map { if case .or = $0 { "(\($0))" } else { $0.description } }.joined(separator: " and ")
        case .not(let operand):
            "not (\(operand))"
        case .comparison(let path, let comparison, let value):
            "\(path) \(comparison.rawValue) \(value)"
        case .present(let path):
            "\(path) pr"
        case .element(let path, let inner):
            "\(path)[\(inner)]"
        }
    }
}

extension FilterValue: CustomStringConvertible {
    /// The value as JSON writes it.
    package var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let value): Self.text(value)
        case .string(let value): Self.quoted(value)
        }
    }

    /// 2^53 - 1: the parser refuses integers beyond it, which a double would round.
    static let largestInteger = 9_007_199_254_740_991.0

    private static func text(_ value: Double) -> String {
        if value == value.rounded(), value.magnitude <= largestInteger { return String(Int64(value)) }
        return value.description
    }

    private static func quoted(_ value: String) -> String {
        var out = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{0}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
