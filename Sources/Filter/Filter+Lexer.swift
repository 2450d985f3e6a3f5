extension Filter.Parser {
    mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
    }

    /// Takes that word, in any case, when it stands here alone, and the space behind it.
    mutating func takeWord(_ word: String) -> Bool {
        let end = offset + word.utf8.count
        guard end <= bytes.count, AttributePath.sameName(text(offset..<end), word) else { return false }
        if end < bytes.count, Self.isNameByte(bytes[end]) { return false }
        offset = end
        skipSpace()
        return true
    }

    /// Takes letters, lower-cased, and the space behind them.
    mutating func takeLetters() -> String {
        let start = offset
        while offset < bytes.count, Self.isLetter(bytes[offset]) { offset += 1 }
        let word = text(start..<offset).lowercased()
        skipSpace()
        return word
    }

    /// `[URN ":"] name ["." name]` and the space behind it.
    mutating func attributePath() throws(FilterError) -> AttributePath {
        let start = offset
        while offset < bytes.count, Self.isNameByte(bytes[offset]) { offset += 1 }
        let token = start..<offset
        guard !token.isEmpty else {
            throw FilterError(reason: .unexpected, position: start, expected: "an attribute name, \"not\" or \"(\"")
        }
        // The last colon ends the URN; a URN has dots of its own (`2.0`), so the dot is looked for behind it.
        let colon = bytes[token].lastIndex(of: UInt8(ascii: ":"))
        let nameStart = colon.map { $0 + 1 } ?? start
        let dot = bytes[nameStart..<offset].firstIndex(of: UInt8(ascii: "."))
        let attribute = try name(nameStart..<(dot ?? offset))
        var subAttribute: String?
        if let dot { subAttribute = try name(dot + 1..<offset) }
        if let colon, !AttributePath.sameName(text(start..<min(start + 4, colon)), "urn:") {
            throw FilterError(
                reason: .invalidAttribute,
                position: start,
                expected: "a URN that begins with \"urn:\", or a name without \":\""
            )
        }
        skipSpace()
        return AttributePath(uri: colon.map { text(start..<$0) }, attribute, subAttribute)
    }

    private func name(_ range: Range<Int>) throws(FilterError) -> String {
        let expected = "a name of letters, digits, \"-\" and \"_\" that begins with a letter"
        let first = range.isEmpty ? 0 : bytes[range.lowerBound]
        // `$ref` is an attribute of RFC 7643 that its own grammar forgets.
        guard Self.isLetter(first) || first == UInt8(ascii: "$") else {
            throw FilterError(reason: .invalidAttribute, position: range.lowerBound, expected: expected)
        }
        for place in range.dropFirst() where !Self.isPlainNameByte(bytes[place]) {
            throw FilterError(reason: .invalidAttribute, position: place, expected: expected)
        }
        return text(range)
    }

    /// A JSON string, number, `true`, `false` or `null`, and the space behind it.
    mutating func value() throws(FilterError) -> FilterValue {
        let expected = "a value: a string in double quotes, a number, true, false or null"
        guard offset < bytes.count else { throw end(expected) }
        if bytes[offset] == UInt8(ascii: "\"") { return .string(try string()) }
        let start = offset
        while offset < bytes.count, Self.isNameByte(bytes[offset]) || bytes[offset] == UInt8(ascii: "+") {
            offset += 1
        }
        let word = text(start..<offset)
        defer { skipSpace() }
        switch word {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default:
            guard let first = word.utf8.first, first == UInt8(ascii: "-") || Self.isDigit(first) else {
                throw FilterError(reason: .invalidValue, position: start, expected: expected)
            }
            return .number(try number(word, at: start))
        }
    }

    private func number(_ word: String, at start: Int) throws(FilterError) -> Double {
        guard Self.isNumber(Array(word.utf8)), let number = Double(word), number.isFinite else {
            throw FilterError(reason: .invalidValue, position: start, expected: "a number as JSON writes it")
        }
        // Integers from 2^53 on would be compared as their neighbours, and tiny numbers as zero.
        let mantissa = word.utf8.prefix { $0 | 0x20 != UInt8(ascii: "e") }
        let saysZero = !mantissa.contains { $0 >= 0x31 && $0 <= 0x39 }
        guard saysZero == (number == 0), number != number.rounded() || number.magnitude <= FilterValue.largestInteger
        else {
            throw FilterError(
                reason: .invalidNumber,
                position: start,
                expected: "an integer of at most 9007199254740991 either way, or a decimal; else a string"
            )
        }
        return number == 0 ? 0 : number
    }

    /// RFC 8259 section 6.
    private static func isNumber(_ word: [UInt8]) -> Bool {
        var rest = word[...]
        func digits() -> Int {
            let count = rest.prefix(while: isDigit).count
            rest.removeFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        let hasLeadingZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, whole == 1 || !hasLeadingZero else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            guard digits() > 0 else { return false }
        }
        if let byte = rest.first, byte | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest.removeFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    /// A byte of a path, URN included.
    static func isNameByte(_ byte: UInt8) -> Bool {
        isPlainNameByte(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "$")
    }

    static func isPlainNameByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    static func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39
    }
}
