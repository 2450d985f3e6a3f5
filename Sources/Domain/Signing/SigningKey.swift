import Crypto
import Foundation
import Transparency

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

    /// What it can be used for: one kind of key never serves another kind's algorithm.
    enum Material: Sendable {
        case symmetric(SymmetricKey)
        case publicKey(Curve25519.Signing.PublicKey)
        case privateKey(Curve25519.Signing.PrivateKey)
    }

    /// A symmetric key of less than 128 bits could be found by trying.
    static let shortestRandomKey = 16
    /// No key is longer, in characters.
    static let longestSecret = 1_024

    /// Reads a secret in one of the forms that the profile allows. Refuses an empty one always. The first form that
    /// fits decides: the prefixed ones by their prefix, then the others in the profile's order.
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
        let prefixed = forms.first { $0.prefix.map(secret.hasPrefix) ?? false }
        guard let form = prefixed ?? forms.first(where: { $0.prefix == nil }) else {
            throw .unknownForm(expected: forms.compactMap(\.prefix))
        }
        material = try Self.material(secret, as: form)
        (self.id, self.label, self.notBefore, self.notAfter) = (id, label, notBefore, notAfter)
    }

    /// Whether it counts at that instant.
    package func isValid(at instant: Timestamp) -> Bool {
        (notBefore.map { $0 <= instant } ?? true) && (notAfter.map { instant < $0 } ?? true)
    }

    private static func material(
        _ secret: String,
        as form: SigningProfile.SecretForm
    ) throws(SigningKeyError) -> Material {
        let text = String(secret.dropFirst(form.prefix?.count ?? 0))
        switch form {
        case .utf8:
            return .symmetric(SymmetricKey(data: Array(text.utf8)))
        case .base64, .whsec:
            let bytes = try decoded(text)
            guard bytes.count >= shortestRandomKey else { throw .tooShort(bytes: shortestRandomKey) }
            return .symmetric(SymmetricKey(data: bytes))
        case .whpk:
            let bytes = try decoded(text)
            do {
                return .publicKey(try Curve25519.Signing.PublicKey(rawRepresentation: bytes))
            } catch {
                throw .wrongLength(expected: "32 bytes")
            }
        case .whsk:
            return .privateKey(try privateKey(try decoded(text)))
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

    private static func decoded(_ text: String) throws(SigningKeyError) -> [UInt8] {
        guard !text.isEmpty else { throw .empty }
        guard let bytes = Base64.standard.decode(text) else { throw .notBase64 }
        return bytes
    }
}

extension SigningKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "signing key \(label ?? id?.description ?? "without a label")" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension SigningProfile.SecretForm {
    fileprivate var prefix: String? {
        switch self {
        case .whsec: "whsec_"
        case .whpk: "whpk_"
        case .whsk: "whsk_"
        case .utf8, .base64: nil
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
        }
    }
}
