extension JSON {
    /// Reads exactly one value by RFC 8259, and refuses what other readers disagree on: bytes that are not UTF-8, a
    /// byte order mark, a name given twice (compared byte for byte after unescaping), lone surrogates, anything after
    /// the value. Bounded by `limits` in time, memory and stack whatever the input is.
    package static func parse(_ bytes: [UInt8], limits: Limits = .standard) throws(ParseError) -> JSON {
        try parse(bytes.span, limits: limits)
    }

    /// The same for other collections of bytes, which are copied once, after their length was checked.
    package static func parse(
        _ bytes: some Collection<UInt8>,
        limits: Limits = .standard
    ) throws(ParseError) -> JSON {
        guard bytes.count <= limits.bytes else {
            throw ParseError(reason: .tooManyBytes, offset: limits.bytes, line: 1, column: limits.bytes + 1)
        }
        return try parse(Array(bytes).span, limits: limits)
    }

    /// The same for text.
    package static func parse(text: String, limits: Limits = .standard) throws(ParseError) -> JSON {
        try parse(Array(text.utf8).span, limits: limits)
    }

    /// The same for borrowed bytes.
    package static func parse(_ bytes: Span<UInt8>, limits: Limits = .standard) throws(ParseError) -> JSON {
        guard bytes.count <= limits.bytes else {
            throw ParseError(reason: .tooManyBytes, offset: limits.bytes, line: 1, column: limits.bytes + 1)
        }
        var reader = Reader(limits: limits)
        do throws(Reader.Stop) {
            return try reader.document(bytes)
        } catch {
            throw ParseError(error, in: bytes)
        }
    }
}

extension JSON.ParseError {
    init(_ stop: JSON.Reader.Stop, in bytes: Span<UInt8>) {
        var line = 1
        var lineStart = 0
        for index in 0..<min(stop.offset, bytes.count) where bytes[index] == 0x0A {
            line += 1
            lineStart = index + 1
        }
        self.init(reason: stop.reason, offset: stop.offset, line: line, column: stop.offset - lineStart + 1)
    }
}

extension JSON {
    /// Recursive descent over borrowed bytes. Recursion is bounded by `limits.depth`, which is at most
    /// `Limits.deepest`.
    struct Reader {
        let limits: Limits
        var offset = 0
        var valuesLeft: Int
        /// Holds the text of one escaped string at a time; kept to spare an allocation for each.
        var scratch: [UInt8] = []

        struct Stop: Error {
            let reason: ParseError.Reason
            let offset: Int
        }

        init(limits: Limits) {
            self.limits = limits
            valuesLeft = limits.values
        }

        mutating func document(_ bytes: Span<UInt8>) throws(Stop) -> JSON {
            skipSpace(bytes)
            guard offset < bytes.count else { throw Stop(reason: .empty, offset: offset) }
            let value = try value(bytes, depth: 0)
            skipSpace(bytes)
            guard offset == bytes.count else { throw Stop(reason: .trailingBytes, offset: offset) }
            return value
        }

        private mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(Stop) -> JSON {
            guard offset < bytes.count else { throw Stop(reason: .unexpectedEnd, offset: offset) }
            guard valuesLeft > 0 else { throw Stop(reason: .tooManyValues, offset: offset) }
            valuesLeft -= 1
            switch bytes[offset] {
            case UInt8(ascii: "\""): return .string(try string(bytes))
            case UInt8(ascii: "{"): return try object(bytes, depth: depth + 1)
            case UInt8(ascii: "["): return try array(bytes, depth: depth + 1)
            case UInt8(ascii: "-"), 0x30...0x39: return .number(try number(bytes))
            case UInt8(ascii: "t"): return try word("true", .bool(true), bytes)
            case UInt8(ascii: "f"): return try word("false", .bool(false), bytes)
            case UInt8(ascii: "n"): return try word("null", .null, bytes)
            default: throw unexpected(bytes)
            }
        }

        private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(Stop) -> JSON {
            guard depth <= limits.depth else { throw Stop(reason: .tooDeep, offset: offset) }
            offset += 1
            var object = Object()
            skipSpace(bytes)
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "}") {
                offset += 1
                return .object(object)
            }
            while true {
                let start = offset
                guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw unexpected(bytes) }
                let key = try string(bytes)
                skipSpace(bytes)
                guard offset < bytes.count, bytes[offset] == UInt8(ascii: ":") else { throw unexpected(bytes) }
                offset += 1
                skipSpace(bytes)
                let member = try value(bytes, depth: depth)
                guard object.insert(key, member) else { throw Stop(reason: .duplicateName, offset: start) }
                skipSpace(bytes)
                guard offset < bytes.count else { throw Stop(reason: .unexpectedEnd, offset: offset) }
                switch bytes[offset] {
                case UInt8(ascii: ","):
                    offset += 1
                    skipSpace(bytes)
                case UInt8(ascii: "}"):
                    offset += 1
                    return .object(object)
                default:
                    throw unexpected(bytes)
                }
            }
        }

        private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(Stop) -> JSON {
            guard depth <= limits.depth else { throw Stop(reason: .tooDeep, offset: offset) }
            offset += 1
            var elements: [JSON] = []
            skipSpace(bytes)
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "]") {
                offset += 1
                return .array(elements)
            }
            while true {
                elements.append(try value(bytes, depth: depth))
                skipSpace(bytes)
                guard offset < bytes.count else { throw Stop(reason: .unexpectedEnd, offset: offset) }
                switch bytes[offset] {
                case UInt8(ascii: ","):
                    offset += 1
                    skipSpace(bytes)
                case UInt8(ascii: "]"):
                    offset += 1
                    return .array(elements)
                default:
                    throw unexpected(bytes)
                }
            }
        }

        private mutating func word(_ text: StaticString, _ value: JSON, _ bytes: Span<UInt8>) throws(Stop) -> JSON {
            var index = 0
            let expected = text.description.utf8
            for byte in expected {
                guard offset + index < bytes.count, bytes[offset + index] == byte else {
                    offset += index
                    throw unexpected(bytes)
                }
                index += 1
            }
            offset += index
            return value
        }

        @inline(__always)
        mutating func skipSpace(_ bytes: Span<UInt8>) {
            while offset < bytes.count {
                switch bytes[offset] {
                case 0x20, 0x0A, 0x0D, 0x09: offset += 1
                default: return
                }
            }
        }

        func unexpected(_ bytes: Span<UInt8>) -> Stop {
            Stop(reason: offset < bytes.count ? .unexpectedByte : .unexpectedEnd, offset: offset)
        }
    }
}
