import Crypto
import Foundation
import Testing
import Transparency

@Suite struct JSONCanonicalTests {
    @Test func `doubles are written as in RFC 8785 appendix B`() throws {
        let rows = try Vectors.lines("rfc8785/numbers.txt")
        #expect(rows.count == 24)
        for row in rows {
            let bits = try #require(UInt64(row[0], radix: 16))
            #expect(ECMAScriptNumber.text(Double(bitPattern: bits)) == row[1])
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func `what is no number is refused`(value: Double) {
        #expect(throws: JSON.CanonicalError.numberNotFinite) { try JSON.Number(value) }
    }

    /// The published sequence of doubles, whose text has a published hash.
    @Test func `ten thousand doubles have the published hash`() throws {
        let fixed = try Vectors.lines("rfc8785/es6-static.txt").map { try #require(UInt64($0[0], radix: 16)) }
        var bits = fixed + (0..<2_000).map { 0x0010_0000_0000_0000 + UInt64($0) }
        var block = [UInt8](repeating: 0, count: 32)
        while bits.count < 10_000 {
            block = Array(SHA256.hash(data: block))
            for start in stride(from: 0, to: 32, by: 8) {
                let word = block[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                let value = Double(bitPattern: word)
                if value != 0, value.isFinite { bits.append(word) }
            }
        }
        var lines = ""
        let hashes = try Vectors.lines("rfc8785/es6-sha256.txt")
        for (place, word) in bits.prefix(10_000).enumerated() {
            lines += String(word, radix: 16) + "," + ECMAScriptNumber.text(Double(bitPattern: word)) + "\n"
            if let row = hashes.first(where: { $0[0] == String(place + 1) }) {
                #expect(SHA256.hash(data: Data(lines.utf8)).map { String(format: "%02x", $0) }.joined() == row[1])
            }
        }
    }

    @Test func `the sample of RFC 8785 has the published bytes`() throws {
        let sample = try JSON.parse(try Vectors.bytes("rfc8785/sample.json"))
        // The sample's first number has more digits than a double; the RFC rounds it on reading, Rollcall refuses.
        #expect(throws: JSON.CanonicalError.numberWouldChange(literal: "333333333.33333329")) {
            try sample.canonical()
        }
        var rounded = try #require(sample.object)
        rounded["numbers"] = .array(
            try #require(sample["numbers"]?.array).map { .number(try JSON.Number(try #require($0.double))) }
        )
        let expected = Vectors.hex(String(decoding: try Vectors.bytes("rfc8785/sample.hex"), as: UTF8.self))
        #expect(try JSON.object(rounded).canonical() == expected)
    }

    @Test func `members are sorted by UTF-16 code units`() throws {
        let sample = try JSON.parse(try Vectors.bytes("rfc8785/sorting.json"))
        let sorted = try JSON.parse(try sample.canonical())
        #expect(
            sorted.object?.members.compactMap(\.value.string) == [
                "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
                "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh",
            ]
        )
    }

    @Test func `sorting agrees with Swift's UTF-16 on random names`() throws {
        var random = SeededGenerator(seed: 8_785)
        let scalars: [ClosedRange<UInt32>] = [
            0x20...0x7E, 0xD000...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF, 0x80...0x7FF,
        ]
        for _ in 0..<300 {
            var names: Set<[UInt16]> = []
            var object = JSON.Object()
            for _ in 0..<12 {
                var name = ""
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    let range = scalars[Int.random(in: 0..<scalars.count, using: &random)]
                    if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) {
                        name.unicodeScalars.append(scalar)
                    }
                }
                names.insert(Array(name.utf16))
                object[name] = 0
            }
            let written = try JSON.parse(try JSON.object(object).canonical())
            let expected = names.sorted { $0.lexicographicallyPrecedes($1) }
            #expect(written.object?.keys.map { Array($0.utf16) } == expected)
        }
    }

    @Test(arguments: [
        ("1.0", "1"), ("-0", "0"), ("-0.0", "0"), ("0e5", "0"), ("1e2", "100"), ("1E30", "1e+30"), ("0.10", "0.1"),
        ("100e-2", "1"), ("9007199254740992", "9007199254740992"), ("-9007199254740992", "-9007199254740992"),
        ("0.000001", "0.000001"), ("0.0000001", "1e-7"), ("1e21", "1e+21"), ("123456789.5e-3", "123456.7895"),
        ("5e-324", "5e-324"), ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ])
    func `a number that a double holds is written the shortest way`(literal: String, expected: String) throws {
        #expect(String(decoding: try literal.number.canonical(), as: UTF8.self) == expected)
    }

    @Test(arguments: [
        "9007199254740993", "9007199254740994", "9007199254740994.0", "1e20", "-9007199254740993",
        "9223372036854775808", "1e400", "-1e400",
        "1e-400", "0.1000000000000000055", "3.141592653589793238", "1e99999999999999999999",
        "12345678901234567890123456789012345678901234567890",
    ])
    func `a number that would change is refused, never rounded`(literal: String) throws {
        let value: JSON = ["outer": [literal.number]]
        #expect(throws: JSON.CanonicalError.numberWouldChange(literal: literal)) { try value.canonical() }
    }

    @Test func `only what must be escaped is`() throws {
        let text =
            String(String.UnicodeScalarView((0...0x7F).compactMap { Unicode.Scalar($0 as UInt32) })) + "é😀\u{2028}"
        let expected =
            "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f"
            + "\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"
            + " !\\\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\u{7F}"
            + "é😀\u{2028}\""
        #expect(String(decoding: try JSON.string(text).canonical(), as: UTF8.self) == expected)
    }

    @Test func `values made in code that nest too deeply are refused`() {
        var value: JSON = []
        for _ in 0..<JSON.Limits.deepest { value = [value] }
        #expect(throws: Never.self) { try value.canonical() }
        let deeper: JSON = [value]
        #expect(throws: JSON.CanonicalError.tooDeep) { try deeper.canonical() }
    }
}
