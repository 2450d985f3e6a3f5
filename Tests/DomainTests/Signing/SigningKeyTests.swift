import Domain
import Testing
import Transparency

@Suite struct SigningKeyTests {
    private let forms: [SigningProfile.SecretForm] = [.whsec, .whpk, .whsk]
    private let seed = Array("TESTSIGNINGKEYDONOTUSETHISFORANY".utf8)
    private let publicBytes = Base64.standard.decode("ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=") ?? []

    @Test(
        arguments: [
            ("", .empty), ("whsec_", .empty), ("whpk_", .empty), ("whsk_", .empty),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .unknownForm(expected: ["whsec_", "whpk_", "whsk_"])),
            (" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .unknownForm(expected: ["whsec_", "whpk_", "whsk_"])),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", .unknownForm(expected: ["whsec_", "whpk_", "whsk_"])),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", .notBase64),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", .notBase64),
            ("whsec_AAAA", .tooShort(bytes: 16)), ("whpk_AAAA", .wrongLength(expected: "32 bytes")),
            ("whsk_AAAA", .wrongLength(expected: "32 bytes of seed, or 64 with the public key behind them")),
            ("whsec_" + String(repeating: "A", count: 5_000), .tooLong),
        ] as [(String, SigningKeyError)]
    )
    func `what is no key is refused`(secret: String, error: SigningKeyError) {
        #expect(throws: error) { try SigningKey(secret: secret, forms: forms) }
    }

    @Test(arguments: ["token\n", "to\rken", "token\u{7F}", " token", "token "])
    func `a token that no header could carry is refused`(secret: String) {
        #expect(throws: SigningKeyError.notHeaderText) { try SigningKey(secret: secret, forms: [.token]) }
        #expect(throws: Never.self) { try SigningKey(secret: "Bearer to ken", forms: [.token]) }
    }

    @Test func `a private key may carry its public half, which must fit`() throws {
        let whole = "whsk_" + Base64.standard.encode(seed + publicBytes)
        #expect(throws: Never.self) { try SigningKey(secret: whole, forms: forms) }
        let other = "whsk_" + Base64.standard.encode(seed + publicBytes.reversed())
        #expect(throws: SigningKeyError.publicKeyDiffers) { try SigningKey(secret: other, forms: forms) }
    }

    @Test func `a form that the profile does not allow is refused`() {
        #expect(throws: SigningKeyError.unknownForm(expected: ["whpk_"])) {
            try SigningKey(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", forms: [.whpk])
        }
        #expect(throws: SigningKeyError.notBase64) { try SigningKey(secret: "not base64!", forms: [.base64]) }
        #expect(throws: Never.self) { try SigningKey(secret: "It's a Secret to Everybody", forms: [.utf8]) }
        #expect(throws: SigningKeyError.empty) { try SigningKey(secret: "", forms: [.utf8]) }
    }

    @Test func `a window that never opens is refused`() {
        #expect(throws: SigningKeyError.windowIsEmpty) {
            try SigningKey(
                secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                forms: forms,
                notBefore: Timestamp(seconds: 5),
                notAfter: Timestamp(seconds: 5)
            )
        }
    }

    @Test func `printing a key shows no secret`() throws {
        let key = try SigningKey(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", forms: forms, label: "autumn")
        var dumped = ""
        dump(key, to: &dumped)
        #expect("\(key)" == "signing key autumn")
        #expect(String(reflecting: key) == "signing key autumn")
        #expect(Mirror(reflecting: key).children.isEmpty)
        #expect(!dumped.contains("MfKQ") && !dumped.lowercased().contains("symmetric"))
    }
}
