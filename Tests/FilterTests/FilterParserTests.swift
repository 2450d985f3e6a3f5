import Filter
import Foundation
import Testing

@Suite struct FilterParserTests {
    private static let vectors = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Vectors/rfc7644/filters.txt")

    @Test func `every example of RFC 7644 is read, and its description reads back the same`() throws {
        let examples = try String(contentsOf: Self.vectors, encoding: .utf8).split(separator: "\n")
        #expect(examples.count == 19)
        for example in examples {
            let filter = try Filter(String(example))
            #expect(try Filter(filter.description) == filter, "\(example)")
        }
    }

    @Test(arguments: [
        ("  userName   EQ \"x\" ", "userName eq \"x\""), ("a pr", "a pr"), ("a PR\tAND\nb Pr", "a pr and b pr"),
        ("((a pr))", "a pr"), ("(a pr and b pr) and c pr", "a pr and b pr and c pr"),
        ("a pr or (b pr or c pr)", "a pr or b pr or c pr"), ("(a pr or b pr) and c pr", "(a pr or b pr) and c pr"),
        ("a pr or (b pr and c pr)", "a pr or b pr and c pr"), ("not(a pr)", "not (a pr)"),
        ("NOT ( not (a pr) )", "not (not (a pr))"), ("a[ b pr ]", "a[b pr]"), ("a eq 1.50", "a eq 1.5"),
        ("a eq -0", "a eq 0"), ("a eq 1e3", "a eq 1000"), ("a eq 1E-7", "a eq 1e-07"),
        ("a eq \"\\u0041\\/\"", "a eq \"A/\""),
        ("a eq \"\\u0001\\n\\\"\"", "a eq \"\\u0001\\n\\\"\""), ("a eq \"\\ud83d\\ude00\"", "a eq \"😀\""),
        ("a ne null", "a ne null"), ("a eq true or b eq false", "a eq true or b eq false"),
        ("members.$ref co \"x\"", "members.$ref co \"x\""), ("order eq 1 or android pr", "order eq 1 or android pr"),
        ("notes pr", "notes pr"), ("a-b_9.c pr", "a-b_9.c pr"), ("(a pr)and(b pr)", "a pr and b pr"),
        ("urn:x:2.0:User:name.givenName pr", "urn:x:2.0:User:name.givenName pr"),
        ("urn:x:2.0:User pr", "urn:x:2.0:User pr"), ("a gt 9007199254740991", "a gt 9007199254740991"),
        ("a eq 4503599627370495.5", "a eq 4503599627370495.5"),
    ])
    func `the normal form`(text: String, normal: String) throws {
        let filter = try Filter(text)
        #expect(filter.description == normal)
        #expect(try Filter(normal) == filter)
    }

