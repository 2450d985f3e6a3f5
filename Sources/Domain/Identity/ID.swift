/// A noun that has ids of its own.
package protocol IDKind: Sendable {
    /// What stands before the underscore: `usr`.
    static var prefix: String { get }
}

/// A TypeID (v0.3.0): a prefix that names the noun, and 128 bits. `usr_01kaj3…`.
///
/// Ids made by ``make(at:using:)`` are UUIDv7 (RFC 9562 5.7), so that rows made together lie together.
package struct ID<Kind: IDKind>: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A UUIDv7 of that instant.
    package static func make(at now: Timestamp, using randomness: some Randomness) -> ID {
        let milliseconds = UInt64(clamping: max(0, now.microseconds / 1000)) & 0xFFFF_FFFF_FFFF
        let random = randomness.words()
        return ID(
            high: milliseconds << 16 | 0x7000 | (random.0 & 0x0FFF),
            low: 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
        )
    }

    /// 128 random bits, for ids that are themselves hard to guess (the path of a hook).
    package static func unguessable(using randomness: some Randomness) -> ID {
        let random = randomness.words()
        return ID(high: random.0, low: random.1)
    }

    /// The id as 16 bytes, most significant first.
    package var bytes: [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - 8 * UInt64($0 % 8))) }
    }
}

extension ID: Comparable {
    package static func < (one: ID, other: ID) -> Bool { (one.high, one.low) < (other.high, other.low) }
}

extension ID: LosslessStringConvertible {
    /// Refuses anything but this noun's prefix and 26 characters of lower-case Crockford base 32 within 128 bits.
    package init?(_ description: String) {
        let text = description.utf8
        let prefix = Kind.prefix.utf8
        guard text.count == prefix.count + 27, text.starts(with: prefix) else { return nil }
        let suffix = text.dropFirst(prefix.count)
        guard suffix.first == UInt8(ascii: "_") else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (place, character) in suffix.dropFirst().enumerated() {
            let value = TypeIDAlphabet.value(of: character)
            guard value < 32, place > 0 || value < 8 else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(value)
        }
        self.init(high: high, low: low)
    }

    package var description: String {
        var high = high
        var low = low
        var characters = [UInt8](repeating: 0, count: 26)
        for place in characters.indices.reversed() {
            characters[place] = TypeIDAlphabet.characters[Int(low & 31)]
            low = low >> 5 | high << 59
            high >>= 5
        }
        return Kind.prefix + "_" + String(decoding: characters, as: UTF8.self)
    }
}

extension ID: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = ID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "is not an id of the form \(Kind.prefix)_ and 26 characters"
            )
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Crockford's base 32 in lower case, as TypeID uses it: no `i`, `l`, `o`, `u`.
enum TypeIDAlphabet {
    static let characters = [UInt8]("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// 255 for what is not in the alphabet.
    static func value(of character: UInt8) -> UInt8 {
        character < 128 ? values[Int(character)] : 255
    }

    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 128)
        for (value, character) in characters.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()
}
