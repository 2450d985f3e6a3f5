import Crypto
import CryptoExtras
import Foundation
import Transparency

/// Reads keys as people paste them.
enum KeyReader {
    /// A key, and what its text says of itself.
    struct Read {
        let material: SigningKey.Material
        var algorithm: SigningProfile.TokenAlgorithm?
        var name: String?
    }

    static func read(_ secret: String, as form: SigningProfile.SecretForm) throws(SigningKeyError) -> Read {
        switch form {
        case .utf8: return Read(material: .symmetric(SymmetricKey(data: Array(secret.utf8))))
        case .token:
            guard isHeaderText(secret) else { throw .notHeaderText }
            return Read(material: .token(secret))
        case .base64: return Read(material: .symmetric(try symmetric(try decoded(secret))))
        case .base64Long:
            let bytes = try decoded(secret)
            guard bytes.count >= 32 else { throw .tooShort(bytes: 32) }
            return Read(material: .symmetric(SymmetricKey(data: bytes)))
        case .whsec: return Read(material: .symmetric(try symmetric(try decoded(secret.dropFirst(6)))))
        case .whpk: return Read(material: .publicKey(try publicKey(try decoded(secret.dropFirst(5)))))
        case .ed25519: return Read(material: .publicKey(try publicKey(try decoded(secret))))
        case .whsk: return Read(material: .privateKey(try privateKey(try decoded(secret.dropFirst(5)))))
        case .jwk: return try WebKey(secret).read()
        case .pem: return Read(material: try pem(secret))
        }
    }

    /// No control characters and no blank at either end: RFC 9110 5.5 lets no header carry them, so such a key would
    /// never fit.
    private static func isHeaderText(_ secret: String) -> Bool {
        let bytes = secret.utf8
        return bytes.first != 0x20 && bytes.last != 0x20 && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    static func symmetric(_ bytes: [UInt8]) throws(SigningKeyError) -> SymmetricKey {
        guard bytes.count >= SigningKey.shortestRandomKey else {
            throw .tooShort(bytes: SigningKey.shortestRandomKey)
        }
        return SymmetricKey(data: bytes)
    }

    static func publicKey(_ bytes: some Sequence<UInt8>) throws(SigningKeyError) -> Curve25519.Signing.PublicKey {
        do {
            return try Curve25519.Signing.PublicKey(rawRepresentation: Array(bytes))
        } catch {
            throw .wrongLength(expected: "32 bytes")
        }
    }

    private static func privateKey(_ bytes: [UInt8]) throws(SigningKeyError) -> Curve25519.Signing.PrivateKey {
        let expected = "32 bytes of seed, or 64 with the public key behind them"
        guard bytes.count == 32 || bytes.count == 64 else { throw .wrongLength(expected: expected) }
        let key: Curve25519.Signing.PrivateKey
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32))
        } catch {
            throw .wrongLength(expected: expected)
        }
        guard bytes.count == 32 || Array(key.publicKey.rawRepresentation) == Array(bytes.suffix(32)) else {
            throw .publicKeyDiffers
        }
        return key
    }

    private static func decoded(_ text: some StringProtocol) throws(SigningKeyError) -> [UInt8] {
        guard !text.isEmpty else { throw .empty }
        guard let bytes = Base64.standard.decode(text) else { throw .notBase64 }
        return bytes
    }

    // MARK: PEM

    private static func pem(_ text: String) throws(SigningKeyError) -> SigningKey.Material {
        text.contains(" PRIVATE KEY-----") ? try privatePEM(text) : try publicPEM(text)
    }

    /// The label of a PEM does not tell the algorithm, so each kind is asked whether it can read it.
    private static func privatePEM(_ text: String) throws(SigningKeyError) -> SigningKey.Material {
        // Refused means: of another kind.
        if let key = try? Curve25519.Signing.PrivateKey(pemRepresentation: text) { return .privateKey(key) }
        // As above.
        if let key = try? P256.Signing.PrivateKey(pemRepresentation: text) { return .p256(key.publicKey, key) }
        // As above.
        if let key = try? P384.Signing.PrivateKey(pemRepresentation: text) { return .p384(key.publicKey, key) }
        // As above.
        if let key = try? _RSA.Signing.PrivateKey(pemRepresentation: text) { return .rsa(key.publicKey, key) }
        throw .notPEM
    }

    /// The libraries pass over parts of what a key says of itself, so a key that is not written as it would be written
    /// again is none: one of these bytes was changed on the way, or it is a key for something else.
    private static func publicPEM(_ text: String) throws(SigningKeyError) -> SigningKey.Material {
        let written: [String]
        let material: SigningKey.Material
        // Refused means: of another kind.
        if let key = try? Curve25519.Signing.PublicKey(pemRepresentation: text) {
            (material, written) = (.publicKey(key), [key.pemRepresentation])
            // As above.
        } else if let key = try? P256.Signing.PublicKey(pemRepresentation: text) {
            (material, written) = (.p256(key, nil), [key.pemRepresentation])
            // As above.
        } else if let key = try? P384.Signing.PublicKey(pemRepresentation: text) {
            (material, written) = (.p384(key, nil), [key.pemRepresentation])
            // As above.
        } else if let key = try? _RSA.Signing.PublicKey(pemRepresentation: text) {
            (material, written) = (.rsa(key, nil), [key.pemRepresentation, key.pkcs1PEMRepresentation])
        } else {
            throw .notPEM
        }
        guard written.contains(where: { content(of: $0) == content(of: text) }) else { throw .notPEM }
        return material
    }

    /// A PEM's text without line ends and other white space.
    private static func content(of pem: String) -> String { pem.filter { !$0.isWhitespace } }
}

