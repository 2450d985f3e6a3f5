internal import Crypto

/// A private key that signs notes under a name. Whoever holds it keeps it out of logs and databases.
package struct NoteSigningKey: Sendable {
    /// What others check its signatures with.
    package let verifier: NoteVerifierKey
    private let key: Curve25519.Signing.PrivateKey

    /// The key of a seed of 32 secret, random bytes.
    package init(name: NoteKeyName, kind: NoteKind, seed: [UInt8]) throws(NoteError) {
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        } catch {
            throw .malformed(.signingKey, line: 0)
        }
        verifier = try NoteVerifierKey(name: name, kind: kind, publicKey: Array(key.publicKey.rawRepresentation))
    }

    /// Reads `PRIVATE+KEY+name+id+base64(type seed)`, the form in which the tools around signed notes keep such keys.
    /// Refuses an id that is not the key's.
    package init(_ text: some StringProtocol) throws(NoteError) {
        let parts = text.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false)
        guard text.utf8.count <= NoteVerifierKey.longestText, parts.count == 5, parts[0] == "PRIVATE",
            parts[1] == "KEY", let name = NoteKeyName(parts[2]), let secret = Base64.standard.decode(parts[4]),
            let kind = secret.first.flatMap(NoteKind.init(rawValue:))
        else { throw .malformed(.signingKey, line: 0) }
        try self.init(name: name, kind: kind, seed: Array(secret.dropFirst()))
        guard parts[3] == NoteKind.hex(verifier.id) else { throw .malformed(.signingKey, line: 0) }
    }

    /// The text that `init` reads: a secret.
    package var text: String {
        let secret = Base64.standard.encode([verifier.kind.rawValue] + Array(key.rawRepresentation))
        return "PRIVATE+KEY+\(verifier.name.text)+\(NoteKind.hex(verifier.id))+\(secret)"
    }

    /// The same key under another name: one secret signs all logs of a deployment, each under its origin.
    package func named(_ name: NoteKeyName) throws(NoteError) -> NoteSigningKey {
        try NoteSigningKey(name: name, kind: verifier.kind, seed: Array(key.rawRepresentation))
    }

    /// Another key that follows from this secret and tells nothing of it (HMAC-SHA-256 under the secret), under a name: for
    /// what must not share a public key with the rest.
    package func derived(for purpose: String, named name: NoteKeyName) throws(NoteError) -> NoteSigningKey {
        let secret = SymmetricKey(data: key.rawRepresentation)
        let seed = Array(HMAC<SHA256>.authenticationCode(for: Array(purpose.utf8), using: secret))
        return try NoteSigningKey(name: name, kind: verifier.kind, seed: seed)
    }

    /// A signature over a note's text; a cosignature says that it was made at `time`, in seconds since 1970, and a plain
    /// signature leaves the time out.
    package func signature(over text: [UInt8], at time: UInt64 = 0) throws(NoteError) -> NoteSignature {
        do {
            switch verifier.kind {
            case .ed25519:
                return NoteSignature(verifier, Array(try key.signature(for: text)))
            case .cosignature:
                guard time <= Cosignature.latestTime else { throw NoteError.timeImpossible(verifier.name) }
                let stamp = (0..<8).map { UInt8(time >> (56 - 8 * UInt64($0)) & 0xFF) }
                return NoteSignature(
                    verifier,
                    stamp + Array(try key.signature(for: Cosignature.message(text, at: time)))
                )
            }
        } catch let error as NoteError {
            throw error
        } catch {
            throw .signingFailed
        }
    }
}
