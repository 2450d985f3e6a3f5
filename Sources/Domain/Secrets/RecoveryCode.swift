/// A code by which a member who lost their authenticator signs in once: 50 random bits, written so that nobody mistakes a
/// letter for a digit (Crockford's base 32).
package struct RecoveryCode: Sendable {
    /// Of one set.
    package static let count = 10
    private static let length = 10
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

    private let text: String

    private init(text: String) { self.text = text }

    /// Draws one.
    package static func make(using randomness: some Randomness) -> RecoveryCode {
        RecoveryCode(text: String(randomness.bytes(length).map { alphabet[Int($0 & 31)] }))
    }

    /// As somebody typed it: case, spaces and hyphens do not matter, and O, I and L are taken for the digits that they look
    /// like. nil for what is no code.
    package init?(typed: String) {
        let alike: [Character: Character] = ["O": "0", "I": "1", "L": "1"]
        let characters = typed.uppercased().filter { $0 != " " && $0 != "-" }.map { alike[$0] ?? $0 }
        guard characters.count == Self.length, characters.allSatisfy(Self.alphabet.contains) else { return nil }
        text = String(characters)
    }

    /// For the page that shows it, once.
    package func reveal() -> String { "\(text.prefix(Self.length / 2))-\(text.suffix(Self.length / 2))" }

    var bytes: [UInt8] { Array(text.utf8) }
}

extension RecoveryCode: CustomStringConvertible, CustomReflectable {
    package var description: String { "recovery code" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
