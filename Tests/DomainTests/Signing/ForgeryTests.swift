import Crypto
import CryptoExtras
import Domain
import Foundation
import Testing
import Transparency

/// For every profile: what is made is accepted, and no single changed byte of it is.
@Suite struct ForgeryTests {
    private static let sent = Timestamp(seconds: 1_795_251_600)

    /// A profile, and one of the kinds of key that it takes.
    private struct Way: Sendable, CustomTestStringConvertible {
        let profile: String
        let pair: ForgedKeys.Pair

        var testDescription: String { "\(profile), \(pair.name)" }
    }

    /// Each profile with each kind of key in each form.
    private static let ways: [Way] = {
        // A profile that does not load is told by the tests of profiles.
        let profiles = (try? SigningProfile.embedded()) ?? [:]
        return profiles.values.sorted { $0.name < $1.name }.flatMap { profile in
            ForgedKeys.pairs.filter { profile.secretForms.contains($0.form) }
                .map { Way(profile: profile.name, pair: $0) }
        }
    }()

    private struct Sent {
        let profile: SigningProfile
        let pair: ForgedKeys.Pair
        /// As a receiver has it.
        let key: SigningKey
        var request: HookRequest
        /// Places of the headers that were made.
        let made: [Int]

        init(_ way: Way) throws {
            profile = try #require(try SigningProfile.embedded()[way.profile])
            pair = way.pair
            key = try SigningKey(secret: pair.verifies, forms: [pair.form])
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
                keys: [try SigningKey(secret: pair.signs, forms: [.pem, .jwk, .whsk, pair.form])]
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
                keys: [try secret.map { try SigningKey(secret: $0, forms: [pair.form]) } ?? key]
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
    private func `what is made is accepted, once`(way: Way) async throws {
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
    private func `no changed byte of the body passes`(way: Way) async throws {
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
    private func `no changed byte of signature, id or time passes`(way: Way) async throws {
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
    private func `no changed byte of the key passes`(way: Way) async throws {
        let sent = try Sent(way)
        var (judged, unread) = (0, 0)
        for (place, secret) in try sent.pair.changed().enumerated() {
            do {
                #expect(!isAccepted(try await sent.verdict(secret: secret)), "change \(place): \(secret)")
                judged += 1
            } catch is SigningKeyError {
                unread += 1
            }
        }
        // What is no key any more is refused as well: a point off its curve, a key of another shape.
        #expect(judged > 0 || sent.pair.name.contains(" P-"))
        #expect(judged + unread >= 16, "\(judged) judged, \(unread) unread")
    }

    @Test func `every kind of key that a profile signs with has its ways`() throws {
        for profile in try SigningProfile.embedded().values {
            let ways = Self.ways.filter { $0.profile == profile.name }
            let forms = Set(ways.map(\.pair.form))
            #expect(forms == Set(profile.secretForms), "\(profile.name)")
        }
        let names = Set(Self.ways.filter { ["rfc9421", "set"].contains($0.profile) }.map(\.pair.name))
        #expect(names.isSuperset(of: ["pem RSA", "jwk RSA", "pem P-256", "pem P-384", "jwk P-256", "jwk P-384"]))
    }

    @Test(arguments: ["rfc9421", "set"])
    func `an RSA signature of another padding or digest is none`(name: String) async throws {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let profile = try #require(try SigningProfile.embedded()[name])
        let way = Way(profile: name, pair: ForgedKeys.rsa(key))
        let sent = try Sent(way)
        #expect(isAccepted(try await sent.verdict()))
        let signed = try SignatureVerifier.signedBytes(profile: profile, request: sent.request)
        let others = [
            try key.signature(for: SHA256.hash(data: signed), padding: name == "set" ? .PSS : .insecurePKCS1v1_5),
            try key.signature(for: SHA512.hash(data: signed), padding: .insecurePKCS1v1_5),
            try key.signature(for: SHA256.hash(data: signed), padding: .PSS),
            try key.signature(for: SHA384.hash(data: signed), padding: .PSS),
        ].map { Array($0.rawRepresentation) }
        for other in others {
            var forged = sent.request
            if name == "set" {
                forged.body = signed + Array(".\(Base64.url.encode(other))".utf8)
            } else {
                let place = try #require(forged.headers.firstIndex { $0.name == "signature" })
                forged.headers[place].value = "sig1=:\(Base64.standard.encode(other)):"
            }
            #expect(try await sent.verdict(forged) == .refused(.signatureWrong))
        }
    }
}
