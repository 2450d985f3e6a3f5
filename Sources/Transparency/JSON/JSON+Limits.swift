extension JSON {
    /// What the reader accepts at most. Each bound is inclusive.
    package struct Limits: Sendable, Hashable {
        /// Bytes of the whole text.
        package var bytes: Int
        /// How deep arrays and objects may nest. Values above `deepest` count as `deepest`, so that no setting can
        /// make the reader's stack grow without end.
        package var depth: Int {
            didSet { depth = min(depth, Self.deepest) }
        }
        /// Bytes of one number.
        package var numberBytes: Int
        /// Values in all: scalars, arrays, objects, each counted once. It bounds memory, as one byte of text can
        /// become a value of 24 bytes.
        package var values: Int

        /// No limits may allow deeper nesting than this. Reading needs a few hundred bytes of stack for each level.
        package static let deepest = 512

        /// 2 MiB, 64 levels, 64 bytes a number, 250,000 values: more than any event of an HR system.
        package static let standard = Limits(bytes: 2 << 20, depth: 64, numberBytes: 64, values: 250_000)

        /// Bounds of the caller's own.
        package init(bytes: Int, depth: Int = 64, numberBytes: Int = 64, values: Int = 250_000) {
            self.bytes = bytes
            self.depth = min(depth, Self.deepest)
            self.numberBytes = numberBytes
            self.values = values
        }
    }

    /// Why a text is no acceptable JSON, and where. Holds nothing of the text itself, so it may be logged and
    /// answered.
    package struct ParseError: Error, Hashable, Sendable {
        /// What was wrong.
        package let reason: Reason
        /// The byte, counted from 0, at which the reader stopped.
        package let offset: Int
        /// The line of that byte, from 1; lines end with LF.
        package let line: Int
        /// The byte's place in its line, from 1, in bytes.
        package let column: Int

        /// One case for each rule that a text can break.
        package enum Reason: String, Sendable {
            case empty = "there is no value"
            case unexpectedEnd = "the text ends in the middle of a value"
            case unexpectedByte = "this byte cannot stand here"
            case trailingBytes = "something follows the value"
            case invalidNumber = "this is not a number as JSON writes it"
            case invalidEscape = "this escape does not exist"
            case loneSurrogate = "half a surrogate pair stands alone"
            case controlCharacter = "control characters in strings must be escaped"
            case invalidUTF8 = "these bytes are not UTF-8"
            case duplicateName = "this name stands twice in the same object"
            case tooManyBytes = "the text is too long"
            case tooDeep = "arrays and objects nest too deeply"
            case numberTooLong = "this number has too many digits"
            case tooManyValues = "there are too many values"
        }
    }
}

extension JSON.ParseError: CustomStringConvertible {
    package var description: String {
        "\(reason.rawValue) (byte \(offset), line \(line), column \(column))"
    }
}
