import Domain
import Testing

@Suite struct `Codes by time` {
    /// RFC 6238 appendix B, SHA-1, and RFC 4226 appendix D by its counter.
    @Test(arguments: [
        (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
    ])
    func `the published vectors hold`(seconds: Int64, code: String) {
        let secret = TimeCode(secret: Array("12345678901234567890".utf8))
        #expect(secret.code(at: TimeCode.step(at: Timestamp(seconds: seconds)), digits: 8) == code)
    }

    @Test func `counters of RFC 4226 hold`() {
        let secret = TimeCode(secret: Array("12345678901234567890".utf8))
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
        ]
        #expect((0..<10).map { secret.code(at: $0) } == codes)
    }

    @Test func `a code is good for its step and one beside it, and never twice`() throws {
        let secret = TimeCode(secret: Array(0..<20))
        let now = Timestamp(seconds: 1_795_251_600)
        let step = TimeCode.step(at: now)
        for offset in Int64(-3)...3 {
            let found = secret.step(of: secret.code(at: step + offset), at: now, after: nil)
            #expect(found == (abs(offset) <= 1 ? step + offset : nil))
        }
        let code = secret.code(at: step)
        #expect(secret.step(of: code, at: now, after: step - 1) == step)
        #expect(secret.step(of: code, at: now, after: step) == nil)
        #expect(secret.step(of: secret.code(at: step - 1), at: now, after: step) == nil)
        for wrong in ["", "12345", code + "0", " " + code, "abcdef"] {
            #expect(secret.step(of: wrong, at: now, after: nil) == nil)
        }
    }

    @Test func `an app is told the secret as it expects it`() {
        // RFC 4648 10.
        #expect(TimeCode(secret: Array("foobar".utf8)).base32 == "MZXW6YTBOI")
        let address = TimeCode(secret: Array("foobar".utf8)).enrolmentAddress(of: "ada@acme.example", at: "Roll call")
        #expect(
            address == "otpauth://totp/Roll%20call:ada%40acme.example?secret=MZXW6YTBOI&issuer=Roll%20call"
                + "&algorithm=SHA1&digits=6&period=30"
        )
    }
}
