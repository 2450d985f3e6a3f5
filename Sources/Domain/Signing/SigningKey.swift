import Crypto
import CryptoExtras
import Foundation

/// A key that deliveries of one source are verified with, or made with. Printing it, also by reflection, shows no key.
package struct SigningKey: Sendable {
    /// The row it comes from; nil for one that only makes signatures.
    package let id: SourceKeyID?
    /// What people call it.
    package let label: String?
    /// From when on it counts, inclusive.
    package let notBefore: Timestamp?
    /// Until when it counts, exclusive.
    package let notAfter: Timestamp?
    let material: Material
    /// The algorithm that the key's own text fixes, where it fixes one.
    let fixedAlgorithm: SigningProfile.TokenAlgorithm?
    /// The name that the key's own text gives it (`kid`).
    let ownName: String?

    /// What it can be used for: one kind of key never serves another kind's algorithm.
    enum Material: Sendable {
        case symmetric(SymmetricKey)
        case token(String)
        case publicKey(Curve25519.Signing.PublicKey)
        case privateKey(Curve25519.Signing.PrivateKey)
        case p256(P256.Signing.PublicKey, P256.Signing.PrivateKey?)
        case p384(P384.Signing.PublicKey, P384.Signing.PrivateKey?)
        case rsa(_RSA.Signing.PublicKey, _RSA.Signing.PrivateKey?)
    }

    /// A symmetric key of less than 128 bits could be found by trying.
    static let shortestRandomKey = 16
    /// No key is longer, in characters: an RSA private key of 4,096 bits takes some 3,300.
    static let longestSecret = 4_096

    /// Reads a secret in one of the forms that the profile allows. Refuses an empty one always. The first form that
    /// fits decides: those that a beginning tells by that, then the others in the profile's order.
    package init(
        secret: String,
        forms: [SigningProfile.SecretForm],
        id: SourceKeyID? = nil,
        label: String? = nil,
        notBefore: Timestamp? = nil,
        notAfter: Timestamp? = nil
    ) throws(SigningKeyError) {
        guard !secret.isEmpty else { throw .empty }
        guard secret.utf8.count <= Self.longestSecret else { throw .tooLong }
        if let notBefore, let notAfter, notAfter <= notBefore { throw .windowIsEmpty }
        let begun = forms.first { $0.beginning.map(secret.hasPrefix) ?? false }
        guard let form = begun ?? forms.first(where: { $0.beginning == nil }) else {
            throw .unknownForm(expected: forms.compactMap(\.beginning))
        }
        let read = try KeyReader.read(secret, as: form)
        (material, fixedAlgorithm, ownName) = (read.material, read.algorithm, read.name)
        (self.id, self.label, self.notBefore, self.notAfter) = (id, label, notBefore, notAfter)
    }

    /// Whether it counts at that instant.
    package func isValid(at instant: Timestamp) -> Bool {
        (notBefore.map { $0 <= instant } ?? true) && (notAfter.map { instant < $0 } ?? true)
    }

    /// What senders call it: its own name before the one that people gave it.
    var name: String? { ownName ?? label }
}

extension SigningKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "signing key \(label ?? id?.description ?? "without a label")" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

// MARK: Using it

/// What a shared secret makes of a text, to be compared with as many signatures as there are.
enum AuthenticationCode {
    case sha256(HMAC<SHA256>.MAC)
    case sha512(HMAC<SHA512>.MAC)

    /// Compares in constant time.
    func fits(_ signature: [UInt8]) -> Bool {
        switch self {
        case .sha256(let code): code == signature
        case .sha512(let code): code == signature
        }
    }
}

