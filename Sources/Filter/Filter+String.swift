extension Filter.Parser {
    /// A JSON string (RFC 8259 section 7) from its opening quote, and the space behind it.
    mutating func string() throws(FilterError) -> String {
        let start = offset
        offset += 1
        var out: [UInt8] = []
        while offset < bytes.count {
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                skipSpace()
                return String(decoding: out, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try escape(into: &out)
            case 0..<0x20:
                throw invalid("control characters written as escapes, like \\n")
            default:
                out.append(byte)
                offset += 1
            }
        }
        throw FilterError(
            reason: .invalidString,
            position: start,
            expected: "a closing double quote for this string"
        )
    }

    private mutating func escape(into out: inout [UInt8]) throws(FilterError) {
        let known = "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"
        guard offset + 1 < bytes.count else { throw invalid(known) }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""): out.append(0x22)
        case UInt8(ascii: "\\"): out.append(0x5C)
        case UInt8(ascii: "/"): out.append(0x2F)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try scalar()
            out += Array(String(Character(scalar)).utf8)
            return
        default:
            throw invalid(known)
        }
        offset += 2
    }

    /// The scalar of `\uXXXX` or of a surrogate pair of them.
    private mutating func scalar() throws(FilterError) -> Unicode.Scalar {
        let first = try unit(at: offset)
        if let scalar = Unicode.Scalar(first) {
            offset += 6
            return scalar
        }
        let second = try unit(at: offset + 6)
        guard first < 0xDC00, second & 0xFC00 == 0xDC00,
            let scalar = Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + (second & 0x3FF))
        else { throw invalid("a \\uXXXX pair that makes one character") }
        offset += 12
        return scalar
    }

    private func unit(at place: Int) throws(FilterError) -> UInt32 {
        guard place + 6 <= bytes.count, bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u"),
            bytes[place + 2..<place + 6].allSatisfy({ Self.isLetter($0) || Self.isDigit($0) }),
            let value = UInt32(text(place + 2..<place + 6), radix: 16)
        else { throw invalid("four hexadecimal digits after \\u, in pairs for characters beyond U+FFFF") }
        return value
    }

    private func invalid(_ expected: String) -> FilterError {
        FilterError(reason: .invalidString, position: offset, expected: expected)
    }
}
