extension JSON {
    /// Why a value has no canonical form.
    package enum CanonicalError: Error, Hashable, Sendable {
        /// The number of this literal would change its value by being written as a double, or is an integer beyond
        /// 2^53, which other readers round (RFC 7493 2.2).
        case numberWouldChange(literal: String)
        /// Infinities and NaN have no JSON form.
        case numberNotFinite
        /// Nests deeper than `Limits.deepest`.
        case tooDeep
    }

    /// The value as RFC 8785 writes it: equal values give equal bytes everywhere. Never rounds: a number is refused
    /// unless its canonical text has exactly the same value, and what would be written as an integer beyond 2^53 is refused
    /// always; put it into a string.
    package func canonical() throws(CanonicalError) -> [UInt8] {
        var writer = Writer()
        try writer.canonical(self, depth: 0)
        return writer.bytes
    }

    /// The value as compact JSON, numbers by their literals and members in their own order: what a reader of ours
    /// reads back as an equal value.
    package var bytes: [UInt8] {
        var writer = Writer()
        writer.plain(self)
        return writer.bytes
    }

    /// `bytes` as text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    private struct Writer {
        var bytes: [UInt8] = []

        mutating func canonical(_ value: JSON, depth: Int) throws(CanonicalError) {
            guard depth <= Limits.deepest else { throw .tooDeep }
            switch value {
            case .null, .bool, .string:
                plain(value)
            case .number(let number):
                bytes += try number.canonical().utf8
            case .array(let elements):
                bytes.append(UInt8(ascii: "["))
                for (place, element) in elements.enumerated() {
                    if place > 0 { bytes.append(UInt8(ascii: ",")) }
                    try canonical(element, depth: depth + 1)
                }
                bytes.append(UInt8(ascii: "]"))
            case .object(let object):
                bytes.append(UInt8(ascii: "{"))
                let members = object.members.sorted { ExactText.precedes($0.key, $1.key) }
                for (place, member) in members.enumerated() {
                    if place > 0 { bytes.append(UInt8(ascii: ",")) }
                    string(member.key)
                    bytes.append(UInt8(ascii: ":"))
                    try canonical(member.value, depth: depth + 1)
                }
                bytes.append(UInt8(ascii: "}"))
            }
        }

        mutating func plain(_ value: JSON) {
            switch value {
            case .null: bytes += "null".utf8
            case .bool(true): bytes += "true".utf8
            case .bool(false): bytes += "false".utf8
            case .number(let number): bytes += number.literal.utf8
            case .string(let text): string(text)
            case .array(let elements):
                bytes.append(UInt8(ascii: "["))
                for (place, element) in elements.enumerated() {
                    if place > 0 { bytes.append(UInt8(ascii: ",")) }
                    plain(element)
                }
                bytes.append(UInt8(ascii: "]"))
            case .object(let object):
                bytes.append(UInt8(ascii: "{"))
                for (place, member) in object.members.enumerated() {
                    if place > 0 { bytes.append(UInt8(ascii: ",")) }
                    string(member.key)
                    bytes.append(UInt8(ascii: ":"))
                    plain(member.value)
                }
                bytes.append(UInt8(ascii: "}"))
            }
        }

        /// RFC 8785 3.2.2.2: only what must be escaped is.
        private mutating func string(_ text: String) {
            bytes.append(UInt8(ascii: "\""))
            guard Self.hasEscapes(text) else {
                bytes += text.utf8
                bytes.append(UInt8(ascii: "\""))
                return
            }
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0x08: bytes += "\\b".utf8
                case 0x09: bytes += "\\t".utf8
                case 0x0A: bytes += "\\n".utf8
                case 0x0C: bytes += "\\f".utf8
                case 0x0D: bytes += "\\r".utf8
                case 0..<0x20:
                    bytes += "\\u00".utf8
                    bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
                    bytes.append(byte & 0xF < 10 ? 0x30 + byte & 0xF : 0x57 + byte & 0xF)
                default: bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }

        private static func hasEscapes(_ text: String) -> Bool {
            let bytes = text.utf8Span.span
            for index in bytes.indices {
                let byte = bytes[index]
                if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return true }
            }
            return false
        }
    }
}

extension JSON: CustomStringConvertible {
    /// The same as `text`.
    package var description: String { text }
}

extension JSON.Number {
    /// Integers of greater magnitude are not the same number to every reader.
    private static let largestInteger = 9_007_199_254_740_992.0

    /// The literal by RFC 8785 3.2.2.3, or a refusal.
    package func canonical() throws(JSON.CanonicalError) -> String {
        // So short an integer is far below 2^53 and written the same way; most numbers are such.
        if isInteger, literal.utf8.count <= 15, literal != "-0" { return literal }
        guard let value = double else { throw .numberWouldChange(literal: literal) }
        let text = ECMAScriptNumber.text(value)
        guard let exact = ECMAScriptNumber.Decimal(literal), exact == ECMAScriptNumber.Decimal(text) else {
            throw .numberWouldChange(literal: literal)
        }
        // What is written as an integer must also be read back as one, so the bound holds for `1e16` too.
        if text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || ($0 >= 0x30 && $0 <= 0x39) }) {
            guard value.magnitude <= Self.largestInteger else { throw .numberWouldChange(literal: literal) }
        }
        return text
    }
}
