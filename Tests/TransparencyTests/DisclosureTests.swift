import Testing
import Transparency

@Suite struct DisclosureTests {
    @Test func `the published disclosure has the published digest`() throws {
        let rows = try Vectors.lines("rfc9901/disclosure.txt")
        let disclosure = try Disclosure(encoded: rows[0][0])
        #expect(disclosure.salt == "_26bc4LT-ac6q2KI6cBW5es")
        #expect(disclosure.name == "family_name")
        #expect(disclosure.value == "Möbius")
        #expect(disclosure.digest == rows[1][0])
        #expect(disclosure.encoded == rows[0][0])
    }

    @Test func `a disclosure of ours is canonical and reads back equal`() throws {
        let salt = "_26bc4LT-ac6q2KI6cBW5es"
        let one = try Disclosure(salt: salt, name: "emails", value: ["b": 1, "a": ["x"]])
        let other = try Disclosure(salt: salt, name: "emails", value: ["a": ["x"], "b": "1.0".number])
        #expect(one.encoded == other.encoded)
        #expect(Base64.url.decode(one.encoded) == Array("[\"\(salt)\",\"emails\",{\"a\":[\"x\"],\"b\":1}]".utf8))
        #expect(try Disclosure(encoded: one.encoded) == one)
        #expect(try Disclosure(salt: salt, name: "email", value: 1).digest != one.digest)
        #expect(throws: DisclosureError.saltTooShort) { try Disclosure(salt: "short", name: "a", value: 1) }
        #expect(throws: DisclosureError.valueNotCanonical) {
            try Disclosure(salt: salt, name: "a", value: .integer(Int64.max))
        }
    }

    @Test(arguments: [
        "", "!", "W10=", "[]", "eyJhIjoxfQ", Base64.url.encode(Array("[\"a\",\"b\"]".utf8)),
        Base64.url.encode(Array("[\"a\",\"b\",1,2]".utf8)), Base64.url.encode(Array("[1,\"b\",1]".utf8)),
        Base64.url.encode(Array("[\"a\",\"b\",{\"x\":1,\"x\":2}]".utf8)),
    ])
    func `what is no disclosure is refused`(encoded: String) {
        #expect(throws: DisclosureError.malformed) { try Disclosure(encoded: encoded) }
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `base64 has the vectors of RFC 4648 section 10`(text: String, encoded: String) {
        #expect(Base64.standard.encode(Array(text.utf8)) == encoded)
        #expect(Base64.standard.decode(encoded) == Array(text.utf8))
        let bare = String(encoded.prefix { $0 != "=" })
        #expect(Base64.url.encode(Array(text.utf8)) == bare)
        #expect(Base64.url.decode(bare) == Array(text.utf8))
    }

    @Test(arguments: [
        "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm9-", "Zm9_", "Z===", "====", "=Zg=", "Zg==Zg==",
        "Zm8=Zm8=",
        "Zé==",
    ])
    func `base64 written another way is refused`(text: String) {
        #expect(Base64.standard.decode(text) == nil)
    }

    @Test func `base64 tells its alphabets apart and survives every byte`() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Base64.standard.decode(Base64.standard.encode(bytes)) == bytes)
        #expect(Base64.url.decode(Base64.url.encode(bytes)) == bytes)
        #expect(Base64.standard.encode([0xFB, 0xFF]) == "+/8=")
        #expect(Base64.url.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64.url.decode("+/8") == nil)
        #expect(Base64.url.decode("-_8=") == nil)
    }
}
