import Filter
import Testing

/// Seeded, so every run sees the same inputs; each failure names its round.
@Suite struct FilterFuzzTests {
    @Test func `a description reads back as the same tree`() throws {
        var random = SeededGenerator(seed: 7_644)
        let limits = Filter.Limits(bytes: 1 << 20, depth: 128, terms: 10_000)
        for round in 0..<3_000 {
            let filter = Filter(.random(depth: 5, inBrackets: false, using: &random))
            let again = try Filter(filter.description, limits: limits)
            #expect(again == filter, "round \(round): \(filter)")
            #expect(again.description == filter.description)
        }
    }

    @Test func `mutated filters are read or refused in place, and never crash`() throws {
        var random = SeededGenerator(seed: 3_422)
        let pieces = [
            "(", ")", "[", "]", "\"", "\\", " and ", " or ", "not ", " eq ", ".", ":", "1", "é", " ", "\u{0}",
        ]
        var accepted = 0
        for round in 0..<10_000 {
            var text = Array(Filter(.random(depth: 3, inBrackets: false, using: &random)).description)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<max(1, text.count), using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &random)], at: place)
                case 1: if !text.isEmpty { text.remove(at: min(place, text.count - 1)) }
                default: text = Array(text.prefix(place))
                }
            }
            let mutated = String(text)
            do throws(FilterError) {
                let filter = try Filter(mutated)
                accepted += 1
                #expect((try? Filter(filter.description)) == filter, "round \(round): \(mutated)")
            } catch {
                #expect((0...mutated.utf8.count).contains(error.position), "round \(round): \(mutated)")
            }
        }
        #expect(accepted > 500)
    }
}

extension Filter.Expression {
    static func random(depth: Int, inBrackets: Bool, using random: inout SeededGenerator) -> Filter.Expression {
        func list() -> [Filter.Expression] {
            (0..<Int.random(in: 1...3, using: &random)).map { _ in
                .random(depth: depth - 1, inBrackets: inBrackets, using: &random)
            }
        }
        switch Int.random(in: 0..<(depth > 0 ? 8 : 4), using: &random) {
        case 0, 1, 2:
            let comparison = Filter.Comparison.allCases.randomElement(using: &random) ?? .equal
            let isEquality = comparison == .equal || comparison == .notEqual
            return .comparison(.random(using: &random), comparison, .random(isEquality: isEquality, using: &random))
        case 3: return .present(.random(using: &random))
        case 4: return .and(list())
        case 5: return .or(list())
        case 6: return .not(.random(depth: depth - 1, inBrackets: inBrackets, using: &random))
        default:
            if inBrackets { return .present(.random(using: &random)) }
            return .element(.random(using: &random), .random(depth: depth - 1, inBrackets: true, using: &random))
        }
    }
}

extension AttributePath {
    static func random(using random: inout SeededGenerator) -> AttributePath {
        // An attribute cannot be called `not`: in front of a parenthesis it would be the operator.
        let names = ["userName", "a", "nots", "And", "or", "pr", "eq", "x-1_b", "$ref", "null"]
        let uris = [nil, nil, nil, "urn:ietf:params:scim:schemas:core:2.0:User", "URN:x:not"]
        return AttributePath(
            uri: uris[Int.random(in: 0..<uris.count, using: &random)],
            names[Int.random(in: 0..<names.count, using: &random)],
            Bool.random(using: &random) ? nil : "not"
        )
    }
}

extension FilterValue {
    static func random(isEquality: Bool, using random: inout SeededGenerator) -> FilterValue {
        switch Int.random(in: 0..<(isEquality ? 5 : 1), using: &random) {
        case 1: return .number(Double(Int.random(in: -9_007_199_254_740_991...9_007_199_254_740_991, using: &random)))
        case 2: return .number(Double.random(in: -1...1, using: &random))
        case 3: return .bool(Bool.random(using: &random))
        case 4: return .null
        default:
            let scalars = (0..<Int.random(in: 0...8, using: &random)).compactMap { _ in
                Unicode.Scalar(
                    UInt32.random(
                        in: 0..<([0x80, 0x800, 0x110000][Int.random(in: 0..<3, using: &random)]),
                        using: &random
                    )
                )
            }
            return .string(String(String.UnicodeScalarView(scalars)))
        }
    }
}

/// SplitMix64: the same sequence for the same seed everywhere, so that a failing round can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
