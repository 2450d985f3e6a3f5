/// What a filter is asked about: one resource, or one value of a complex attribute.
///
/// An implementation needs one function. For nested JSON: find the attribute's value by `AttributePath.sameName`; an
/// array stands for each of its elements; step into `subAttribute` when there is one; then leave out nulls, empty
/// strings stay, empty objects and arrays go, and an object becomes `.complex` of the same implementation.
package protocol FilterSubject {
    /// Every value that the subject holds at that path, in any order; none when it is unassigned or unknown. The values
    /// of a multi-valued attribute, and the sub-attributes of each of its values, all count.
    ///
    /// The subject resolves names without regard to ASCII case, and may resolve an extension's attribute that is named
    /// without its URN, as long as only one of its schemas has an attribute of that name. A path whose URN is itself a
    /// schema's (`urn:…:2.0:User`, read as `uri` `urn:…:2.0` and `attribute` `User`) means that whole extension;
    /// `AttributePath.description` gives it back.
    func values(at path: AttributePath) -> [FilterOperand]
}

/// One value of an attribute.
package enum FilterOperand {
    case string(String)
    case number(Double)
    case bool(Bool)
    /// A value with sub-attributes, never an empty one. Compared by its sub-attribute `value`.
    case complex(any FilterSubject)
}

/// Says of which attributes strings are compared with regard to case. The path of a sub-attribute inside brackets comes
/// joined to the path in front of them.
package typealias CaseExactRule = (AttributePath) -> Bool

extension Filter {
    /// Whether the filter selects the subject. Takes time proportional to terms times values, whatever the text.
    package func matches(_ subject: some FilterSubject, caseExact: @escaping CaseExactRule = { _ in false }) -> Bool {
        Evaluation(caseExact: caseExact).holds(root, subject, within: nil)
    }
}

private struct Evaluation {
    let caseExact: CaseExactRule

    func holds(_ expression: Filter.Expression, _ subject: any FilterSubject, within: AttributePath?) -> Bool {
        switch expression {
        case .or(let operands):
            return operands.contains { holds($0, subject, within: within) }
        case .and(let operands):
            return operands.allSatisfy { holds($0, subject, within: within) }
        case .not(let operand):
            return !holds(operand, subject, within: within)
        case .present(let path):
            return subject.values(at: path).contains { if case .string("") = $0 { false } else { true } }
        case .comparison(let path, let comparison, let value):
            let comparer = Comparer(comparison, value, isCaseExact: caseExact(path.inside(within)))
            return comparer.holds(for: subject.values(at: path))
        case .element(let path, let inner):
            return subject.values(at: path).contains { operand in
                if case .complex(let element) = operand { return holds(inner, element, within: path) }
                return holds(inner, PlainElement(operand: operand), within: path)
            }
        }
    }
}

/// A value without sub-attributes inside brackets: it is its own `value`.
private struct PlainElement: FilterSubject {
    let operand: FilterOperand

    func values(at path: AttributePath) -> [FilterOperand] {
        path == .value ? [operand] : []
    }
}

extension AttributePath {
    /// The sub-attribute by which complex values are compared (RFC 7643 section 2.4).
    fileprivate static let value = AttributePath("value")

    fileprivate func inside(_ outer: AttributePath?) -> AttributePath {
        guard let outer else { return self }
        return AttributePath(uri: outer.uri, outer.attribute, attribute)
    }
}

/// One comparison, its value prepared once for all operands.
private struct Comparer {
    private let comparison: Filter.Comparison
    private let value: FilterValue
    private let isCaseExact: Bool
    private let text: ComparedText?

    init(_ comparison: Filter.Comparison, _ value: FilterValue, isCaseExact: Bool) {
        self.comparison = comparison
        self.value = value
        self.isCaseExact = isCaseExact
        text = if case .string(let string) = value { ComparedText(string, isCaseExact: isCaseExact) } else { nil }
    }

    func holds(for operands: [FilterOperand]) -> Bool {
        let plain = operands.flatMap { operand -> [FilterOperand] in
            if case .complex(let element) = operand { return element.values(at: .value) }
            return [operand]
        }
        switch (comparison, value) {
        case (.equal, .null): return operands.isEmpty
        case (.notEqual, .null): return !operands.isEmpty
        case (.notEqual, _): return plain.isEmpty || plain.contains { !equals($0) }
        case (.equal, _): return plain.contains(where: equals)
        default: return plain.contains(where: compares)
        }
    }

    private func equals(_ operand: FilterOperand) -> Bool {
        switch (operand, value) {
        case (.string(let string), .string): text?.order(of: ComparedText(string, isCaseExact: isCaseExact)) == .same
        case (.number(let number), .number(let value)): number == value
        case (.bool(let bool), .bool(let value)): bool == value
        default: false
        }
    }

    private func compares(_ operand: FilterOperand) -> Bool {
        switch (operand, value) {
        case (.string(let string), .string):
            guard let text else { return false }
            let other = ComparedText(string, isCaseExact: isCaseExact)
            switch comparison {
            case .contains: return other.contains(text)
            case .startsWith: return other.starts(with: text)
            case .endsWith: return other.ends(with: text)
            default: return isAllowed(text.order(of: other))
            }
        case (.number(let number), .number(let value)):
            return isAllowed(number < value ? .before : number > value ? .after : .same)
        default:
            return false
        }
    }

    private func isAllowed(_ order: ComparedText.Order) -> Bool {
        switch comparison {
        case .greater: order == .after
        case .greaterOrEqual: order != .before
        case .less: order == .before
        case .lessOrEqual: order != .after
        case .equal, .notEqual, .contains, .startsWith, .endsWith: false
        }
    }
}
