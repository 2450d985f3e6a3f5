import Domain
import TestSupport
import Testing

/// The bytes 0, 1, 2, …: what a golden text was computed from elsewhere.
private struct AscendingBytes: Randomness {
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }
}

@Suite struct OpaqueSecretTests {
    /// Computed with Python's zlib.crc32 and big integers from the bytes 0 to 31.
    @Test(arguments: [
        (OpaqueSecret.Kind.access, "rca_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf02JMY3"),
        (.claim, "rcc_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf2tlbEM"),
    ])
    func `the form never changes`(kind: OpaqueSecret.Kind, text: String) {
        #expect(OpaqueSecret.make(kind, using: AscendingBytes()).reveal() == text)
        #expect(OpaqueSecret(text)?.kind == kind)
    }

    @Test(arguments: OpaqueSecret.Kind.allCases)
    func `a made secret is read back`(kind: OpaqueSecret.Kind) throws {
        let secret = OpaqueSecret.make(kind, using: SeededRandomness())
        let text = secret.reveal()
        #expect(text.count == OpaqueSecret.length && text.hasPrefix("rc\(kind.rawValue)_"))
        let again = try #require(OpaqueSecret(text))
        #expect(again.kind == kind && again.reveal() == text)
    }

    @Test func `one wrong character anywhere is found without a look-up`() {
        let text = Array(OpaqueSecret.make(.access, using: SeededRandomness()).reveal())
        for place in text.indices {
            for other in "0Az_" where other != text[place] {
                var wrong = text
                wrong[place] = other
                #expect(OpaqueSecret(String(wrong)) == nil, "place \(place)")
            }
        }
    }

    @Test func `two neighbours changed round are found`() {
        let text = Array(OpaqueSecret.make(.client, using: SeededRandomness(seed: 7)).reveal())
        for place in text.indices.dropLast() where text[place] != text[place + 1] {
            var wrong = text
            wrong.swapAt(place, place + 1)
            #expect(OpaqueSecret(String(wrong)) == nil, "place \(place)")
        }
    }

    @Test(arguments: [
        "", "rca_", "hello", String(repeating: "a", count: 53), "rcx_" + String(repeating: "0", count: 49),
    ])
    func `what was never handed out is refused`(text: String) {
        #expect(OpaqueSecret(text) == nil)
    }

    @Test func `printing shows the kind alone`() {
        let secret = OpaqueSecret.make(.workspace, using: SeededRandomness())
        let body = String(secret.reveal().dropFirst(4))
        var dumped = ""
        dump(["held": secret], to: &dumped)
        let shown = ["\(secret)", String(describing: secret), String(reflecting: secret), "\([secret])", dumped]
        #expect(shown.allSatisfy { !$0.contains(body.prefix(8)) })
        #expect("\(secret)" == "rcw_…" && String(reflecting: secret) == "rcw_…")
    }
}
