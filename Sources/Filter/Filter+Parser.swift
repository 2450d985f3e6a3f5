extension Filter {
    /// Descends once for each level of nesting, at most `Limits.deepest` times.
    ///
    ///     or      = and *("or" and)
    ///     and     = factor *("and" factor)
    ///     factor  = "not" "(" or ")" / "(" or ")" / path "pr" / path operator value / path "[" or "]"
    struct Parser {
        private let limits: Limits
        var bytes: [UInt8]
        var offset = 0
        private var depth = 0
        private var termsLeft: Int
        /// Where the innermost open bracket stands; brackets may not nest (RFC 7644's valFilter has none).
        private var openBracket: Int?

        init(_ text: String, limits: Limits) throws(FilterError) {
            bytes = Array(text.utf8)
            self.limits = limits
            termsLeft = limits.terms
            guard bytes.count <= limits.bytes else {
                throw FilterError(reason: .tooLong, position: limits.bytes, expected: "at most \(limits.bytes) bytes")
            }
        }

        mutating func filter() throws(FilterError) -> Expression {
            skipSpace()
            guard offset < bytes.count else {
                throw FilterError(reason: .empty, position: offset, expected: "an attribute name, \"not\" or \"(\"")
            }
            let expression = try alternatives()
            guard offset == bytes.count else {
                throw FilterError(
                    reason: .unexpected,
                    position: offset,
                    expected: "\"and\", \"or\" or the end of the filter"
                )
            }
            return expression
        }

        private mutating func alternatives() throws(FilterError) -> Expression {
            var operands = [try conjunction()]
            while takeWord("or") { operands.append(try conjunction()) }
            return Expression.or(operands).flattenedOnce
        }

        private mutating func conjunction() throws(FilterError) -> Expression {
            var operands = [try factor()]
            while takeWord("and") { operands.append(try factor()) }
            return Expression.and(operands).flattenedOnce
        }

        private mutating func factor() throws(FilterError) -> Expression {
            skipSpace()
            guard offset < bytes.count else { throw end("an attribute name, \"not\" or \"(\"") }
            if bytes[offset] == UInt8(ascii: "(") { return try group() }
            let start = offset
            if takeWord("not") {
                guard offset < bytes.count else { throw end("\"(\" after \"not\"") }
                guard bytes[offset] == UInt8(ascii: "(") else {
                    throw FilterError(reason: .unexpected, position: offset, expected: "\"(\" after \"not\"")
                }
                return .not(try group())
            }
            return try term(start: start)
        }

        /// From an opening parenthesis to behind its closing one.
        private mutating func group() throws(FilterError) -> Expression {
            try descend()
            offset += 1
            let inner = try alternatives()
            try close(UInt8(ascii: ")"), expected: "\"and\", \"or\" or \")\"")
            return inner
        }

        private mutating func descend() throws(FilterError) {
            depth += 1
            guard depth <= limits.depth else {
                throw FilterError(
                    reason: .tooDeep,
                    position: offset,
                    expected: "at most \(limits.depth) levels of \"(\", \"not (\" and \"[\""
                )
            }
        }

        private mutating func close(_ byte: UInt8, expected: String) throws(FilterError) {
            skipSpace()
            guard offset < bytes.count else { throw end(expected) }
            guard bytes[offset] == byte else {
                throw FilterError(reason: .unexpected, position: offset, expected: expected)
            }
            offset += 1
            depth -= 1
            skipSpace()
        }

        private mutating func term(start: Int) throws(FilterError) -> Expression {
            let path = try attributePath()
            guard termsLeft > 0 else {
                throw FilterError(
                    reason: .tooManyTerms,
                    position: start,
                    expected: "at most \(limits.terms) comparisons"
                )
            }
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "[") { return try element(of: path) }
            termsLeft -= 1
            let operatorStart = offset
            let expectedOperator = "an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr"
            guard offset < bytes.count else { throw end(expectedOperator) }
            let word = takeLetters()
            if word == "pr" { return .present(path) }
            guard let comparison = Comparison(rawValue: word) else {
                throw FilterError(reason: .unknownOperator, position: operatorStart, expected: expectedOperator)
            }
            let valueStart = offset
            let value = try value()
            guard comparison.fits(value) else {
                throw FilterError(
                    reason: .operatorDoesNotFitValue,
                    position: valueStart,
                    expected: "\(comparison.expectedValue) after \"\(comparison.rawValue)\""
                )
            }
            return .comparison(path, comparison, value)
        }

        private mutating func element(of path: AttributePath) throws(FilterError) -> Expression {
            guard openBracket == nil else {
                throw FilterError(
                    reason: .unexpected,
                    position: offset,
                    expected: "an operator; \"[\" cannot stand inside \"[…]\""
                )
            }
            try descend()
            openBracket = offset
            offset += 1
            let inner = try alternatives()
            try close(UInt8(ascii: "]"), expected: "\"and\", \"or\" or \"]\"")
            openBracket = nil
            if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
                throw FilterError(
                    reason: .unexpected,
                    position: offset,
                    expected: "the condition on that sub-attribute inside the brackets, joined by \"and\""
                )
            }
            return .element(path, inner)
        }

        func end(_ expected: String) -> FilterError {
            FilterError(reason: .unexpectedEnd, position: bytes.count, expected: expected)
        }
    }
}

extension Filter.Comparison {
    /// For error messages.
    fileprivate var expectedValue: String {
        switch self {
        case .equal, .notEqual: "a value"
        case .contains, .startsWith, .endsWith: "a string in double quotes"
        case .greater, .greaterOrEqual, .less, .lessOrEqual: "a string in double quotes or a number"
        }
    }
}

extension Filter.Expression {
    /// As `flattened`, for operands that are flat already: the parser builds from the inside out, so it need not walk
    /// the tree again at every level.
    fileprivate var flattenedOnce: Self {
        switch self {
        case .and(let operands):
            if operands.count == 1 { return operands[0] }
            return .and(operands.flatMap { if case .and(let inner) = $0 { inner } else { [$0] } })
        case .or(let operands):
            if operands.count == 1 { return operands[0] }
            return .or(operands.flatMap { if case .or(let inner) = $0 { inner } else { [$0] } })
        case .not, .comparison, .present, .element:
            return self
        }
    }
}
