import Testing
import Transparency

@Suite struct JSONReaderTests {
    @Test(
        arguments: [
            ("null", JSON.null), ("true", true), ("false", false), (" \t\r\n0 \n", 0), ("-0", "-0".number),
            ("-1", -1), ("1.5", "1.5".number), ("1e3", "1e3".number), ("1E+3", "1E+3".number), ("0e-0", "0e-0".number),
            ("-0.0e-12", "-0.0e-12".number), ("9223372036854775808", "9223372036854775808".number),
            ("\"\"", ""), ("\"a\"", "a"), ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"),
            ("\"\\u0041\\u00e9\\u20AC\\uD83D\\ude00\"", "A\u{E9}\u{20AC}\u{1F600}"), ("\"\\u0000\"", "\u{0}"),
            ("\"é€😀\u{7F}\u{10FFFF}\"", "é€😀\u{7F}\u{10FFFF}"),
            ("\"\\uFFFF\\uD7FF\\uE000\"", "\u{FFFF}\u{D7FF}\u{E000}"),
            ("[]", []), ("[ ]", []), ("[1,[2,[]],{}]", [1, [2, []], [:]]), ("{ }", [:]),
            ("{\"a\":1,\"b\":{\"a\":2}}", ["a": 1, "b": ["a": 2]]), ("{\"\":null}", ["": nil]),
        ] as [(String, JSON)]
    )
    func `a text that RFC 8259 allows is read`(text: String, value: JSON) throws {
        #expect(try JSON.parse(text: text) == value)
    }

