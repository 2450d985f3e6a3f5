/// The name of a key of signed notes, which for a log is its origin: text without spaces, `+` and control characters,
/// compared byte for byte.
package struct NoteKeyName: Hashable, Sendable {
    package let utf8: [UInt8]

    /// Bytes of the longest name.
    package static let longest = 255

    /// Refuses what C2SP signed-note does not allow in a name.
    package init?(_ text: some StringProtocol) {
        guard !text.isEmpty, text.utf8.count <= Self.longest else { return nil }
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            scalar != "+" && !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
        }
        guard isPlain else { return nil }
        utf8 = Array(text.utf8)
    }

    package var text: String { String(decoding: utf8, as: UTF8.self) }
}
