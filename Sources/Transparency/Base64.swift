/// Strict base64 (RFC 4648): one text for one sequence of bytes. Refuses other alphabets' characters, white space,
/// padding that is wrong for the variant, and bits behind the last byte that are not zero, so that a signature or a
/// digest cannot be written in two ways.
package struct Base64: Sendable {
    /// RFC 4648 section 4, with padding.
    package static let standard = Base64(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        padded: true
    )
    /// RFC 4648 section 5, without padding.
    package static let url = Base64(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        padded: false
    )

    private let characters: [UInt8]
    /// The six bits of each byte; `invalid` where the alphabet does not have it.
    private let bits: [UInt8]
    private let padded: Bool

    private static let invalid: UInt8 = 0xFF
    private static let pad = UInt8(ascii: "=")

    private init(alphabet: String, padded: Bool) {
        characters = Array(alphabet.utf8)
        var bits = [UInt8](repeating: Self.invalid, count: 256)
        for (value, character) in characters.enumerated() { bits[Int(character)] = UInt8(value) }
        self.bits = bits
        self.padded = padded
    }

    /// The text of the bytes.
    package func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let taken = min(3, bytes.count - index)
            var group: UInt32 = 0
            for place in 0..<3 { group = group << 8 | (place < taken ? UInt32(bytes[index + place]) : 0) }
            for place in 0...taken { out.append(characters[Int(group >> UInt32(18 - 6 * place) & 0x3F)]) }
            if padded { out += repeatElement(Self.pad, count: 3 - taken) }
            index += 3
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The bytes of the text, nil unless it is exactly what `encode` makes of them.
    package func decode(_ text: some StringProtocol) -> [UInt8]? {
        var symbols = Array(text.utf8)
        if padded {
            guard symbols.count % 4 == 0 else { return nil }
            for _ in 0..<2 where symbols.last == Self.pad { symbols.removeLast() }
        }
        guard symbols.count % 4 != 1 else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(symbols.count / 4 * 3 + 2)
        var held: UInt32 = 0
        var heldBits: UInt32 = 0
        for symbol in symbols {
            let value = bits[Int(symbol)]
            guard value != Self.invalid else { return nil }
            held = held << 6 | UInt32(value)
            heldBits += 6
            guard heldBits >= 8 else { continue }
            heldBits -= 8
            out.append(UInt8(held >> heldBits & 0xFF))
            held &= (1 << heldBits) - 1
        }
        return held == 0 ? out : nil
    }
}
