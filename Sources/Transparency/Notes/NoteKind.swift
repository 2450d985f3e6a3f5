internal import Crypto

/// How a key signs notes: the signature types of C2SP signed-note that we make and check.
package enum NoteKind: UInt8, Hashable, Sendable {
    /// Ed25519 over the text: what a log signs its checkpoints with.
    case ed25519 = 0x01
    /// Ed25519 over the text and a time (C2SP tlog-cosignature): what a witness cosigns them with.
    case cosignature = 0x04

    /// Bytes of a public key, and of the seed of a private one.
    package static let keyLength = 32

    /// The first four bytes of SHA-256 over name, line feed, type and public key.
    static func keyID(of name: NoteKeyName, _ kind: NoteKind, _ publicKey: [UInt8]) -> UInt32 {
        let digest = SHA256.hash(data: name.utf8 + [0x0A, kind.rawValue] + publicKey)
        return digest.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func hex(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
