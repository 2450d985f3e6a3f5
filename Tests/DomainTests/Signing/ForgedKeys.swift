import Crypto
import CryptoExtras
import Domain
import Foundation
import Testing
import Transparency

/// Keys of every kind in every form, and each of them with one byte changed.
enum ForgedKeys {
    struct Pair: Sendable {
        let name: String
        let form: SigningProfile.SecretForm
        /// Written so that it can sign.
        let signs: String
        /// Written as a receiver has it.
        let verifies: String

        init(_ name: String, _ form: SigningProfile.SecretForm, _ signs: String, _ verifies: String? = nil) {
            (self.name, self.form, self.signs) = ("\(form.rawValue) \(name)", form, signs)
            self.verifies = verifies ?? signs
        }

        /// What a receiver has, each byte of the key changed in three ways; of a JSON Web Key each of its numbers.
        func changed() throws -> [String] {
            switch form {
            case .utf8, .token:
                return ForgedKeys.changes(of: Array(verifies.utf8)).map { String(decoding: $0, as: UTF8.self) }
            case .base64, .base64Long, .ed25519: return try base64(behind: "")
            case .whsec, .whpk, .whsk: return try base64(behind: form.rawValue + "_")
            case .pem:
                let lines = verifies.split(separator: "\n")
                let der = try #require(Base64.standard.decode(lines.dropFirst().dropLast().joined()))
                return ForgedKeys.changes(of: der).map {
                    "\(lines[0])\n\(Self.folded($0))\n\(lines[lines.count - 1])\n"
                }
            case .jwk:
                let members = try #require(try JSON.parse(text: verifies).object)
                return try ["x", "y", "n", "e", "k"].filter { members[$0] != nil }.flatMap { name in
                    let bytes = try #require(Base64.url.decode(members[name]?.string ?? ""))
                    return ForgedKeys.changes(of: bytes).map { bytes in
                        var changed = members
                        changed[name] = .string(Base64.url.encode(bytes))
                        return JSON.object(changed).text
                    }
                }
            }
        }

        private func base64(behind prefix: String) throws -> [String] {
            let bytes = try #require(Base64.standard.decode(verifies.dropFirst(prefix.count)))
            return ForgedKeys.changes(of: bytes).map { prefix + Base64.standard.encode($0) }
        }

        private static func folded(_ der: [UInt8]) -> String {
            Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        }
    }

    static func changes(of bytes: [UInt8]) -> [[UInt8]] {
        bytes.indices.flatMap { place in
            ([0x01, 0x02, 0x04] as [UInt8]).map { flip in
                var changed = bytes
                changed[place] ^= flip
                return changed
            }
        }
    }

    static let pairs: [Pair] = {
        let shared = [
            Pair("shared", .whsec, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            Pair("shared", .utf8, "test_secret_do_not_use"),
            Pair("shared", .base64, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            Pair("sent along", .token, "hr:s3cret-token-0123456789"),
            Pair("shared", .base64Long, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
            Pair("shared", .jwk, #"{"kty":"oct","k":"\#(web([UInt8](repeating: 7, count: 32)))"}"#),
        ]
        // Generating one does not fail.
        let rsas = (try? _RSA.Signing.PrivateKey(keySize: .bits2048)).map { [rsa($0), rsaWeb($0)] } ?? []
        return shared + ed25519(.init()) + p256(.init()) + p384(.init()) + rsas
    }()

    private static func web(_ bytes: some Sequence<UInt8>) -> String { Base64.url.encode(Array(bytes)) }

    private static func ed25519(_ key: Curve25519.Signing.PrivateKey) -> [Pair] {
        let (seed, x) = (Array(key.rawRepresentation), Array(key.publicKey.rawRepresentation))
        let web = #"{"kty":"OKP","crv":"Ed25519","x":"\#(web(x))"}"#
        return [
            Pair("Ed25519", .whsk, "whsk_" + Base64.standard.encode(seed)),
            Pair("Ed25519", .whpk, "whsk_" + Base64.standard.encode(seed), "whpk_" + Base64.standard.encode(x)),
            Pair("Ed25519", .pem, key.pemRepresentation, key.publicKey.pemRepresentation),
            Pair("Ed25519", .ed25519, "whsk_" + Base64.standard.encode(seed), Base64.standard.encode(x)),
            Pair("Ed25519", .jwk, String(web.dropLast()) + #","d":"\#(Self.web(seed))"}"#, web),
        ]
    }

    private static func p256(_ key: P256.Signing.PrivateKey) -> [Pair] {
        let point = Array(key.publicKey.rawRepresentation)
        let web = #"{"kty":"EC","crv":"P-256","x":"\#(web(point.prefix(32)))","y":"\#(web(point.suffix(32)))"}"#
        return [
            Pair("P-256", .pem, key.pemRepresentation, key.publicKey.pemRepresentation),
            Pair("P-256", .jwk, String(web.dropLast()) + #","d":"\#(Self.web(key.rawRepresentation))"}"#, web),
        ]
    }

    private static func p384(_ key: P384.Signing.PrivateKey) -> [Pair] {
        let point = Array(key.publicKey.rawRepresentation)
        let web = #"{"kty":"EC","crv":"P-384","x":"\#(web(point.prefix(48)))","y":"\#(web(point.suffix(48)))"}"#
        return [
            Pair("P-384", .pem, key.pemRepresentation, key.publicKey.pemRepresentation),
            Pair("P-384", .jwk, String(web.dropLast()) + #","d":"\#(Self.web(key.rawRepresentation))"}"#, web),
        ]
    }

    /// As a JSON Web Key that says PS256.
    private static func rsaWeb(_ key: _RSA.Signing.PrivateKey) -> Pair {
        let names = ["", "n", "e", "d", "p", "q"]
        let numbers = zip(names, integers(of: Array(key.derRepresentation))).filter { !$0.0.isEmpty }
        func written(_ numbers: some Sequence<(String, [UInt8])>) -> String {
            let members = numbers.map { #""\#($0)":"\#(web($1))""# }.joined(separator: ",")
            return #"{"kty":"RSA","alg":"PS256",\#(members)}"#
        }
        return Pair("RSA", .jwk, written(numbers), written(numbers.prefix(2)))
    }

    /// The integers of a DER sequence (RFC 8017 A.1.2), without the zero that keeps them positive.
    private static func integers(of der: [UInt8]) -> [[UInt8]] {
        var rest = der[...]
        func length() -> Int {
            let first = Int(rest.removeFirst())
            guard first > 127 else { return first }
            return (0..<(first & 127)).reduce(0) { length, _ in length << 8 | Int(rest.removeFirst()) }
        }
        _ = (rest.removeFirst(), length())
        var integers: [[UInt8]] = []
        while rest.first == 0x02 {
            rest.removeFirst()
            let count = length()
            integers.append(Array(rest.prefix(count).drop { $0 == 0 }))
            rest = rest.dropFirst(count)
        }
        return integers
    }

    /// As PEM, by which tokens are RS256.
    static func rsa(_ key: _RSA.Signing.PrivateKey) -> Pair {
        Pair("RSA", .pem, key.pemRepresentation, key.publicKey.pemRepresentation)
    }
}
