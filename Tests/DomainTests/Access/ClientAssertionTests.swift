import Crypto
import CryptoExtras
import Domain
import Foundation
import Testing
import Transparency

@Suite struct `Signed assertions of clients` {
    private static let client = "grt_01k9qyc5qje1qsv9svhrqgc8d1"
    private static let audience = "https://rollcall.example"
    private static let now = Timestamp(seconds: 1_795_000_000)

    private static func text(_ bytes: some DataProtocol) -> String { Base64.url.encode(Array(bytes)) }

    private static func claims(_ more: JSON.Object = [:]) -> JSON {
        var claims: JSON.Object = [
            "iss": .string(client), "sub": .string(client), "aud": .string(audience), "jti": "once",
            "exp": .integer(now.seconds + 60), "iat": .integer(now.seconds),
        ]
        for (name, value) in more.members { claims[name] = value }
        return .object(claims)
    }

    private static func token(
        _ header: JSON,
        _ claims: JSON = claims(),
        sign: ([UInt8]) throws -> any DataProtocol
    ) rethrows -> String {
        let signed = text(header.bytes) + "." + text(claims.bytes)
        return signed + "." + text(Array(try sign(Array(signed.utf8))))
    }

    private static func p256(_ key: P256.Signing.PublicKey, _ more: JSON.Object = [:]) -> JSON {
        let bytes = key.x963Representation
        var jwk: JSON.Object = [
            "kty": "EC", "crv": "P-256", "x": .string(text(bytes[1..<33])), "y": .string(text(bytes[33...])),
        ]
        for (name, value) in more.members { jwk[name] = value }
        return .object(jwk)
    }

    private static func es256(
        _ key: P256.Signing.PrivateKey,
        _ header: JSON,
        _ claims: JSON = claims()
    ) throws -> String {
        try token(header, claims) { try key.signature(for: $0).rawRepresentation }
    }

    private func holds(_ text: String, _ keys: [JSON], at now: Timestamp = now) async throws -> Bool {
        let set = try ClientKeys(["keys": .array(keys)])
        guard let assertion = ClientAssertion(text) else { return false }
        guard assertion.isTimely(at: now), assertion.isFor([Self.audience]) else { return false }
        return await assertion.isSigned(by: set)
    }

