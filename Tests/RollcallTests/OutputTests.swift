import Testing
import Transparency

@testable import rollcall

@Suite struct `Output` {
    private let columns = [Column("NAME", "name"), Column("VALUE", "value", "other")]

    private func csv(_ value: JSON) -> String {
        CommaSeparated.text([["name": "n", "value": value]], columns: columns, withHeadings: false)
    }

    @Test(arguments: ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\u{FF1D}1"])
    func `a text that a spreadsheet would run is disarmed`(text: String) {
        #expect(csv(.string(text)).contains("'" + text))
    }

    @Test func `numbers stay numbers, quotes double, lines stay inside their field`() {
        #expect(csv(-5) == "n,-5\r\n")
        #expect(csv("a\"b") == "n,\"a\"\"b\"\r\n")
        #expect(csv("a\nb") == "n,\"a\nb\"\r\n")
        #expect(csv("a\r\nb") == "n,\"a\r\nb\"\r\n")
        #expect(csv(nil) == "n,\r\n")
    }

    @Test func `what is wrong is said with its place`() {
        let reasons: JSON = [
            ["pointer": "/events/1/type", "reason": "is missing"], ["pointer": "", "reason": "is not an object"],
        ]
        #expect(reasons.cell == "/events/1/type is missing, the body is not an object")
        #expect(JSON.array([]).cell.isEmpty)
    }

    @Test func `a column takes the first place that has a value`() {
        #expect(Column("X", "a", "b/c").value(in: ["a": nil, "b": ["c": 7]]) == 7)
        #expect(Column("X", "a").value(in: [:]) == nil)
    }

    @Test(arguments: [("abc", 3), ("日本", 4), ("e\u{301}", 1), ("👩‍👩‍👧", 2), ("한글", 4), ("ｆｕｌｌ", 8), ("", 0)])
    func `width is counted in columns`(text: String, width: Int) {
        #expect(TerminalText.width(text) == width)
    }

    @Test func `columns of mixed scripts line up`() {
        let table = Table([["name": "日本", "value": 1], ["name": "ab", "value": 2]], columns: columns).text
        #expect(table == "NAME  VALUE\n日本  1\nab    2\n")
    }

    @Test(arguments: ["\u{1B}[2J", "a\u{8}b", "a\nb", "\u{202E}abc", "\u{9B}1m", "\u{2028}"])
    func `nothing that controls a terminal gets through`(text: String) {
        let safe = TerminalText.safe(text)
        #expect(
            safe.unicodeScalars.allSatisfy { scalar in
                ![.control, .format, .lineSeparator].contains(scalar.properties.generalCategory)
            }
        )
        #expect(safe.contains("\u{FFFD}"))
    }

    @Test func `pretty JSON reads back as the same value`() throws {
        let value: JSON = ["a": [1, ["b": nil], []], "c": [:], "d": "\"\n", "e": 1.5]
        #expect(try JSON.parse(Array(PrettyJSON.text(value).utf8)) == value)
    }

    @Test(arguments: [
        ("a b", "a%20b"), ("é", "%C3%A9"), ("a/b?c&d=e+f%", "a%2Fb%3Fc%26d%3De%2Bf%25"), ("-._~", "-._~"),
    ])
    func `what goes into a URL cannot change its shape`(text: String, escaped: String) {
        #expect(URLText.escaped(text) == escaped)
    }
}
