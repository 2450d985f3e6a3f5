import Domain
import Testing
import Transparency

/// For every profile: what is made is accepted, and no single changed byte of it is.
@Suite struct ForgeryTests {
    private static let sent = Timestamp(seconds: 1_795_251_600)
    /// Makes each kind of key one that can sign.
    private static let keys: [SigningProfile.SecretForm: (made: String, others: String)] = [
        .whsec: ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"), .utf8: ("test_secret_do_not_use", "text"),
        .base64: ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"), .token: ("hr:s3cret-token-0123456789", "text"),
        .base64Long: ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "base64"),
        .whsk: ("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=", "base64"),
    ]

    /// Each profile with each form of key that signs with it.
    private static let ways: [String] = {
        // A profile that does not load is told by the tests of profiles.
        let profiles = (try? SigningProfile.embedded()) ?? [:]
        return profiles.values.flatMap { profile in
            profile.secretForms.filter { keys[$0] != nil }.map { "\(profile.name) \($0.rawValue)" }
        }.sorted()
    }()

    private struct Sent {
        let profile: SigningProfile
        let form: SigningProfile.SecretForm
        let secret: String
        var request: HookRequest
        /// Places of the headers that were made.
        let made: [Int]

        init(_ way: String) throws {
            let words = way.split(separator: " ").map(String.init)
            profile = try #require(try SigningProfile.embedded()[words[0]])
            form = try #require(SigningProfile.SecretForm(rawValue: words[1]))
            secret = try #require(keys[form]).made
            request = HookRequest(
                url: "https://rollcall.example/hooks/src_1",
                headers: [("Host", "rollcall.example"), ("Content-Type", "application/json")],
                body: Array(#"{"id":"ev-1","type":"employee.updated","token":"tok_9","events":{"urn:x":{"a":1}}}"#.utf8)
            )
            let delivery = try SignatureMaker.sign(
                profile: profile,
                id: "msg_1",
                at: sent,
                request: request,
                keys: [try SigningKey(secret: secret, forms: [form])]
            )
            let before = request.headers.count
            request.headers += delivery.headers
            request.body = delivery.body
            made = Array(before..<request.headers.count)
        }

        func verdict(_ request: HookRequest? = nil, secret: String? = nil) async throws -> Verdict {
            await SignatureVerifier.verify(
                profile: profile,
                request: request ?? self.request,
                receivedAt: sent,
                keys: [try SigningKey(secret: secret ?? self.secret, forms: [form])]
            )
        }

        /// Whether a changed header says the same: hexadecimal in the other case, or a scheme's name.
        func isSame(_ value: String, as original: String) -> Bool {
            let isHex = original.split(whereSeparator: { " ,=".contains($0) }).last.map {
                $0.utf8.count >= 64 && $0.allSatisfy(\.isHexDigit)
            }
            if isHex ?? false, let digits = original.split(whereSeparator: { " ,=".contains($0) }).last {
                let tag = original.utf8.count - digits.utf8.count
                return value.prefix(tag) == original.prefix(tag) && value.lowercased() == original.lowercased()
            }
            let scheme = original.prefix { $0 != " " }
            return scheme.lowercased() == "bearer" || scheme.lowercased() == "basic"
                ? value.lowercased().hasPrefix(scheme.lowercased() + " ")
                    && value.dropFirst(scheme.count) == original.dropFirst(scheme.count)
                : false
        }
    }

    private func isAccepted(_ verdict: Verdict) -> Bool {
        if case .accepted = verdict { true } else { false }
    }

    @Test(arguments: ways)
    func `what is made is accepted, once`(way: String) async throws {
        let sent = try Sent(way)
        guard case .accepted(let acceptance) = try await sent.verdict() else {
            Issue.record("\(try await sent.verdict())")
            return
        }
        #expect(acceptance.bodyIsProved == sent.profile.provesBody)
        #expect(sent.made.isEmpty == sent.request.headers.allSatisfy { ["Host", "Content-Type"].contains($0.name) })
        for place in sent.made where sent.request.headers[place].name != "content-type" {
            var twice = sent.request
            twice.headers.append(twice.headers[place])
            #expect(!isAccepted(try await sent.verdict(twice)), "\(twice.headers[place].name)")
            var without = sent.request
            without.headers.remove(at: place)
            #expect(!isAccepted(try await sent.verdict(without)))
        }
    }

    @Test(arguments: ways)
    func `no changed byte of the body passes`(way: String) async throws {
        let sent = try Sent(way)
        let signed = try SignatureVerifier.signedBytes(profile: sent.profile, request: sent.request)
        for place in sent.request.body.indices {
            for flip: UInt8 in [0x01, 0x20, 0x80] {
                var changed = sent.request
                changed.body[place] ^= flip
                guard case .accepted(let acceptance) = try await sent.verdict(changed) else { continue }
                // What the proof does not cover may change, and then it is said that it is not covered.
                #expect(!acceptance.bodyIsProved && !sent.profile.provesBody, "byte \(place), \(flip)")
                #expect(try SignatureVerifier.signedBytes(profile: sent.profile, request: changed) == signed)
            }
        }
    }

    @Test(arguments: ways)
    func `no changed byte of signature, id or time passes`(way: String) async throws {
        let sent = try Sent(way)
        for place in sent.made where sent.request.headers[place].name != "content-type" {
            let original = sent.request.headers[place].value
            for byte in original.utf8.indices {
                for flip: UInt8 in [0x01, 0x02, 0x04, 0x10, 0x20] {
                    var bytes = Array(original.utf8)
                    bytes[original.utf8.distance(from: original.startIndex, to: byte)] ^= flip
                    let value = String(decoding: bytes, as: UTF8.self)
                    guard !sent.isSame(value, as: original) else { continue }
                    var changed = sent.request
                    changed.headers[place].value = value
                    #expect(!isAccepted(try await sent.verdict(changed)), "\(changed.headers[place])")
                }
            }
        }
    }

    @Test(arguments: ways)
    func `no changed byte of the key passes`(way: String) async throws {
        let sent = try Sent(way)
        let prefix = sent.form.rawValue.hasPrefix("wh") ? sent.form.rawValue + "_" : ""
        let isText = try #require(Self.keys[sent.form]).others == "text"
        let text = String(sent.secret.dropFirst(prefix.count))
        let key = isText ? Array(text.utf8) : try #require(Base64.standard.decode(text))
        for place in key.indices {
            for flip: UInt8 in [0x01, 0x02, 0x04] {
                var changed = key
                changed[place] ^= flip
                let other = isText ? String(decoding: changed, as: UTF8.self) : Base64.standard.encode(changed)
                #expect(!isAccepted(try await sent.verdict(secret: prefix + other)), "byte \(place)")
            }
        }
    }
}