    @Test func `every algorithm of the list verifies with its own key, and with no other`() async throws {
        let ec = P256.Signing.PrivateKey()
        let ed = Curve25519.Signing.PrivateKey()
        let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let primitives = try rsa.publicKey.getKeyPrimitives()
        let keys: [JSON] = [
            Self.p256(ec.publicKey),
            ["kty": "OKP", "crv": "Ed25519", "x": .string(Self.text(ed.publicKey.rawRepresentation))],
            [
                "kty": "RSA", "n": .string(Self.text(primitives.modulus)),
                "e": .string(Self.text(primitives.publicExponent)),
            ],
        ]
        let tokens = [
            try Self.es256(ec, ["alg": "ES256"]),
            try Self.token(["alg": "EdDSA"]) { try ed.signature(for: $0) },
            try Self.token(["alg": "RS256"]) {
                try rsa.signature(for: SHA256.hash(data: $0), padding: .insecurePKCS1v1_5).rawRepresentation
            },
            try Self.token(["alg": "PS256"]) {
                try rsa.signature(for: SHA256.hash(data: $0), padding: .PSS).rawRepresentation
            },
        ]
        for (place, token) in tokens.enumerated() {
            #expect(try await holds(token, keys), "\(place)")
            let own = min(place, 2)
            for other in 0..<3 { #expect(try await holds(token, [keys[other]]) == (other == own), "\(place) \(other)") }
        }
    }

    @Test func `none, a symmetric algorithm and a swapped one are nothing`() async throws {
        let key = P256.Signing.PrivateKey()
        let jwk = Self.p256(key.publicKey)
        let secret = SymmetricKey(data: Data(key.publicKey.pemRepresentation.utf8))
        #expect(try await !holds(Self.token(["alg": "none"]) { _ in [UInt8]() }, [jwk]))
        #expect(try await !holds(Self.token(["alg": "none"]) { _ in [UInt8](repeating: 1, count: 64) }, [jwk]))
        for algorithm in ["HS256", "ES384", "RS256", "PS256", "EdDSA", "es256", ""] {
            let token = Self.token(["alg": .string(algorithm)]) { bytes in
                Array(HMAC<SHA256>.authenticationCode(for: bytes, using: secret))
            }
            #expect(try await !holds(token, [jwk]), "\(algorithm)")
            #expect(try await !holds(try Self.es256(key, ["alg": .string(algorithm)]), [jwk]), "\(algorithm)")
        }
    }

    @Test func `a key that the token brings, and a key id of another, prove nothing`() async throws {
        let own = P256.Signing.PrivateKey()
        let attacker = P256.Signing.PrivateKey()
        let keys = [Self.p256(own.publicKey, ["kid": "a"])]
        let brought: JSON = ["alg": "ES256", "kid": "a", "jwk": Self.p256(attacker.publicKey, ["kid": "a"])]
        #expect(try await !holds(try Self.es256(attacker, brought), keys))
        for (name, value) in [("jku", "https://evil.example/keys"), ("x5u", "https://evil.example"), ("crit", "x")] {
            var header: JSON.Object = ["alg": "ES256", "kid": "a"]
            header[name] = .string(value)
            #expect(try await !holds(try Self.es256(own, .object(header)), keys), "\(name)")
        }
        for kid in ["b", "../../etc/passwd", "' OR 1=1 --", "", "A"] {
            #expect(try await !holds(try Self.es256(own, ["alg": "ES256", "kid": .string(kid)]), keys), "\(kid)")
        }
        #expect(try await !holds(try Self.es256(own, ["alg": "ES256", "kid": ["a"]]), keys))
        #expect(try await holds(try Self.es256(own, ["alg": "ES256", "kid": "a"]), keys))
        #expect(try await holds(try Self.es256(own, ["alg": "ES256"]), keys))
    }

    @Test(arguments: [
        #"{"aud": "https://rollcall.example/"}"#, #"{"aud": "https://ROLLCALL.example"}"#,
        #"{"aud": ["https://rollcall.example", "https://other.example"]}"#, #"{"aud": []}"#, #"{"aud": null}"#,
        #"{"iss": "grt_01k9qyc5qje1qsv9svhrqgc8d2"}"#, #"{"sub": "grt_01k9qyc5qje1qsv9svhrqgc8d2"}"#,
        #"{"iss": "x", "sub": "x"}"#, #"{"jti": ""}"#, #"{"jti": null}"#, #"{"jti": 7}"#,
        #"{"exp": 1795000000}"#, #"{"exp": 1794999999}"#, #"{"exp": 1795000600}"#, #"{"exp": "1795000060"}"#,
        #"{"exp": null}"#, #"{"exp": -1}"#, #"{"iat": 1795000100}"#, #"{"nbf": 1795000100}"#, #"{"nbf": "soon"}"#,
    ])
    func `a claim that is wrong refuses it`(change: String) async throws {
        let key = P256.Signing.PrivateKey()
        let more = try #require(try JSON.parse(Array(change.utf8)).object)
        let token = try Self.es256(key, ["alg": "ES256"], Self.claims(more))
        #expect(try await !holds(token, [Self.p256(key.publicKey)]))
    }

    @Test func `an audience may stand alone in a list`() async throws {
        let key = P256.Signing.PrivateKey()
        let token = try Self.es256(key, ["alg": "ES256"], Self.claims(["aud": [.string(Self.audience)]]))
        #expect(try await holds(token, [Self.p256(key.publicKey)]))
    }

    @Test func `what is no token is none`() {
        for text in ["", ".", "..", "a.b", "a.b.c", "e30.e30.", "e30.e30.AA", String(repeating: "a", count: 9000)] {
            #expect(ClientAssertion(text) == nil)
        }
    }

    @Test func `a set takes public keys of the list alone`() throws {
        let key = P256.Signing.PrivateKey()
        let good = Self.p256(key.publicKey)
        let small = try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024)).publicKey.getKeyPrimitives()
        let weak: JSON = [
            "kty": "RSA", "n": .string(Self.text(small.modulus)), "e": .string(Self.text(small.publicExponent)),
        ]
        #expect(throws: ClientKeysRefusal.notPublic) {
            try ClientKeys(["keys": [Self.p256(key.publicKey, ["d": "AA"])]])
        }
        #expect(throws: ClientKeysRefusal.notPublic) { try ClientKeys(["keys": [good, ["kty": "oct", "k": "AA"]]]) }
        #expect(throws: ClientKeysRefusal.unusable) { try ClientKeys(["keys": [weak]]) }
        #expect(throws: ClientKeysRefusal.unusable) { try ClientKeys(["keys": []]) }
        #expect(throws: ClientKeysRefusal.unusable) {
            try ClientKeys(["keys": .array([JSON](repeating: good, count: 11))])
        }
        #expect(throws: ClientKeysRefusal.unusable) {
            try ClientKeys(["keys": [Self.p256(key.publicKey, ["use": "enc"])]])
        }
        #expect(throws: ClientKeysRefusal.unusable) {
            try ClientKeys(["keys": [Self.p256(key.publicKey, ["alg": "none"])]])
        }
        #expect(throws: ClientKeysRefusal.malformed) {
            try ClientKeys(["keys": [["kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"]]])
        }
        #expect(throws: ClientKeysRefusal.malformed) {
            try ClientKeys(["keys": [Self.p256(key.publicKey, ["kid": "a\u{0}b"])]])
        }
        let more = try ClientKeys(["keys": [Self.p256(key.publicKey, ["kid": "a", "note": "\u{0}", "n": 1])]])
        #expect(more.names == ["a"] && !JSON.object(more.json).text.contains("note"))
        #expect(throws: ClientKeysRefusal.malformed) { try ClientKeys([:]) }
        #expect(try ClientKeys(["keys": [good, weak, ["kty": "EC", "crv": "P-521"]]]).names == [])
    }
}
