internal import Crypto

/// A public key that is trusted to sign notes under a name.
package struct NoteVerifierKey: Hashable, Sendable {
    package let name: NoteKeyName
    package let kind: NoteKind
    package let publicKey: [UInt8]
    /// What a signature names the key by, besides its name.
    package let id: UInt32

    /// Bytes of the longest text that is read.
    package static let longestText = 512

    /// Refuses what is no Ed25519 public key.
    package init(name: NoteKeyName, kind: NoteKind, publicKey: [UInt8]) throws(NoteError) {
        guard publicKey.count == NoteKind.keyLength else { throw .malformed(.verifierKey, line: 0) }
        (self.name, self.kind, self.publicKey) = (name, kind, publicKey)
        id = NoteKind.keyID(of: name, kind, publicKey)
    }

    /// Reads `name+id+base64(type key)`. Refuses types that we do not check, and an id that is not the key's.
    package init(_ text: some StringProtocol) throws(NoteError) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.longestText, parts.count == 3, let name = NoteKeyName(parts[0]),
            parts[1].utf8.count == 8, parts[1].allSatisfy(\.isHexDigit), let id = UInt32(parts[1], radix: 16),
            let key = Base64.standard.decode(parts[2]), let kind = key.first.flatMap(NoteKind.init(rawValue:))
        else { throw .malformed(.verifierKey, line: 0) }
        try self.init(name: name, kind: kind, publicKey: Array(key.dropFirst()))
        guard id == self.id else { throw .malformed(.verifierKey, line: 0) }
    }

    /// The text that `init` reads.
    package var text: String {
        "\(name.text)+\(NoteKind.hex(id))+\(Base64.standard.encode([kind.rawValue] + publicKey))"
    }

    /// The time of a cosignature, nil for a plain signature. Refuses one that does not hold over the text.
    func verify(_ signature: [UInt8], over text: [UInt8]) throws(NoteError) -> UInt64? {
        // 32 bytes always make a key; whether it is a point of the curve shows with the first signature.
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            throw .signatureWrong(name)
        }
        switch kind {
        case .ed25519:
            guard key.isValidSignature(signature, for: text) else { throw .signatureWrong(name) }
            return nil
        case .cosignature:
            guard signature.count == Cosignature.length else { throw .signatureWrong(name) }
            let time = signature.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
            guard time <= Cosignature.latestTime else { throw .timeImpossible(name) }
            let message = Cosignature.message(text, at: time)
            guard key.isValidSignature(signature.dropFirst(8), for: message) else { throw .signatureWrong(name) }
            return time
        }
    }
}

/// C2SP tlog-cosignature, "Ed25519 signed message".
enum Cosignature {
    /// Eight bytes of time, and the signature.
    static let length = 72
    static let latestTime = UInt64(Int64.max)

    static func message(_ text: [UInt8], at time: UInt64) -> [UInt8] {
        Array("cosignature/v1\ntime \(time)\n".utf8) + text
    }
}
