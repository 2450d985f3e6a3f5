import Crypto
import CryptoExtras
import Domain
import Foundation
import Testing
import Transparency

/// Keys as people paste them, each used for what it is for.
@Suite struct KeyFormTests {
    private static let sent = Timestamp(seconds: 1_795_251_600)
    private let request = HookRequest(
        url: "https://rollcall.example/hooks/src_1?tenant=1",
        headers: [("Content-Type", "application/json")],
        body: Array(#"{"events":{"urn:x":{}}}"#.utf8)
    )

    private struct Pair: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let secret: String
        let other: String
        let isShared: Bool
        let tokenAlgorithm: String

        init(_ name: String, _ secret: String, _ other: String, _ tokenAlgorithm: String, isShared: Bool = false) {
            testDescription = name
            (self.secret, self.other, self.isShared, self.tokenAlgorithm) = (secret, other, isShared, tokenAlgorithm)
        }
    }

    /// A private key and its public half, in each form that carries them.
    private static let pairs: [Pair] = {
        let ed25519 = Curve25519.Signing.PrivateKey()
        let (p256, p384) = (P256.Signing.PrivateKey(), P384.Signing.PrivateKey())
        let seed = Array(ed25519.rawRepresentation)
        let x = Array(ed25519.publicKey.rawRepresentation)
        let point = Array(p256.publicKey.rawRepresentation)
        let web = Base64.url.encode
        var pairs = [
            Pair("Ed25519, PEM", ed25519.pemRepresentation, ed25519.publicKey.pemRepresentation, "EdDSA"),
            Pair(
                "Ed25519, prefixed",
                "whsk_" + Base64.standard.encode(seed),
                "whpk_" + Base64.standard.encode(x),
                "EdDSA"
            ),
            Pair(
                "Ed25519, JWK",
                #"{"kty":"OKP","crv":"Ed25519","x":"\#(web(x))","d":"\#(web(seed))"}"#,
                #"{"kty":"OKP","crv":"Ed25519","x":"\#(web(x))"}"#,
                "EdDSA"
            ),
            Pair("P-256, PEM", p256.pemRepresentation, p256.publicKey.pemRepresentation, "ES256"),
            Pair(
                "P-256, JWK",
                #"{"kty":"EC","crv":"P-256","x":"\#(web(Array(point.prefix(32))))","y":"\#(web(Array(point.suffix(32))))","#
                    + #""d":"\#(web(Array(p256.rawRepresentation)))","alg":"ES256"}"#,
                #"{"kty":"EC","crv":"P-256","x":"\#(web(Array(point.prefix(32))))","y":"\#(web(Array(point.suffix(32))))"}"#,
                "ES256"
            ),
            Pair("P-384, PEM", p384.pemRepresentation, p384.publicKey.pemRepresentation, "ES384"),
            Pair(
                "shared, JWK",
                #"{"kty":"oct","k":"\#(web(seed))"}"#,
                #"{"kty":"oct","k":"\#(web(seed))"}"#,
                "HS256",
                isShared: true
            ),
        ]
        // Generating one does not fail.
        if let rsa = try? _RSA.Signing.PrivateKey(keySize: .bits2048) {
            pairs.append(Pair("RSA, PEM", rsa.pemRepresentation, rsa.publicKey.pemRepresentation, "RS256"))
        }
        return pairs
    }()

    private func sign(_ profile: SigningProfile, _ secret: String) throws -> HookRequest {
        let key = try SigningKey(secret: secret, forms: profile.secretForms, label: "k1")
        let made = try SignatureMaker.sign(profile: profile, id: "n-1", at: Self.sent, request: request, keys: [key])
        return HookRequest(url: request.url, headers: request.headers + made.headers, body: made.body)
    }

    private func verdict(_ profile: SigningProfile, _ request: HookRequest, _ secret: String) async throws -> Verdict {
        let key = try SigningKey(secret: secret, forms: profile.secretForms, label: "k1")
        return await SignatureVerifier.verify(profile: profile, request: request, receivedAt: Self.sent, keys: [key])
    }

    @Test(arguments: ["rfc9421", "set"], pairs)
    private func `what a private key signs its public half verifies`(name: String, pair: Pair) async throws {
        let profile = try #require(try SigningProfile.embedded()[name])
        let signed = try sign(profile, pair.secret)
        for secret in [pair.other, pair.secret] {
            guard case .accepted(let acceptance) = try await verdict(profile, signed, secret) else {
                Issue.record("\(try await verdict(profile, signed, secret))")
                continue
            }
            #expect(acceptance.messageID == "n-1")
            #expect(acceptance.signedAt == Self.sent)
            if name == "set" { #expect(acceptance.scheme == pair.tokenAlgorithm) }
        }
        for stranger in Self.pairs where stranger.testDescription.prefix(5) != pair.testDescription.prefix(5) {
            guard case .refused = try await verdict(profile, signed, stranger.other) else {
                Issue.record("\(stranger.testDescription) accepted")
                continue
            }
        }
        guard !pair.isShared else { return }
        #expect(throws: SignatureMakerError.noKeyThatSigns) { try sign(profile, pair.other) }
        var changed = signed
        changed.body[changed.body.count / 2] ^= 1
        #expect(try await verdict(profile, changed, pair.other) != verdict(profile, signed, pair.other))
    }

    @Test(
        arguments: [
            ("{", .notJWK(member: "")), ("{}", .notJWK(member: "kty")),
            (#"{"kty":"EC","crv":"P-521"}"#, .notJWK(member: "crv")),
            (#"{"kty":"oct","k":"AAAA"}"#, .tooShort(bytes: 16)), (#"{"kty":"oct","k":"A="}"#, .notJWK(member: "k")),
            (#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"none"}"#, .notJWK(member: "alg")),
            (#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"RS256"}"#, .notJWK(member: "alg")),
            (#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","kid":7}"#, .notJWK(member: "kid")),
            (#"{"kty":"oct","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}"#, .notJWK(member: "")),
            (#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#, .notJWK(member: "numbers")),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", .notPEM),
            // The point is of P-256, and the key says another curve.
            (
                "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQgDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\n"
                    + "w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n-----END PUBLIC KEY-----",
                .notPEM
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", .notPEM),
        ] as [(String, SigningKeyError)]
    )
    func `what is no key is refused`(secret: String, error: SigningKeyError) {
        #expect(throws: error) { try SigningKey(secret: secret, forms: [.pem, .jwk]) }
    }

    @Test func `short secrets of tokens and raw public keys are told by their form`() throws {
        let bytes = [UInt8](repeating: 7, count: 31)
        #expect(throws: SigningKeyError.tooShort(bytes: 32)) {
            try SigningKey(secret: Base64.standard.encode(bytes), forms: [.base64Long])
        }
        #expect(throws: SigningKeyError.wrongLength(expected: "32 bytes")) {
            try SigningKey(secret: Base64.standard.encode(bytes), forms: [.ed25519])
        }
        let key = "ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
        #expect(throws: Never.self) { try SigningKey(secret: key, forms: [.ed25519]) }
    }
}