    @Test(
        arguments: [
            ("", .empty, 0), (" \n", .empty, 2), ("\u{FEFF}1", .unexpectedByte, 0), ("nul", .unexpectedEnd, 3),
            ("nulL", .unexpectedByte, 3), ("True", .unexpectedByte, 0), ("NaN", .unexpectedByte, 0),
            ("Infinity", .unexpectedByte, 0), ("'a'", .unexpectedByte, 0), ("1 2", .trailingBytes, 2),
            ("1,", .trailingBytes, 1), ("{}}", .trailingBytes, 2), ("// c\n1", .unexpectedByte, 0),
            ("\u{A0}1", .unexpectedByte, 0), ("\u{C}1", .unexpectedByte, 0), ("truefalse", .trailingBytes, 4),
            ("[", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3),
            ("[1,]", .unexpectedByte, 3),
            ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3), ("[1}", .unexpectedByte, 2),
            ("{", .unexpectedEnd, 1), ("{\"a\"", .unexpectedEnd, 4), ("{\"a\":", .unexpectedEnd, 5),
            ("{\"a\":1", .unexpectedEnd, 6), ("{\"a\":1,", .unexpectedEnd, 7), ("{\"a\":1,}", .unexpectedByte, 7),
            ("{a:1}", .unexpectedByte, 1), ("{1:1}", .unexpectedByte, 1), ("{\"a\" 1}", .unexpectedByte, 5),
            ("{\"a\"::1}", .unexpectedByte, 5), ("{\"a\":1]", .unexpectedByte, 6), ("]", .unexpectedByte, 0),
            ("01", .invalidNumber, 1), ("-", .unexpectedEnd, 1), ("-a", .invalidNumber, 1), ("-01", .invalidNumber, 2),
            ("+1", .unexpectedByte, 0), (".5", .unexpectedByte, 0), ("1.", .unexpectedEnd, 2),
            ("1.a", .invalidNumber, 2),
            ("1e", .unexpectedEnd, 2), ("1e+", .unexpectedEnd, 3), ("1e+a", .invalidNumber, 3),
            ("0x1", .trailingBytes, 1),
            ("1_000", .trailingBytes, 1), ("1.e3", .invalidNumber, 2),
            ("\"", .unexpectedEnd, 1), ("\"a", .unexpectedEnd, 2), ("\"\\\"", .unexpectedEnd, 3),
            ("\"\\", .unexpectedEnd, 2), ("\"a\nb\"", .controlCharacter, 2), ("\"\\n\u{1F}\"", .controlCharacter, 3),
            ("\"\u{0}\"", .controlCharacter, 1), ("\"\\a\"", .invalidEscape, 1), ("\"\\u12\"", .invalidEscape, 1),
            ("\"x\\u12G4\"", .invalidEscape, 2), ("\"\\U0041\"", .invalidEscape, 1), ("\"\\\n\"", .invalidEscape, 1),
            ("\"\\ud800\"", .loneSurrogate, 1), ("\"\\udc00\"", .loneSurrogate, 1),
            ("\"a\\ud800b\"", .loneSurrogate, 2),
            ("\"\\ud800\\u0041\"", .loneSurrogate, 1), ("\"\\ud800\\ud800\"", .loneSurrogate, 1),
            ("\"\\udc00\\ud800\"", .loneSurrogate, 1), ("\"\\ud800\\n\"", .loneSurrogate, 1),
            ("\"\\ud83d\\ude0\"", .invalidEscape, 7),
            ("{\"a\":1,\"a\":1}", .duplicateName, 7), ("{\"a\":1,\"\\u0061\":2}", .duplicateName, 7),
            ("[{\"x\":{\"\":1, \"\":2}}]", .duplicateName, 13),
        ] as [(String, JSON.ParseError.Reason, Int)]
    )
    func `a text that breaks a rule is refused with rule and byte`(
        text: String,
        reason: JSON.ParseError.Reason,
        offset: Int
    ) {
        let error = #expect(throws: JSON.ParseError.self) { try JSON.parse(text: text) }
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    @Test(
        arguments: [
            ([0x80], 1), ([0xC0, 0x80], 1), ([0xC3], 1), ([0x61, 0xC3, 0x28], 2), ([0xE0, 0x80, 0x80], 1),
            ([0xED, 0xA0, 0x80], 1), ([0xF0, 0x80, 0x80, 0x80], 1), ([0xF4, 0x90, 0x80, 0x80], 1), ([0xF8], 1),
            ([0x5C, 0x6E, 0xFF], 3), ([0xE2, 0x82], 1), ([0xC3, 0xA9, 0xFE], 3),
        ] as [([UInt8], Int)]
    )
    func `a string that is not UTF-8 is refused`(inside: [UInt8], offset: Int) {
        let error = #expect(throws: JSON.ParseError.self) { try JSON.parse([0x22] + inside + [0x22]) }
        #expect(error?.reason == .invalidUTF8)
        #expect(error?.offset == offset)
    }

    @Test func `names that only look alike are two names`() throws {
        let value = try JSON.parse(text: "{\"\u{E9}\":1,\"e\u{301}\":2,\"\u{C9}\":3}")
        #expect(value.object?.count == 3)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test func `a repeated name is found among many`() throws {
        var names = (0..<5_000).map { "\"name \($0)\":\($0)" }
        #expect(try JSON.parse(text: "{\(names.joined(separator: ","))}")["name 4999"] == 4_999)
        names.append("\"name 17\":0")
        let text = "{\(names.joined(separator: ","))}"
        let error = #expect(throws: JSON.ParseError.self) { try JSON.parse(text: text) }
        #expect(error?.reason == .duplicateName)
        #expect(error?.offset == text.utf8.count - "\"name 17\":0}".utf8.count)
    }

    @Test func `line and column lead to the fault`() {
        let error = #expect(throws: JSON.ParseError.self) { try JSON.parse(text: "{\n  \"é\": 1,\n  \"b\": x\n}") }
        #expect(error?.line == 3)
        #expect(error?.column == 8)
        #expect(error?.description == "this byte cannot stand here (byte 20, line 3, column 8)")
    }

    @Test func `depth is bounded and 100,000 levels do no harm`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array(String(repeating: "[", count: depth).utf8) + Array(String(repeating: "]", count: depth).utf8)
        }
        #expect(throws: Never.self) { try JSON.parse(nested(64)) }
        #expect(throws: JSON.ParseError.self) { try JSON.parse(nested(65)) }
        let error = #expect(throws: JSON.ParseError.self) { try JSON.parse(nested(100_000)) }
        #expect(error?.reason == .tooDeep)
        #expect(error?.offset == 64)
        // No setting makes the stack grow without end.
        var limits = JSON.Limits(bytes: 1 << 20, depth: .max)
        #expect(throws: Never.self) { try JSON.parse(nested(JSON.Limits.deepest), limits: limits) }
        limits.depth = .max
        #expect(throws: JSON.ParseError.self) { try JSON.parse(nested(100_000), limits: limits) }
        let objects = String(repeating: "{\"a\":", count: 100_000)
        #expect(throws: JSON.ParseError.self) { try JSON.parse(text: objects) }
    }

    @Test func `bytes, values and numbers are bounded`() throws {
        let limits = JSON.Limits(bytes: 20, depth: 3, numberBytes: 5, values: 4)
        #expect(throws: Never.self) { try JSON.parse(text: "[12345,{\"a\":1}]     ", limits: limits) }
        func reason(_ text: String) -> JSON.ParseError.Reason? {
            #expect(throws: JSON.ParseError.self) { try JSON.parse(text: text, limits: limits) }?.reason
        }
        #expect(reason("[12345,{\"a\":1}]      ") == .tooManyBytes)
        #expect(reason("123456") == .numberTooLong)
        #expect(reason("-1.2e3") == .numberTooLong)
        #expect(reason("[1,2,3,4]") == .tooManyValues)
        #expect(throws: JSON.ParseError.self) {
            try JSON.parse(Array("1234567890 12345678901".utf8)[...], limits: limits)
        }
        #expect(try JSON.parse(Array("  [1]".utf8).dropFirst(2)) == [1])
    }
}

extension String {
    /// A number of exactly this literal.
    var number: JSON {
        do {
            return try JSON.parse(text: self)
        } catch {
            preconditionFailure("not a number: \(self)")
        }
    }
}
