import Crypto
import Foundation

/// A code challenge of RFC 7636, by S256 and nothing else.
package struct CodeChallenge: Sendable, Hashable, LosslessStringConvertible {
    package let description: String

    /// 43 characters of base64url: a SHA-256.
    package init?(_ description: String) {
        guard description.utf8.count == 43, description.utf8.allSatisfy(Self.isBase64URL) else { return nil }
        self.description = description
    }

    /// Whether the verifier is of the RFC's form and is what the challenge was made from.
    package func matches(verifier: String) -> Bool {
        guard Self.isVerifier(verifier) else { return false }
        let made = Self.of(verifier)
        return zip(made.description.utf8, description.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// The challenge of a verifier, for clients.
    package static func of(_ verifier: String) -> CodeChallenge {
        let digest = Data(SHA256.hash(data: Data(verifier.utf8))).base64EncodedString()
        let text = digest.compactMap { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0 }
        return CodeChallenge(unchecked: String(text))
    }

    private init(unchecked description: String) { self.description = description }

    /// RFC 7636 4.1: 43 to 128 unreserved characters.
    private static func isVerifier(_ text: String) -> Bool {
        (43...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { isBase64URL($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "~") }
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}
