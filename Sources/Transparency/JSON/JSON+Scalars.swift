extension JSON.Reader {
    /// Reads from the opening quote to behind the closing one.
    mutating func string(_ bytes: Span<UInt8>) throws(Stop) -> String {
        let start = offset + 1
        var end = start
        var escaped = false
        scan: while end < bytes.count {
            let byte = bytes[end]
            if byte == UInt8(ascii: "\"") { break scan }
            if byte == UInt8(ascii: "\\") {
                escaped = true
                end += 2
                continue
            }
            guard byte >= 0x20 else { throw Stop(reason: .controlCharacter, offset: end) }
            end += 1
        }
        guard end < bytes.count else { throw Stop(reason: .unexpectedEnd, offset: bytes.count) }
        // Escapes are ASCII, so whether the text is UTF-8 is decided before they are replaced, and offsets stay true.
        let raw = bytes.extracting(start..<end)
        let text: UTF8Span
        do {
            text = try UTF8Span(validating: raw)
        } catch {
            throw Stop(reason: .invalidUTF8, offset: start + error.byteOffsets.lowerBound)
        }
        offset = end + 1
        return escaped ? try unescape(raw, start: start) : String(copying: text)
    }

    /// The text of a checked string with its escapes replaced. `start` is the place of `raw` in the whole.
    private mutating func unescape(_ raw: Span<UInt8>, start: Int) throws(Stop) -> String {
        scratch.removeAll(keepingCapacity: true)
        var index = 0
        while index < raw.count {
            let byte = raw[index]
            guard byte == UInt8(ascii: "\\") else {
                guard byte >= 0x20 else { throw Stop(reason: .controlCharacter, offset: start + index) }
                scratch.append(byte)
                index += 1
                continue
            }
            // The scan above stepped over the byte behind each backslash, so there is one.
            switch raw[index + 1] {
            case UInt8(ascii: "\""): scratch.append(0x22)
            case UInt8(ascii: "\\"): scratch.append(0x5C)
            case UInt8(ascii: "/"): scratch.append(0x2F)
            case UInt8(ascii: "b"): scratch.append(0x08)
            case UInt8(ascii: "f"): scratch.append(0x0C)
            case UInt8(ascii: "n"): scratch.append(0x0A)
            case UInt8(ascii: "r"): scratch.append(0x0D)
            case UInt8(ascii: "t"): scratch.append(0x09)
            case UInt8(ascii: "u"):
                index = try unescapeUnit(raw, at: index, start: start)
                continue
            default:
                throw Stop(reason: .invalidEscape, offset: start + index)
            }
            index += 2
        }
        return String(decoding: scratch, as: UTF8.self)
    }

    /// Appends the scalar of `\uXXXX` or of a pair of them, and returns the place behind it.
    private mutating func unescapeUnit(_ raw: Span<UInt8>, at index: Int, start: Int) throws(Stop) -> Int {
        let first = try unit(raw, at: index, start: start)
        guard first & 0xF800 == 0xD800 else {
            append(first)
            return index + 6
        }
        guard first < 0xDC00, index + 7 < raw.count, raw[index + 6] == UInt8(ascii: "\\"),
            raw[index + 7] == UInt8(ascii: "u")
        else { throw Stop(reason: .loneSurrogate, offset: start + index) }
        let second = try unit(raw, at: index + 6, start: start)
        guard second & 0xFC00 == 0xDC00 else { throw Stop(reason: .loneSurrogate, offset: start + index) }
        append(0x10000 + (first & 0x3FF) << 10 + (second & 0x3FF))
        return index + 12
    }

    private func unit(_ raw: Span<UInt8>, at index: Int, start: Int) throws(Stop) -> UInt32 {
        guard index + 6 <= raw.count else { throw Stop(reason: .invalidEscape, offset: start + index) }
        var value: UInt32 = 0
        for place in index + 2..<index + 6 {
            let digit: UInt8
            switch raw[place] {
            case let byte where byte >= 0x30 && byte <= 0x39: digit = byte - 0x30
            case let byte where byte >= 0x41 && byte <= 0x46: digit = byte - 0x41 + 10
            case let byte where byte >= 0x61 && byte <= 0x66: digit = byte - 0x61 + 10
            default: throw Stop(reason: .invalidEscape, offset: start + index)
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// The caller has excluded surrogates.
    private mutating func append(_ scalar: UInt32) {
        switch scalar {
        case 0..<0x80:
            scratch.append(UInt8(scalar))
        case 0x80..<0x800:
            scratch.append(UInt8(0xC0 | scalar >> 6))
            scratch.append(UInt8(0x80 | scalar & 0x3F))
        case 0x800..<0x10000:
            scratch.append(UInt8(0xE0 | scalar >> 12))
            scratch.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            scratch.append(UInt8(0x80 | scalar & 0x3F))
        default:
            scratch.append(UInt8(0xF0 | scalar >> 18))
            scratch.append(UInt8(0x80 | scalar >> 12 & 0x3F))
            scratch.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            scratch.append(UInt8(0x80 | scalar & 0x3F))
        }
    }

    /// Reads one number by RFC 8259 section 6.
    mutating func number(_ bytes: Span<UInt8>) throws(Stop) -> JSON.Number {
        let start = offset
        var index = offset
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let leadingZero = index < bytes.count && bytes[index] == 0x30
        let whole = digits(bytes, from: index)
        guard whole > index, !leadingZero || whole == index + 1 else {
            throw invalidNumber(bytes, at: leadingZero ? index + 1 : index)
        }
        index = whole
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            let fraction = digits(bytes, from: index + 1)
            guard fraction > index + 1 else { throw invalidNumber(bytes, at: index + 1) }
            index = fraction
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            let exponent = digits(bytes, from: index)
            guard exponent > index else { throw invalidNumber(bytes, at: index) }
            index = exponent
        }
        guard index - start <= limits.numberBytes else { throw Stop(reason: .numberTooLong, offset: start) }
        offset = index
        do {
            let text = try UTF8Span(validating: bytes.extracting(start..<index))
            return JSON.Number(checkedLiteral: String(copying: text))
        } catch {
            // Digits, signs, a point and an exponent are ASCII, so this cannot come to pass.
            throw Stop(reason: .invalidUTF8, offset: start)
        }
    }

    private func digits(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 { index += 1 }
        return index
    }

    private func invalidNumber(_ bytes: Span<UInt8>, at place: Int) -> Stop {
        place < bytes.count
            ? Stop(reason: .invalidNumber, offset: place) : Stop(reason: .unexpectedEnd, offset: bytes.count)
    }
}
