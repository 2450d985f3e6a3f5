package import Crypto
import Foundation

/// The keys that nothing in the database can be read or forged without. Kept in a file of its own (`KEYRING_FILE`).
///
/// The file has a line a key, `id base64-of-32-bytes`; `#` begins a comment. The first line's key is the primary: it
/// seals and digests what is new. The others only open and recognise what is older, until it is sealed again.
package struct Keyring: Sendable {
    /// What a key is used for; each use has a key of its own, derived with HKDF-SHA256.
    private enum Use: String, CaseIterable {
        case wrap = "rollcall.wrap.v1"
        case tokenDigest = "rollcall.token-digest.v1"
        case headerDigest = "rollcall.header-digest.v1"
        case cursor = "rollcall.cursor.v1"
        case form = "rollcall.form.v1"
        case attempt = "rollcall.attempt.v1"
        case recovery = "rollcall.recovery.v1"
        case successor = "rollcall.successor.v1"
        case personValue = "rollcall.person-value.v1"
    }

    private struct Key: Sendable {
        let id: String
        let uses: [Use: SymmetricKey]

        init(id: String, material: SymmetricKey) {
            self.id = id
            uses = Dictionary(
                uniqueKeysWithValues: Use.allCases.map { use in
                    let info = Data(use.rawValue.utf8)
                    return (use, HKDF<SHA256>.deriveKey(inputKeyMaterial: material, info: info, outputByteCount: 32))
                }
            )
        }

        func callAsFunction(_ use: Use) -> SymmetricKey {
            // Every use is derived in init.
            uses[use] ?? SymmetricKey(size: .bits256)
        }
    }

    private let keys: [Key]

    /// Keys at most, bound on what a wrong file can make us try.
    package static let mostKeys = 32

    /// Refuses a file without a key, and any line that is not a key, naming the line but not its content.
    package init(parsing file: String) throws(KeyringError) {
        var keys: [Key] = []
        for (number, line) in file.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let fields = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if fields.isEmpty { continue }
            guard fields.count == 2, fields[0].utf8.count <= 32, keys.count < Self.mostKeys,
                let material = Data(base64Encoded: String(fields[1])), material.count == 32
            else { throw .badLine(number + 1) }
            let id = String(fields[0])
            if keys.contains(where: { $0.id == id }) { throw .repeatedKey(id) }
            keys.append(Key(id: id, material: SymmetricKey(data: material)))
        }
        if keys.isEmpty { throw .empty }
        self.keys = keys
    }

    /// A line for a keyring file with a new key.
    package static func line(id: String, using randomness: some Randomness) -> String {
        "\(id) \(Data(randomness.bytes(32)).base64EncodedString())"
    }

    /// Ids in the file's order, the primary first.
    package var ids: [String] { keys.map(\.id) }

    // MARK: Digests

    /// Under which digests a secret may be stored, the primary key's first.
    package func digests(of secret: OpaqueSecret) -> [[UInt8]] {
        let text = Data(secret.reveal().utf8)
        return keys.map { Array(HMAC<SHA256>.authenticationCode(for: text, using: $0(.tokenDigest))) }
    }

    /// Under which digest a new secret is stored.
    package func digest(of secret: OpaqueSecret) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(secret.reveal().utf8), using: keys[0](.tokenDigest)))
    }

    /// Whether `stored` is a digest of `secret` under any key, compared in constant time.
    package func matches(_ secret: OpaqueSecret, _ stored: [UInt8]) -> Bool {
        let text = Data(secret.reveal().utf8)
        return keys.contains { key in
            HMAC<SHA256>.isValidAuthenticationCode(stored, authenticating: text, using: key(.tokenDigest))
        }
    }

    /// A credential value of a delivery's header, as it is kept: enough to recognise it again.
    package func headerDigest(of value: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Data(value.utf8), using: keys[0](.headerDigest))
        return "hmac-sha256:\(keys[0].id):" + Data(code).base64EncodedString()
    }

    /// Whether `digest` is what ``headerDigest(of:)`` made of `value`, under any key that the ring still has. Compared in
    /// constant time.
    package func matches(_ value: String, headerDigest digest: String) -> Bool {
        let parts = digest.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "hmac-sha256", let key = keys.first(where: { $0.id == parts[1] }),
            let code = Data(base64Encoded: String(parts[2]))
        else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            code,
            authenticating: Data(value.utf8),
            using: key(.headerDigest)
        )
    }

    /// Under which digest a key that a handshake brought is known again, while it is pending.
    package func pendingKeyDigest(of secret: String, from source: SourceID) -> [UInt8] {
        let text = Data("\(source)|\(secret)".utf8)
        return Array(HMAC<SHA256>.authenticationCode(for: text, using: keys[0](.headerDigest)))
    }

    /// The refresh token that follows a used one, under each key, the primary's first: whoever asks again gets the same.
    package func successors(of token: OpaqueSecret) -> [OpaqueSecret] {
        let text = Data(token.reveal().utf8)
        return keys.map { key in
            let code = HMAC<SHA256>.authenticationCode(for: text, using: key(.successor))
            return .make(.refresh, using: DerivedBytes(bytes: Array(code)))
        }
    }

    private struct DerivedBytes: Randomness {
        let bytes: [UInt8]

        func bytes(_ count: Int) -> [UInt8] { Array(bytes.prefix(count)) }
    }

    /// What every form on a page of a session carries: only who has the session's page knows it.
    package func formToken(of session: OpaqueSecret) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Data(session.reveal().utf8), using: keys[0](.form))
        return Data(code).base64EncodedString()
    }

    /// Whether `token` is ``formToken(of:)`` of that session, under any key. Compared in constant time.
    package func matches(_ session: OpaqueSecret, formToken token: String) -> Bool {
        guard let code = Data(base64Encoded: token) else { return false }
        let text = Data(session.reveal().utf8)
        return keys.contains { HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: text, using: $0(.form)) }
    }

    /// Under which key attempts at a thing are counted, so that the counts tell nobody who was tried.
    package func attemptKey(_ parts: [String]) -> [UInt8] {
        let text = Data(parts.map { "\($0.utf8.count):\($0)" }.joined().utf8)
        return Array(HMAC<SHA256>.authenticationCode(for: text, using: keys[0](.attempt)).prefix(16))
    }

    /// Under which digests a recovery code of that member may be stored, the primary key's first.
    package func digests(of code: RecoveryCode, for user: UserID) -> [[UInt8]] {
        let text = Data("\(user)|".utf8 + code.bytes)
        return keys.map { Array(HMAC<SHA256>.authenticationCode(for: text, using: $0(.recovery))) }
    }

    /// Under which digests a value of a person may be found again in that organization, the primary key's first. How it was
    /// spelled is nothing to it, as far as that is upper or lower case.
    package func digests(ofPersonValue value: String, in organization: OrganizationID) -> [[UInt8]] {
        let text = Data("\(organization)|\(value.lowercased())".utf8)
        return keys.map { Array(HMAC<SHA256>.authenticationCode(for: text, using: $0(.personValue))) }
    }

    /// The key that list cursors are authenticated with.
    package var cursorKey: SymmetricKey { keys[0](.cursor) }

    // MARK: Envelopes

    /// Seals `plain` for one place only.
    ///
    /// Layout: version 1, length of the key's id, the id, then the data key wrapped by the keyring's key and the
    /// content under the data key, both AES-256-GCM as nonce, ciphertext and tag, both bound to `place` and the header.
    package func seal(
        _ plain: [UInt8],
        for place: SealedPlace,
        using randomness: some Randomness
    ) throws(KeyringError) -> [UInt8] {
        let key = keys[0]
        let header = [UInt8(1), UInt8(key.id.utf8.count)] + key.id.utf8
        let bound = header + place.bytes
        let dataKeyBytes = randomness.bytes(32)
        let wrapped = try Self.gcm(dataKeyBytes, key(.wrap), bound, randomness)
        return header + wrapped + (try Self.gcm(plain, SymmetricKey(data: dataKeyBytes), bound, randomness))
    }

    /// Refuses what was sealed for another place, was changed, or names a key that the ring does not have.
    package func open(_ sealed: [UInt8], for place: SealedPlace) throws(KeyringError) -> [UInt8] {
        guard sealed.count > 2, sealed[0] == 1, sealed.count >= 2 + Int(sealed[1]) + 60 + 28 else { throw .malformed }
        let header = Array(sealed.prefix(2 + Int(sealed[1])))
        let id = String(decoding: header.dropFirst(2), as: UTF8.self)
        guard let key = keys.first(where: { $0.id == id }) else { throw .unknownKey(id) }
        let bound = header + place.bytes
        let rest = sealed.dropFirst(header.count)
        let dataKey = try Self.ungcm(rest.prefix(60), key(.wrap), bound)
        return try Self.ungcm(rest.dropFirst(60), SymmetricKey(data: dataKey), bound)
    }

    private static func gcm(
        _ plain: [UInt8],
        _ key: SymmetricKey,
        _ bound: [UInt8],
        _ randomness: some Randomness
    ) throws(KeyringError) -> [UInt8] {
        do {
            let nonce = try AES.GCM.Nonce(data: randomness.bytes(12))
            let box = try AES.GCM.seal(plain, using: key, nonce: nonce, authenticating: bound)
            return Array(nonce) + box.ciphertext + box.tag
        } catch {
            throw .malformed
        }
    }

    private static func ungcm(
        _ sealed: ArraySlice<UInt8>,
        _ key: SymmetricKey,
        _ bound: [UInt8]
    ) throws(KeyringError) -> [UInt8] {
        do {
            return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: key, authenticating: bound))
        } catch {
            throw .notAuthentic
        }
    }
}

