import Domain
import Foundation
import Testing
import Transparency

/// The published vectors of Standard Webhooks, and what must not pass.
@Suite struct SignatureVerifierTests {
    private let profile: SigningProfile
    private let body = Array(#"{"test": 2432232314}"#.utf8)
    private let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    private let sentAt: Int64 = 1_614_265_330
    private let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    private let decoy = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
    private let goodV1A =
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="

    init() throws {
        profile = try #require(try SigningProfile.embedded()["standard-webhooks"])
    }

    private func key(_ secret: String, notBefore: Int64? = nil, notAfter: Int64? = nil) throws -> SigningKey {
        try SigningKey(
            secret: secret,
            forms: profile.secretForms,
            notBefore: notBefore.map(Timestamp.init(seconds:)),
            notAfter: notAfter.map(Timestamp.init(seconds:))
        )
    }

    private func symmetric() throws -> SigningKey { try key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") }
    private func publicKey() throws -> SigningKey { try key("whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=") }
    private func seed() throws -> SigningKey { try key("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=") }

    private func headers(_ signature: String) -> [(name: String, value: String)] {
        [("Webhook-Id", id), ("Webhook-Timestamp", String(sentAt)), ("Webhook-Signature", signature)]
    }

    private func verdict(
        _ headers: [(name: String, value: String)],
        body: [UInt8]? = nil,
        at seconds: Int64? = nil,
        keys: [SigningKey]? = nil
    ) async throws -> Verdict {
        await SignatureVerifier.verify(
            profile: profile,
            request: HookRequest(url: "https://hr.example/hooks/1", headers: headers, body: body ?? self.body),
            receivedAt: Timestamp(seconds: seconds ?? sentAt),
            keys: try keys ?? [symmetric()]
        )
    }

    private func scheme(_ verdict: Verdict) -> String? {
        if case .accepted(let acceptance) = verdict { acceptance.scheme } else { nil }
    }

    @Test func `the published signatures are accepted`() async throws {
        #expect(scheme(try await verdict(headers(good))) == "v1")
        #expect(scheme(try await verdict(headers(goodV1A), keys: [publicKey()])) == "v1a")
        #expect(scheme(try await verdict(headers(goodV1A), keys: [seed()])) == "v1a")
        guard case .accepted(let acceptance) = try await verdict(headers(good)) else {
            Issue.record("refused")
            return
        }
        #expect(acceptance.messageID == id)
        #expect(acceptance.signedAt == Timestamp(seconds: sentAt))
        #expect(acceptance.deduplication.count == 32)
    }

    @Test func `a decoy fails alone and does no harm in a list`() async throws {
        #expect(try await verdict(headers(decoy)) == .refused(.signatureWrong))
        #expect(scheme(try await verdict(headers(decoy + " " + good))) == "v1")
        #expect(scheme(try await verdict(headers("v9,xyz v1,short " + good))) == "v1")
        #expect(
            scheme(try await verdict(headers("\(decoy) \(goodV1A) \(good)"), keys: [publicKey(), symmetric()])) == "v1a"
        )
    }

    @Test func `any of several keys will do`() async throws {
        let other = try key("whsec_" + Base64.standard.encode([UInt8](repeating: 7, count: 24)))
        #expect(scheme(try await verdict(headers(good), keys: [other, symmetric()])) == "v1")
        #expect(try await verdict(headers(good), keys: [other]) == .refused(.signatureWrong))
        let many = Array(repeating: other, count: SignatureVerifier.mostKeys)
        #expect(scheme(try await verdict(headers(good), keys: many.dropLast() + [symmetric()])) == "v1")
        #expect(try await verdict(headers(good), keys: many + [symmetric()]) == .refused(.signatureWrong))
    }

    @Test func `a key counts only in its window`() async throws {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        #expect(
            scheme(try await verdict(headers(good), keys: [key(secret, notBefore: sentAt, notAfter: sentAt + 1)]))
                == "v1"
        )
        #expect(try await verdict(headers(good), keys: [key(secret, notBefore: sentAt + 1)]) == .refused(.noKey))
        #expect(try await verdict(headers(good), keys: [key(secret, notAfter: sentAt)]) == .refused(.noKey))
        #expect(try await verdict(headers(good), keys: []) == .refused(.noKey))
        #expect(Verdict.Refusal.allCases.filter(\.isOurs) == [.noKey])
    }

