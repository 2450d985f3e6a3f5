import Crypto
import Foundation

/// The key under which what the audit log discloses of one person is sealed. Destroying it erases all of that, and
/// leaves every leaf and proof as it was.
package struct SubjectKey: Sendable {
    private let key: SymmetricKey

    /// ``materialBytes`` random bytes, kept only sealed under the keyring.
    package init(material: [UInt8]) {
        key = SymmetricKey(data: material)
    }

    /// Bytes of key material.
    package static let materialBytes = 32

    /// Binds the text to its entry: AES-256-GCM as nonce, ciphertext and tag.
    package func seal(
        _ plain: [UInt8],
        of entry: AuditEntryID,
        using randomness: some Randomness
    ) throws(KeyringError) -> [UInt8] {
        do {
            let nonce = try AES.GCM.Nonce(data: randomness.bytes(12))
            let box = try AES.GCM.seal(plain, using: key, nonce: nonce, authenticating: entry.bytes)
            return Array(nonce) + box.ciphertext + box.tag
        } catch {
            throw .malformed
        }
    }

    /// Refuses what was sealed for another entry or under another key, and what was changed.
    package func open(_ sealed: [UInt8], of entry: AuditEntryID) throws(KeyringError) -> [UInt8] {
        do {
            return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: key, authenticating: entry.bytes))
        } catch {
            throw .notAuthentic
        }
    }
}
