/// Text as the bytes it consists of. Swift's own `==` holds `é` and `e`+accent for equal; a name in a signed document
/// may not.
struct ExactText: Hashable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: Self, right: Self) -> Bool {
        same(left.text, right.text)
    }

    /// Hashes the bytes, not Swift's normalised text: many canonically equivalent names would all share one hash, and
    /// a sender could slow the reader down with them.
    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        var filled = 0
        for byte in text.utf8 {
            word = word << 8 | UInt64(byte)
            filled += 1
            if filled & 7 == 0 {
                hasher.combine(word)
                word = 0
            }
        }
        hasher.combine(word)
        hasher.combine(filled)
    }

    static func same(_ left: String, _ right: String) -> Bool {
        same(left, right.utf8Span.span)
    }

    static func same(_ left: String, _ right: Span<UInt8>) -> Bool {
        guard left.utf8.count == right.count else { return false }
        let left = left.utf8Span.span
        var index = 0
        while index < left.count {
            guard left[index] == right[index] else { return false }
            index += 1
        }
        return true
    }

    /// Whether `left` comes first by UTF-16 code units (RFC 8785 3.2.3), found from the UTF-8 bytes: the two orders
    /// differ only in that code points above U+FFFF, being surrogates in UTF-16, come before U+E000...U+FFFF, whose
    /// lead bytes are EE and EF.
    static func precedes(_ left: String, _ right: String) -> Bool {
        let left = left.utf8Span.span
        let right = right.utf8Span.span
        let shared = min(left.count, right.count)
        var index = 0
        while index < shared {
            let (a, b) = (left[index], right[index])
            if a != b { return rank(a) < rank(b) }
            index += 1
        }
        return left.count < right.count
    }

    private static func rank(_ byte: UInt8) -> UInt8 {
        byte == 0xEE || byte == 0xEF ? byte + 0x10 : byte
    }
}