extension SigningKey {
    /// Nil when the key is no shared secret, or the algorithm is of another kind.
    func code(over bytes: [UInt8], _ algorithm: SigningProfile.Algorithm) -> AuthenticationCode? {
        switch (algorithm, material) {
        case (.hmacSHA256, .symmetric(let key)): .sha256(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
        case (.hmacSHA512, .symmetric(let key)): .sha512(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
        default: nil
        }
    }

    /// Nil when the key is of another kind than the algorithm.
    func verifies(_ signature: [UInt8], over bytes: [UInt8], _ algorithm: SigningProfile.Algorithm) -> Bool? {
        if let code = code(over: bytes, algorithm) { return code.fits(signature) }
        switch (algorithm, material) {
        case (.ed25519, .publicKey(let key)):
            return key.isValidSignature(signature, for: bytes)
        case (.ed25519, .privateKey(let key)):
            return key.publicKey.isValidSignature(signature, for: bytes)
        case (.ecdsaP256, .p256(let key, _)):
            // A signature of another length is none.
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: bytes)
        case (.ecdsaP384, .p384(let key, _)):
            // As above.
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: bytes)
        case (.rsaPSS, .rsa(let key, _)):
            let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
            return key.isValidSignature(signature, for: SHA512.hash(data: bytes), padding: .PSS)
        default:
            return nil
        }
    }

    /// Nil when the key is of another kind than the algorithm, or can only verify.
    func sign(_ bytes: [UInt8], with algorithm: SigningProfile.Algorithm) throws -> [UInt8]? {
        switch (algorithm, material) {
        case (.hmacSHA256, .symmetric(let key)):
            Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
        case (.hmacSHA512, .symmetric(let key)):
            Array(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
        case (.ed25519, .privateKey(let key)):
            Array(try key.signature(for: bytes))
        case (.ecdsaP256, .p256(_, let key?)):
            Array(try key.signature(for: bytes).rawRepresentation)
        case (.ecdsaP384, .p384(_, let key?)):
            Array(try key.signature(for: bytes).rawRepresentation)
        case (.rsaPSS, .rsa(_, let key?)):
            Array(try key.signature(for: SHA512.hash(data: bytes), padding: .PSS).rawRepresentation)
        default:
            nil
        }
    }

    /// The one algorithm of RFC 7518 that this key serves, whatever a token says.
    var tokenAlgorithm: SigningProfile.TokenAlgorithm? {
        switch material {
        case .token: nil
        // RFC 7518 3.2; the library ends the process over a shorter one.
        case .symmetric(let key): key.bitCount >= 256 ? .hs256 : nil
        case .publicKey, .privateKey: .edDSA
        case .p256: .es256
        case .p384: .es384
        case .rsa: fixedAlgorithm ?? .rs256
        }
    }
}

extension SigningProfile.SecretForm {
    /// The characters that tell the form; nil for one that any text may be.
    var beginning: String? {
        switch self {
        case .whsec: "whsec_"
        case .whpk: "whpk_"
        case .whsk: "whsk_"
        case .jwk: "{"
        case .pem: "-----BEGIN "
        case .utf8, .base64, .base64Long, .ed25519, .token: nil
        }
    }
}

/// Why a secret is no key. Holds nothing of the secret.
package enum SigningKeyError: Error, Hashable, Sendable {
    case empty
    case tooLong
    case tooShort(bytes: Int)
    case unknownForm(expected: [String])
    case notBase64
    case wrongLength(expected: String)
    case publicKeyDiffers
    case windowIsEmpty
    case notPEM
    case notHeaderText
    case notJWK(member: String)
}

extension SigningKeyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "the secret is empty"
        case .tooLong: "the secret is longer than \(SigningKey.longestSecret) characters"
        case .tooShort(let bytes): "the secret has less than \(bytes) bytes"
        case .unknownForm(let expected): "the secret does not begin with \(expected.joined(separator: ", "))"
        case .notBase64: "the secret is not base64 with its padding"
        case .wrongLength(let expected): "the key does not have \(expected)"
        case .publicKeyDiffers: "the public half does not belong to the private one"
        case .windowIsEmpty: "not_after does not lie behind not_before"
        case .notPEM: "the key is not PEM of Ed25519, P-256, P-384 or RSA of 2,048 bits or more"
        case .notHeaderText:
            "the secret has a line break or another control character, or begins or ends with a blank: no header carries it"
        case .notJWK(let member):
            member.isEmpty ? "the key is not a JSON Web Key" : "the JSON Web Key's \(member) does not fit"
        }
    }
}