/// Where a sealed value lives. A value moved to another organization, row or field does not open there.
package struct SealedPlace: Sendable {
    let bytes: [UInt8]

    /// `row` is the row's id in text, `field` its column: neither changes as long as something is sealed there.
    package init(organization: OrganizationID, row: String, field: String) {
        bytes = Array("|\(organization)|\(row)|\(field)".utf8)
    }

    /// What belongs to the issuer, and to no organization.
    package init(issuerRow row: String, field: String) {
        bytes = Array("||\(row)|\(field)".utf8)
    }
}

/// What is wrong with a keyring or with what it should open. No case holds a secret.
package enum KeyringError: Error, Equatable, Sendable {
    case empty
    case badLine(Int)
    case repeatedKey(String)
    case unknownKey(String)
    case malformed
    case notAuthentic
}

extension KeyringError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "the keyring has no key; make one with `rollcall keys generate`"
        case .badLine(let line): "line \(line) of the keyring is not `id base64-of-32-bytes`"
        case .repeatedKey(let id): "the keyring names key \(id) twice"
        case .unknownKey(let id): "sealed under key \(id), which the keyring does not have; put that key back"
        case .malformed: "not an envelope of a known version"
        case .notAuthentic: "does not open here: changed, or moved from another row, or another key of the same id"
        }
    }
}