    @Test func `a signature is never checked against a key of another kind`() async throws {
        #expect(try await verdict(headers(goodV1A), keys: [symmetric()]) == .refused(.noKeyForVersion))
        #expect(try await verdict(headers(good), keys: [publicKey(), seed()]) == .refused(.noKeyForVersion))
        // The public key is no secret: a MAC made with its bytes must not pass for a signature.
        let bytes = try #require(Base64.standard.decode("ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="))
        let forged = try SignatureMaker.sign(
            profile: profile,
            id: id,
            at: Timestamp(seconds: sentAt),
            body: body,
            keys: [key("whsec_" + Base64.standard.encode(bytes))]
        )
        #expect(try await verdict(forged, keys: [publicKey()]) == .refused(.noKeyForVersion))
        let relabelled = headers("v1a," + good.dropFirst(3))
        #expect(try await verdict(relabelled, keys: [publicKey()]) == .refused(.signatureMalformed))
        #expect(try await verdict(headers("v1," + goodV1A.dropFirst(4))) == .refused(.signatureMalformed))
    }

    @Test func `one changed byte is enough`() async throws {
        for place in body.indices {
            var changed = body
            changed[place] ^= 0x20
            #expect(try await verdict(headers(good), body: changed) == .refused(.signatureWrong))
        }
        let reserialized = Array(#"{"test":2432232314}"#.utf8)
        #expect(try await verdict(headers(good), body: reserialized) == .refused(.signatureWrong))
        #expect(try await verdict(headers(good), body: []) == .refused(.signatureWrong))
        for (place, name) in [(0, "Webhook-Id"), (1, "Webhook-Timestamp")] {
            var changed = headers(good)
            changed[place] = (name, place == 0 ? id + "x" : String(sentAt + 1))
            #expect(try await verdict(changed) == .refused(.signatureWrong))
        }
    }

    @Test func `no other character passes at any place of a signature`() async throws {
        for (signature, key) in [(good, try symmetric()), (goodV1A, try publicKey())] {
            let characters = Array(signature.utf8)
            // Ed25519 takes longer, so there only neighbours of each character are tried.
            let isShort = characters.count < 60
            for place in characters.indices {
                let others = isShort ? Array(0x20...0x7E) : [characters[place] ^ 1, characters[place] ^ 2]
                for other in others where other != characters[place] {
                    var changed = characters
                    changed[place] = other
                    let judged = try await verdict(headers(String(decoding: changed, as: UTF8.self)), keys: [key])
                    #expect(scheme(judged) == nil, "place \(place), character \(other)")
                }
            }
        }
    }

    @Test(arguments: [(-300, true), (-301, false), (300, true), (301, false), (0, true)])
    func `the window is 300 seconds both ways, against the time of receipt`(
        offset: Int64,
        isAccepted: Bool
    ) async throws {
        let verdict = try await verdict(headers(good), at: sentAt + offset)
        #expect((scheme(verdict) == "v1") == isAccepted)
        if !isAccepted {
            #expect(verdict == .refused(offset > 0 ? .timestampTooOld : .timestampTooEarly))
        }
    }

    @Test(
        arguments: [
            ("", .timestampMalformed), ("1614265330.0", .timestampMalformed), ("+1614265330", .timestampMalformed),
            ("01614265330", .timestampMalformed), (" 1614265330", .timestampMalformed), ("-1", .timestampMalformed),
            ("1614265330000", .timestampMalformed), ("0x60", .timestampMalformed), ("１６１４２６５３３０", .timestampMalformed),
            ("99999999999", .timestampTooEarly), ("0", .timestampTooOld), ("2021-02-25T15:02:10Z", .timestampMalformed),
        ] as [(String, Verdict.Refusal)]
    )
    func `a time is digits of seconds and nothing else`(text: String, refusal: Verdict.Refusal) async throws {
        var changed = headers(good)
        changed[1].value = text
        #expect(try await verdict(changed) == .refused(refusal))
    }

    @Test(
        arguments: [
            ("", .signatureMalformed), ("v1", .signatureMalformed), ("v1,", .signatureMalformed),
            (",abc", .signatureMalformed),
            (" ", .signatureMalformed), ("v1,abc", .signatureMalformed), ("v1,é", .signatureMalformed),
            ("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", .versionUnknown),
            ("V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", .versionUnknown),
            ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE", .signatureMalformed),
            ("v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=", .signatureMalformed),
            ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", .signatureMalformed),
            ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ", .signatureMalformed),
            ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=  v2,x", .signatureMalformed),
            ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\tv2,x", .signatureMalformed),
            ("v1=g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", .signatureMalformed),
        ] as [(String, Verdict.Refusal)]
    )
    func `a signature header is written as the profile says`(text: String, refusal: Verdict.Refusal) async throws {
        #expect(try await verdict(headers(text)) == .refused(refusal))
    }

    @Test func `headers are there once and not too long`() async throws {
        let all = headers(good)
        let missing: [Verdict.Refusal] = [.idMissing, .timestampMissing, .signatureMissing]
        let repeated: [Verdict.Refusal] = [.idRepeated, .timestampRepeated, .signatureRepeated]
        for place in all.indices {
            #expect(try await verdict(all.filter { $0.name != all[place].name }) == .refused(missing[place]))
            #expect(
                try await verdict(all + [(all[place].name.uppercased(), all[place].value)]) == .refused(repeated[place])
            )
        }
        #expect(try await verdict(headers(good + String(repeating: " v2,x", count: 15))) == verdict(headers(good)))
        #expect(try await verdict(headers(good + String(repeating: " v2,x", count: 16))) == .refused(.signatureTooMany))
        #expect(
            try await verdict(headers(good + " v2," + String(repeating: "x", count: 4_096)))
                == .refused(.signatureTooLong)
        )
        var changed = all
        for text in [
            String(repeating: "x", count: 257), "", "a b", "é", "a\u{0}", "x.1614265330.{\"a\":\"", "[", "a\"", "a,b",
            "a.b",
        ] {
            changed[0].value = text
            #expect(try await verdict(changed) == .refused(.idMalformed))
        }
    }

    @Test func `whoever holds no key cannot have a body gone over without end`() async throws {
        // Valid shared secrets go over the text once each, however many signatures are over it.
        let decoys = try (0..<7).map { number in
            try key("whsec_" + Data(repeating: UInt8(number), count: 24).base64EncodedString())
        }
        let many = Array(repeating: decoy, count: 15).joined(separator: " ")
        #expect(scheme(try await verdict(headers(many + " " + good), keys: decoys + [symmetric()])) == "v1")
        #expect(try await verdict(headers(many + " " + decoy), keys: decoys) == .refused(.signatureWrong))
        // A public key goes over it for each signature.
        let forged = "v1a," + Data(repeating: 7, count: 64).base64EncodedString()
        let publicKeys = [try publicKey(), try publicKey(), try publicKey()]
        let five = Array(repeating: forged, count: 5).joined(separator: " ")
        #expect(try await verdict(headers(five), keys: publicKeys) == .refused(.signatureWrong))
        #expect(try await verdict(headers(five + " " + forged), keys: publicKeys) == .refused(.signatureTooMany))
    }

    @Test func `repetitions have one key, other deliveries another`() async throws {
        func deduplication(_ id: String, _ seconds: Int64, _ body: String) async throws -> [UInt8]? {
            let made = try SignatureMaker.sign(
                profile: profile,
                id: id,
                at: Timestamp(seconds: seconds),
                body: Array(body.utf8),
                keys: [symmetric()]
            )
            guard case .accepted(let acceptance) = try await verdict(made, body: Array(body.utf8), at: seconds) else {
                return nil
            }
            return acceptance.deduplication
        }
        let first = try #require(try await deduplication("msg_1", 1_700_000_000, "{}"))
        // Standard Webhooks renews the time with each attempt and keeps the id.
        #expect(try await deduplication("msg_1", 1_700_000_060, "{}") == first)
        #expect(try await deduplication("msg_2", 1_700_000_000, "{}") != first)
        #expect(try await deduplication("urn:uuid:5-7/x@y|z=~+-", 1_700_000_000, "{}") != first)
    }

    @Test func `what the maker signs the verifier accepts, and it is the published signature`() async throws {
        let made = try SignatureMaker.sign(
            profile: profile,
            id: id,
            at: Timestamp(microseconds: sentAt * 1_000_000 + 999_999),
            body: body,
            keys: [symmetric(), seed()]
        )
        #expect(made.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
        #expect(made.map(\.value) == [id, String(sentAt), "\(good) \(goodV1A)"])
        #expect(throws: SignatureMakerError.noKeyThatSigns) {
            try SignatureMaker.sign(
                profile: profile,
                id: id,
                at: Timestamp(seconds: 0),
                body: body,
                keys: [publicKey()]
            )
        }
        #expect(throws: SignatureMakerError.idUnusable) {
            try SignatureMaker.sign(
                profile: profile,
                id: "a{b",
                at: Timestamp(seconds: 0),
                body: body,
                keys: [symmetric()]
            )
        }
    }
}
