import Crypto
import Foundation

/// Judges the proof of a delivery. Pure: the time of receipt and the keys are handed in.
package enum SignatureVerifier {
    /// Keys of one source beyond this are not tried, so that a wrong delivery costs a bounded amount of work.
    package static let mostKeys = 8

    /// Whether one of the signatures fits one of the keys that are valid at `receivedAt`, which is when the last byte
    /// was read and not when it is judged. A key is only ever used for its own kind of algorithm, so a `v1a` signature
    /// cannot be checked against a shared secret. Compares in constant time; works on the bytes as they came.
    package static func verify(
        profile: SigningProfile,
        headers: [(name: String, value: String)],
        body: [UInt8],
        method: String = "POST",
        receivedAt: Timestamp,
        keys: [SigningKey]
    ) -> Verdict {
        let valid = keys.filter { $0.isValid(at: receivedAt) }.prefix(mostKeys)
        guard !valid.isEmpty else { return .refused(.noKey) }
        let message: SignedMessage
        do throws(MessageRefusal) {
            message = try SignedMessage(profile: profile, headers: headers, body: body, method: method)
        } catch {
            return .refused(error.reason)
        }
        if let rule = profile.timestamp, let signedAt = message.signedAt,
            let refusal = rule.refusal(signedAt, receivedAt: receivedAt)
        {
            return .refused(refusal)
        }
        var hasFittingKind = false
        for claimed in message.signatures {
            for key in valid {
                guard let fits = key.verifies(claimed, over: message.signedBytes) else { continue }
                hasFittingKind = true
                guard fits else { continue }
                return .accepted(acceptance(of: message, profile: profile, key: key, scheme: claimed.scheme))
            }
        }
        return .refused(hasFittingKind ? .signatureWrong : .noKeyForVersion)
    }

    private static func acceptance(
        of message: SignedMessage,
        profile: SigningProfile,
        key: SigningKey,
        scheme: SigningProfile.Scheme
    ) -> Verdict.Acceptance {
        // The first byte tells the two ways apart, so that no id can be chosen to collide with a body.
        var hash = SHA256()
        switch (profile.deduplication, message.id) {
        case (.id, let id?):
            hash.update(data: [0x00 as UInt8])
            hash.update(data: Array(id.utf8))
        case (.signedBytes, _), (.id, nil):
            hash.update(data: [0x01 as UInt8])
            hash.update(data: message.signedBytes)
        }
        return Verdict.Acceptance(
            messageID: profile.signed.contains(.id) ? message.id : nil,
            signedAt: message.signedAt,
            deduplication: Array(hash.finalize()),
            keyID: key.id,
            scheme: scheme.tag
        )
    }
}

extension SigningKey {
    /// Nil when the key is of another kind than the signature.
    func verifies(_ claimed: SignedMessage.Claimed, over bytes: [UInt8]) -> Bool? {
        switch (claimed.scheme.algorithm, material) {
        case (.hmacSHA256, .symmetric(let key)):
            HMAC<SHA256>.isValidAuthenticationCode(claimed.signature, authenticating: bytes, using: key)
        case (.hmacSHA512, .symmetric(let key)):
            HMAC<SHA512>.isValidAuthenticationCode(claimed.signature, authenticating: bytes, using: key)
        case (.ed25519, .publicKey(let key)):
            key.isValidSignature(claimed.signature, for: bytes)
        case (.ed25519, .privateKey(let key)):
            key.publicKey.isValidSignature(claimed.signature, for: bytes)
        case (.hmacSHA256, _), (.hmacSHA512, _), (.ed25519, .symmetric):
            nil
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
        case (.hmacSHA256, _), (.hmacSHA512, _), (.ed25519, _):
            nil
        }
    }
}
