extension JSON {
    /// A number as it was written. Equality is equality of literals, so nothing is lost or merged by reading.
    package struct Number: Hashable, Sendable {
        /// The text of the number, always valid by RFC 8259.
        package let literal: String

        /// For literals that the reader has checked already.
        init(checkedLiteral: String) {
            literal = checkedLiteral
        }

        /// Keeps every digit.
        package init(_ value: some FixedWidthInteger) {
            literal = String(value)
        }

        /// Written as ECMAScript writes it, with the fewest digits that read back as the same double. Refuses
        /// infinities and NaN, which JSON cannot hold.
        package init(_ value: Double) throws(CanonicalError) {
            guard value.isFinite else { throw .numberNotFinite }
            literal = ECMAScriptNumber.text(value)
        }

        /// For doubles known to be finite: a source literal.
        init(finite value: Double) {
            precondition(value.isFinite, "JSON has no infinities")
            literal = ECMAScriptNumber.text(value)
        }

        /// The value of an integer literal that fits; nil for anything with a fraction or an exponent, even `1.0`.
        package var int64: Int64? { Int64(literal) }

        /// The nearest double; nil when the number lies beyond a double's range.
        package var double: Double? {
            guard let value = Double(literal), value.isFinite else { return nil }
            return value
        }

        /// Whether the literal has neither fraction nor exponent.
        package var isInteger: Bool {
            literal.utf8.allSatisfy { $0 == UInt8(ascii: "-") || ($0 >= 0x30 && $0 <= 0x39) }
        }
    }
}