/// A JSON Web Key (RFC 7517, 7518 section 6, 8037).
private struct WebKey {
    private let members: JSON

    init(_ text: String) throws(SigningKeyError) {
        do { members = try JSON.parse(Array(text.utf8)) } catch { throw .notJWK(member: "") }
    }

    func read() throws(SigningKeyError) -> KeyReader.Read {
        let material = try material()
        var read = KeyReader.Read(material: material)
        if let kid = members["kid"] {
            guard let name = kid.string, !name.isEmpty, name.utf8.count <= HookRequest.longestValue else {
                throw .notJWK(member: "kid")
            }
            read.name = name
        }
        if let alg = members["alg"]?.string {
            read.algorithm = SigningProfile.TokenAlgorithm(rawValue: alg)
            guard read.algorithm?.fits(material) ?? false else { throw .notJWK(member: "alg") }
        }
        return read
    }

    private func material() throws(SigningKeyError) -> SigningKey.Material {
        do {
            switch (members["kty"]?.string, members["crv"]?.string) {
            case ("oct", _):
                return .symmetric(try KeyReader.symmetric(try bytes("k")))
            case ("OKP", "Ed25519"):
                guard let seed = try optional("d") else { return .publicKey(try KeyReader.publicKey(try bytes("x"))) }
                return .privateKey(try Curve25519.Signing.PrivateKey(rawRepresentation: seed))
            case ("EC", "P-256"):
                let key = try P256.Signing.PublicKey(rawRepresentation: try bytes("x") + bytes("y"))
                return .p256(key, try optional("d").map { try P256.Signing.PrivateKey(rawRepresentation: $0) })
            case ("EC", "P-384"):
                let key = try P384.Signing.PublicKey(rawRepresentation: try bytes("x") + bytes("y"))
                return .p384(key, try optional("d").map { try P384.Signing.PrivateKey(rawRepresentation: $0) })
            case ("RSA", _):
                let (n, e) = (try bytes("n"), try bytes("e"))
                guard let d = try optional("d") else { return .rsa(try _RSA.Signing.PublicKey(n: n, e: e), nil) }
                let key = try _RSA.Signing.PrivateKey(n: n, e: e, d: d, p: try bytes("p"), q: try bytes("q"))
                return .rsa(key.publicKey, key)
            case (let kty, _):
                throw SigningKeyError.notJWK(member: kty == nil ? "kty" : "crv")
            }
        } catch let error as SigningKeyError {
            throw error
        } catch {
            throw .notJWK(member: "numbers")
        }
    }

    private func bytes(_ name: String) throws(SigningKeyError) -> [UInt8] {
        guard let bytes = try optional(name) else { throw .notJWK(member: name) }
        return bytes
    }

    private func optional(_ name: String) throws(SigningKeyError) -> [UInt8]? {
        guard let value = members[name] else { return nil }
        guard let text = value.string, let bytes = Base64.url.decode(text), !bytes.isEmpty else {
            throw .notJWK(member: name)
        }
        return bytes
    }
}

extension SigningProfile.TokenAlgorithm {
    fileprivate func fits(_ material: SigningKey.Material) -> Bool {
        switch (self, material) {
        case (.hs256, .symmetric), (.es256, .p256), (.es384, .p384), (.rs256, .rsa), (.ps256, .rsa),
            (.edDSA, .publicKey), (.edDSA, .privateKey):
            true
        default: false
        }
    }
}
