import Crypto
import CryptoExtras
import Foundation

/// A human's password as it is kept: scrypt (RFC 7914) with its cost and salt beside it, so that the cost may grow.
///
/// Making and comparing take memory and a good part of a second on purpose: never on an event loop, and only as many at
/// once as the machine can bear.
package struct PasswordHash: Sendable, Hashable {
    /// N of RFC 7914 as a power of two; r is ``blockSize`` and p ``parallelism``.
    package struct Cost: Sendable, Hashable {
        let exponent: Int

        /// 64 MiB and some tenths of a second.
        package static let standard = Cost(exponent: 16)
        /// For tests, where hundreds of them are made.
        package static let cheap = Cost(exponent: 10)
        /// What is read back from the database at most: a row may not name any amount of memory.
        static let most = 17
    }

    static let blockSize = 8
    static let parallelism = 1
    private static let saltBytes = 16
    private static let hashBytes = 32

    package let cost: Cost
    private let salt: [UInt8]
    private let hash: [UInt8]

    /// Hashes a password that the rules of ``Password`` allow.
    package init(of password: Password, cost: Cost = .standard, using randomness: any Randomness) throws {
        self.cost = cost
        salt = randomness.bytes(Self.saltBytes)
        hash = try Self.derive(password, salt, cost)
    }

    /// Whether it is that password, compared in constant time.
    package func matches(_ password: Password) throws -> Bool {
        let derived = try Self.derive(password, salt, cost)
        return zip(derived, hash).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func derive(_ password: Password, _ salt: [UInt8], _ cost: Cost) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: password.bytes,
            salt: salt,
            outputByteCount: hashBytes,
            rounds: 1 << cost.exponent,
            blockSize: blockSize,
            parallelism: parallelism
        )
        // The library hands out a key and no other way to its bytes, which have to be kept as they are.
        return unsafe key.withUnsafeBytes { unsafe Array($0) }
    }
}

extension PasswordHash: LosslessStringConvertible {
    /// `$scrypt$ln=16,r=8,p=1$salt$hash`, both in base64 without padding.
    package init?(_ description: String) {
        let parts = description.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt",
            let exponent = (1...Cost.most).first(where: { parts[2] == Self.parameters($0) }),
            let salt = Data(base64Encoded: parts[3] + "=="), salt.count == Self.saltBytes,
            let hash = Data(base64Encoded: parts[4] + "="), hash.count == Self.hashBytes
        else { return nil }
        cost = Cost(exponent: exponent)
        self.salt = Array(salt)
        self.hash = Array(hash)
    }

    package var description: String {
        let texts = [salt, hash].map { Data($0).base64EncodedString().filter { $0 != "=" } }
        return "$scrypt$\(Self.parameters(cost.exponent))$\(texts[0])$\(texts[1])"
    }

    private static func parameters(_ exponent: Int) -> String { "ln=\(exponent),r=\(blockSize),p=\(parallelism)" }
}

/// A password as somebody typed it. Printing it shows nothing.
package struct Password: Sendable {
    fileprivate let bytes: [UInt8]

    /// Characters at least, where one is chosen (NIST SP 800-63B 3.1.1.2 asks for 15 where it is the only factor, 8 with
    /// another).
    package static let fewestCharacters = 12
    /// Bytes at most, of what is read at all.
    package static let mostBytes = 1024
    private static let fewestDifferent = 5

    /// As typed, in one Unicode form (NFKC), so that two keyboards agree. Refuses nothing but more than ``mostBytes``.
    package init?(typed text: String) {
        guard text.utf8.count <= Self.mostBytes else { return nil }
        bytes = Array(text.precomposedStringWithCompatibilityMapping.utf8)
    }

    /// What is wrong with a password that somebody chooses for that account, for that somebody; nil: nothing.
    package static func objection(to text: String, for username: String) -> String? {
        let name = username.prefix { $0 != "@" }.lowercased()
        if text.count < fewestCharacters { return "It needs at least \(fewestCharacters) characters." }
        if text.utf8.count > mostBytes { return "It is longer than \(mostBytes) bytes." }
        if Set(text).count < fewestDifferent { return "It repeats too few characters." }
        if name.count > 3, text.lowercased().contains(name) { return "It contains the username." }
        return nil
    }
}

extension Password: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "password…" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