    @Test func `not binds before and, and before or`() throws {
        let (a, b) = (Filter.Expression.present(AttributePath("a")), Filter.Expression.present(AttributePath("b")))
        let (c, d) = (Filter.Expression.present(AttributePath("c")), Filter.Expression.present(AttributePath("d")))
        #expect(try Filter("a pr or b pr and c pr").root == .or([a, .and([b, c])]))
        #expect(try Filter("a pr and b pr or c pr and d pr").root == .or([.and([a, b]), .and([c, d])]))
        #expect(try Filter("(a pr or b pr) and c pr").root == .and([.or([a, b]), c]))
        #expect(try Filter("not (a pr) and b pr").root == .and([.not(a), b]))
        #expect(
            try Filter("not (a pr) or b pr and not (c pr or d pr)").root
                == .or([.not(a), .and([b, .not(.or([c, d]))])])
        )
        #expect(try Filter("a pr and (b pr and (c pr and d pr))").root == .and([a, b, c, d]))
    }

    @Test func `a path has URN, attribute and sub-attribute, and no case`() throws {
        let path = AttributePath(uri: "urn:ietf:params:scim:schemas:core:2.0:User", "name", "familyName")
        #expect(try Filter("urn:ietf:params:scim:schemas:core:2.0:User:name.familyName pr").root == .present(path))
        #expect(try Filter("URN:IETF:params:scim:schemas:core:2.0:user:NAME.familyname PR").root == .present(path))
        #expect(try Filter("userName pr") == Filter("username pr"))
        #expect(try Filter("userName eq \"a\"") != Filter("userName eq \"A\""))
        #expect(
            Set([path, AttributePath(uri: "urn:ietf:params:scim:schemas:core:2.0:USER", "Name", "FAMILYNAME")]).count
                == 1
        )
    }

    @Test(
        arguments: [
            ("", .empty, 0), ("  ", .empty, 2), ("userName", .unexpectedEnd, 8), ("userName ", .unexpectedEnd, 9),
            ("userName equals \"x\"", .unknownOperator, 9), ("userName = \"x\"", .unknownOperator, 9),
            ("userName eq", .unexpectedEnd, 11), ("userName eq ", .unexpectedEnd, 12),
            ("userName eq jyoung", .invalidValue, 12),
            ("userName eq 'x'", .invalidValue, 12), ("active eq True", .invalidValue, 10),
            ("active eq TRUE", .invalidValue, 10),
            ("a eq \"x", .invalidString, 5), ("a eq \"x\\\"", .invalidString, 5), ("a eq \"\\q\"", .invalidString, 6),
            ("a eq \"\\ud800\"", .invalidString, 6), ("a eq \"\\u12\"", .invalidString, 6),
            ("a eq \"\t\"", .invalidString, 6),
            ("a eq 01", .invalidValue, 5), ("a eq 1.", .invalidValue, 5), ("a eq -", .invalidValue, 5),
            ("a eq 1e", .invalidValue, 5),
            ("a eq 0x10", .invalidValue, 5), ("a eq 1e999", .invalidValue, 5), ("a eq 1e-999", .invalidNumber, 5),
            ("a eq 9007199254740993", .invalidNumber, 5), ("a eq 9007199254740992", .invalidNumber, 5),
            ("a eq +1", .invalidValue, 5),
            ("a eq 1 b eq 2", .unexpected, 7), ("a eq 1 and", .unexpectedEnd, 10),
            ("a eq 1 and or b pr", .unknownOperator, 14),
            ("and a pr", .unknownOperator, 4), ("(a pr", .unexpectedEnd, 5), ("(a pr]", .unexpected, 5),
            ("a pr)", .unexpected, 4),
            ("()", .unexpected, 1), ("not a pr", .unexpected, 4), ("not", .unexpectedEnd, 3),
            ("a[b pr", .unexpectedEnd, 6),
            ("a[b pr)", .unexpected, 6), ("a[]", .unexpected, 2), ("a[b[c pr]]", .unexpected, 3),
            ("emails[type eq \"work\"].value eq \"x\"", .unexpected, 22), ("a[b pr] c pr", .unexpected, 8),
            ("1a pr", .invalidAttribute, 0), ("a.b.c pr", .invalidAttribute, 3), ("a. pr", .invalidAttribute, 2),
            (".a pr", .invalidAttribute, 0), ("a:b pr", .invalidAttribute, 0), ("urn:x: pr", .invalidAttribute, 6),
            ("é pr", .unexpected, 0), ("a$b pr", .invalidAttribute, 1), ("a pr pr", .unexpected, 5),
            ("a eq null null", .unexpected, 10),
            ("a gt true", .operatorDoesNotFitValue, 5), ("a co 1", .operatorDoesNotFitValue, 5),
            ("a sw null", .operatorDoesNotFitValue, 5), ("a le null", .operatorDoesNotFitValue, 5),
            ("a pr \"x\"", .unexpected, 5),
        ] as [(String, FilterError.Reason, Int)]
    )
    func `a mistake is told with its place`(text: String, reason: FilterError.Reason, position: Int) {
        let error = #expect(throws: FilterError.self) { try Filter(text) }
        #expect(error?.reason == reason)
        #expect(error?.position == position)
        #expect(error?.expected.isEmpty == false)
    }

    @Test func `an admin reads what would have been right`() {
        let error = #expect(throws: FilterError.self) { try Filter("userName is \"x\"") }
        #expect(
            error?.description
                == "there is no such operator (position 9); expected an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr"
        )
    }

    @Test func `length, depth and terms are bounded`() throws {
        func reason(_ text: String) -> FilterError.Reason? {
            #expect(throws: FilterError.self) { try Filter(text) }?.reason
        }
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "a pr" + String(repeating: ")", count: depth)
        }
        #expect(throws: Never.self) { try Filter(nested(32)) }
        #expect(reason(nested(33)) == .tooDeep)
        #expect(reason(String(repeating: "not (", count: 33) + "a pr") == .tooDeep)
        #expect(reason(String(repeating: "(", count: 32) + "a[b pr]") == .tooDeep)
        #expect(reason(nested(5_000)) == .tooLong)
        #expect(reason(String(repeating: "(", count: 8_000)) == .tooDeep)
        // Depth is that of the deepest place, not of all places together.
        #expect(throws: Never.self) { try Filter(Array(repeating: "(a pr)", count: 200).joined(separator: " and ")) }
        #expect(throws: Never.self) { try Filter(Array(repeating: "a pr", count: 256).joined(separator: " or ")) }
        #expect(reason(Array(repeating: "a pr", count: 257).joined(separator: " or ")) == .tooManyTerms)
        #expect(throws: Never.self) { try Filter("a eq \"" + String(repeating: "x", count: 8_192 - 7) + "\"") }
        #expect(reason("a eq \"" + String(repeating: "x", count: 8_192 - 6) + "\"") == .tooLong)
        let wide = Filter.Limits(bytes: .max, depth: .max, terms: .max)
        #expect(throws: FilterError.self) { try Filter(nested(100_000), limits: wide) }
    }
}
