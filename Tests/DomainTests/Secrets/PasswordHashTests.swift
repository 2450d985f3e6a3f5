import Domain
import TestSupport
import Testing

@Suite struct `Passwords` {
    /// By Python's hashlib.scrypt of `correct horse battery` with N 1024, r 8, p 1 and the bytes 0 to 15 as salt.
    private static let kept = "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$hKGWL22WtdGfIbxEPAZ06BS2bWyYKuZIKvypfAlYOWk"

    @Test func `a hash made elsewhere is recognised, and no other password`() throws {
        let hash = try #require(PasswordHash(Self.kept))
        #expect(try hash.matches(try #require(Password(typed: "correct horse battery"))))
        for wrong in ["correct horse batterx", "Correct horse battery", "", "correct horse battery "] {
            #expect(try !hash.matches(try #require(Password(typed: wrong))))
        }
        #expect(hash.description == Self.kept)
    }

    @Test func `what two keyboards type differently is one password`() throws {
        let hash = try PasswordHash(
            of: try #require(Password(typed: "caf\u{E9} am abend")),
            cost: .cheap,
            using: SeededRandomness()
        )
        #expect(try hash.matches(try #require(Password(typed: "cafe\u{301} am abend"))))
    }

    @Test func `the cost of new hashes is in them, and a row names no more than we would spend`() throws {
        #expect(PasswordHash.Cost.standard != .cheap)
        #expect(PasswordHash(Self.kept.replacing("ln=10", with: "ln=17")) != nil)
        for cost in ["ln=18", "ln=40", "ln=0", "ln=-1", "ln=010"] {
            #expect(PasswordHash(Self.kept.replacing("ln=10", with: cost)) == nil, "\(cost)")
        }
        for malformed in ["", "scrypt", "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$", Self.kept + "$"] {
            #expect(PasswordHash(malformed) == nil)
        }
    }

    @Test(arguments: [
        ("short pass", false), ("aaaaaaaaaaaaaaaa", false), ("lovelace is my name", false),
        ("a longer sentence", true), (String(repeating: "abcdefgh", count: 129), false),
    ])
    func `what may be chosen`(text: String, isGood: Bool) {
        #expect((Password.objection(to: text, for: "Lovelace@acme.example") == nil) == isGood)
    }

    @Test func `printing a password shows nothing of it`() throws {
        let password = try #require(Password(typed: "correct horse battery"))
        var dumped = ""
        dump(password, to: &dumped)
        for text in ["\(password)", String(reflecting: password), dumped] { #expect(!text.contains("horse")) }
        #expect(Password(typed: String(repeating: "x", count: Password.mostBytes + 1)) == nil)
    }
}
