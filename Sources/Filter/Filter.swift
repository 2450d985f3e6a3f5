// Filter: the SCIM filter grammar (RFC 7644 section 3.4.2.2), the one way in which Rollcall lets people say "which".
//
// Owns: the parser (`Filter.init`), the tree (`Filter.Expression`), evaluation over anything that is a `FilterSubject`,
// and the normal form (`Filter.description`). Pure, and imports nothing of ours.
//
// Lives elsewhere: which attributes exist and what they hold (Domain makes a person a `FilterSubject`), SQL made from
// an expression (Storage), the HTTP form of a `FilterError` (Edge and the doors).

/// A parsed filter. Equal filters select the same: attribute names and URNs are compared without regard to case, and
/// grouping that changes nothing is not kept.
///
/// What the grammar leaves open is decided so:
/// - `ne` on a multi-valued attribute is true when any value differs, as RFC 7644 says for every operator; on an
///   attribute without a value it is true. For "none is x" write `not (a eq "x")`.
/// - `eq null` is `not (a pr)` except that an empty string is a value.
/// - A value of another type than the attribute's never matches, and `"true"` is not `true`.
/// - Strings that are both RFC 3339 date-times are compared as instants, by `eq` and `ne` too.
/// - Strings are compared by code points, without Unicode normalisation, after lower-casing unless they are case exact.
package struct Filter: Hashable, Sendable {
    /// What the filter says.
    package let root: Expression

    /// Reads a filter, or says what was expected where. Takes time and stack bounded by `limits`, whatever the text.
    package init(_ text: String, limits: Limits = .standard) throws(FilterError) {
        var parser = try Parser(text, limits: limits)
        root = try parser.filter()
    }

    /// A filter of an expression made in code. Its description can be read again as long as it keeps the limits.
    package init(_ root: Expression) {
        self.root = root.flattened
    }

    /// What a filter may hold at most. Each bound is inclusive.
    package struct Limits: Hashable, Sendable {
        /// Bytes of the text in UTF-8.
        package var bytes: Int
        /// How deep parentheses, `not` and brackets may nest. Values above `deepest` count as `deepest`.
        package var depth: Int {
            didSet { depth = min(depth, Self.deepest) }
        }
        /// Comparisons and presence tests in all.
        package var terms: Int

        /// The parser descends once for each level, so no limits may allow more than this.
        package static let deepest = 128

        /// 8,192 bytes, 32 levels, 256 terms.
        package static let standard = Limits(bytes: 8_192, depth: 32, terms: 256)

        /// Bounds of the caller's own.
        package init(bytes: Int, depth: Int, terms: Int) {
            self.bytes = bytes
            self.depth = min(depth, Self.deepest)
            self.terms = terms
        }
    }
}

/// Why a text is no filter: something an admin can act on.
package struct FilterError: Error, Hashable, Sendable {
    /// What was wrong.
    package let reason: Reason
    /// The byte of the UTF-8 text, counted from 0, where it is wrong.
    package let position: Int
    /// What would have been right there, in words.
    package let expected: String

    /// One case for each kind of mistake.
    package enum Reason: String, Sendable {
        case empty = "the filter is empty"
        case tooLong = "the filter is too long"
        case tooDeep = "the filter nests too deeply"
        case tooManyTerms = "the filter has too many terms"
        case unexpectedEnd = "the filter ends too early"
        case unexpected = "this cannot stand here"
        case unknownOperator = "there is no such operator"
        case invalidAttribute = "this is not an attribute name"
        case invalidValue = "this is not a value"
        case invalidString = "this string is not written as JSON writes strings"
        case invalidNumber = "this number cannot be compared exactly"
        case operatorDoesNotFitValue = "this operator cannot compare such a value"
    }
}

extension FilterError: CustomStringConvertible {
    package var description: String {
        "\(reason.rawValue) (position \(position)); expected \(expected)"
    }
}
