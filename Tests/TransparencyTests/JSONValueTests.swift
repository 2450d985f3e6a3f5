import Testing
import Transparency

@Suite struct JSONValueTests {
    private let document: JSON = [
        "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7, "01": "text", "nested": ["list": [[1, 2]]],
    ]

    @Test(
        arguments: [
            ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/m~0n", 8), ("/ ", 7), ("/01", "text"),
            ("/nested/list/0/1", 2), ("/foo", ["bar", "baz"]),
        ] as [(String, JSON)]
    )
    func `a pointer finds what RFC 6901 says`(pointer: String, value: JSON) {
        #expect(document[pointer: pointer] == value)
    }

    @Test(arguments: [
        "foo", "/foo/2", "/foo/00", "/foo/-", "/foo/+0", "/foo/0/x", "/none", "/m~2n", "/m~", "/a/b", "/foo/",
        "/foo/99999999999999999999",
    ])
    func `a pointer to nothing finds nothing`(pointer: String) {
        #expect(document[pointer: pointer] == nil)
    }

    @Test func `the empty pointer is the whole`() {
        #expect(document[pointer: ""] == document)
    }

    @Test func `accessors answer for their own kind only`() {
        #expect(JSON.string("a").string == "a")
        #expect(JSON.integer(5).string == nil)
        #expect(JSON.integer(Int64.min).int64 == .min)
        #expect("1.0".number.int64 == nil)
        #expect("9223372036854775808".number.int64 == nil)
        #expect("9223372036854775808".number.double == 9_223_372_036_854_775_808)
        #expect("1e400".number.double == nil)
        #expect(JSON.bool(false).bool == false)
        #expect(JSON.null.isNull)
        #expect(JSON.null.bool == nil)
        #expect(([1] as JSON).array == [1])
        #expect(([1] as JSON)["a"] == nil)
    }

    @Test func `equality is of bytes and literals, and not of the order of members`() throws {
        #expect(JSON.string("\u{E9}") != JSON.string("e\u{301}"))
        #expect("1".number != "1.0".number)
        let one = try JSON.parse(text: "{\"a\":1,\"b\":[2]}")
        let other = try JSON.parse(text: "{\"b\":[2],\"a\":1}")
        #expect(one == other)
        #expect(Set([one, other]).count == 1)
        #expect(one != ["a": 1])
        #expect(one != ["a": 1, "c": [2]])
    }

    @Test func `members keep their places while they are set and taken out`() {
        var object = JSON.Object()
        for place in 0..<40 { object["\(place)"] = .integer(place) }
        object["7"] = "seven"
        object["8"] = nil
        object["none"] = nil
        object["null"] = .null
        #expect(object.count == 40)
        #expect(object["7"] == "seven")
        #expect(object["8"] == nil)
        #expect(object["39"] == 39)
        #expect(object["null"] == JSON.null)
        #expect(object.keys.prefix(9) == ["0", "1", "2", "3", "4", "5", "6", "7", "9"])
        #expect(object.keys.last == "null")
        for place in 0..<40 { object["\(place)"] = nil }
        #expect(object == ["null": nil])
    }

    @Test func `text keeps literals and order, and reads back equal`() throws {
        let text =
            "{\"z\":1.50,\"a\":[1e2,-0,12345678901234567890,\"\\u0001\\\"é\\/\"],\"n\":null,\"t\":true,\"f\":false}"
        let value = try JSON.parse(text: text)
        #expect(
            value.text
                == "{\"z\":1.50,\"a\":[1e2,-0,12345678901234567890,\"\\u0001\\\"é/\"],\"n\":null,\"t\":true,\"f\":false}"
        )
        #expect(try JSON.parse(text: value.text) == value)
    }
}
