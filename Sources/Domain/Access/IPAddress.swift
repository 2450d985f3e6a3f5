/// An internet address without port, zone or host name.
///
/// IPv4 and IPv4-mapped IPv6 (`::ffff:a.b.c.d`) are the same value, so no caller can slip past a list by writing the
/// other form. Equality, hashing and order are those of the 16 bytes, in which an IPv4 address stands mapped.
///
/// Read here and not by `inet_pton`: that call is unsafe memory, and what it takes differs between C libraries.
package struct IPAddress: Hashable, Sendable {
    /// The first and the last eight bytes in network order.
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Takes 4 bytes (IPv4) or 16 (IPv6) in network order; refuses every other count.
    package init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(ipv4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
            )
        default: return nil
        }
    }

    /// From the 32 bits of an IPv4 address.
    package init(ipv4 bits: UInt32) {
        self.init(high: 0, low: Self.mappedPrefix | UInt64(bits))
    }

    /// The 32 bits of an IPv4 or IPv4-mapped address, nil for any other.
    package var ipv4: UInt32? {
        high == 0 && low & ~0xFFFF_FFFF == Self.mappedPrefix ? UInt32(truncatingIfNeeded: low) : nil
    }

    package var isIPv4: Bool { ipv4 != nil }

    /// 4 bytes for IPv4, 16 for IPv6, in network order.
    package var bytes: [UInt8] {
        isIPv4 ? Self.octets(of: low, count: 4) : Self.octets(of: high, count: 8) + Self.octets(of: low, count: 8)
    }

    private static let mappedPrefix: UInt64 = 0xFFFF_0000_0000

    private static func octets(of word: UInt64, count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
    }
}

extension IPAddress: Comparable {
    package static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension IPAddress: LosslessStringConvertible {
    /// Reads dotted decimal (four parts, no leading zeros, nothing octal or hexadecimal) and the forms of RFC 4291
    /// section 2.2. Refuses white space, ports, brackets, zone ids, and every short form that `inet_aton` would take.
    package init?(_ text: String) {
        let text = text.utf8
        guard (Self.shortest...Self.longest).contains(text.count) else { return nil }
        if text.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(of: text) else { return nil }
            self.init(
                high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
                low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
            )
        } else {
            guard let bits = Self.dottedDecimal(text[...]) else { return nil }
            self.init(ipv4: bits)
        }
    }

    /// `::`, and eight groups the last two of which are dotted decimal.
    private static let shortest = 2
    private static let longest = 45

    /// RFC 5952; an IPv4-mapped address is printed as the IPv4 address that it is.
    package var description: String {
        if let bits = ipv4 {
            return Self.octets(of: UInt64(bits), count: 4).map { String($0) }.joined(separator: ".")
        }
        let groups = (0..<8).map { (index: Int) -> UInt16 in
            let word = index < 4 ? high : low
            let shift = (3 - index % 4) * 16
            return UInt16(truncatingIfNeeded: word >> shift)
        }
        let text: [String] = groups.map { String($0, radix: 16) }
        guard let zeros = Self.longestZeroRun(in: groups) else { return text.joined(separator: ":") }
        return text[..<zeros.lowerBound].joined(separator: ":") + "::"
            + text[zeros.upperBound...].joined(separator: ":")
    }

    /// The first of the longest runs of two or more zero groups (RFC 5952 sections 4.2.2 and 4.2.3).
    private static func longestZeroRun(in groups: [UInt16]) -> Range<Int>? {
        var longest = 0..<1
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<index + 1
            }
        }
        return longest.count > 1 ? longest : nil
    }

    private static func dottedDecimal(_ text: Substring.UTF8View) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var value: UInt32 = 0
            for digit in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return nil }
            bits = bits << 8 | value
        }
        return bits
    }

    /// The eight groups of an IPv6 address, with `::` filled up.
    private static func groups(of text: String.UTF8View) -> [UInt16]? {
        let parts = text.split(separator: UInt8(ascii: ":"), maxSplits: 9, omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        var gap: Int?
        for (index, part) in parts.enumerated() {
            guard part.isEmpty else {
                if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                    guard let bits = dottedDecimal(part) else { return nil }
                    groups += [UInt16(truncatingIfNeeded: bits >> 16), UInt16(truncatingIfNeeded: bits)]
                } else {
                    guard let group = hexadecimalGroup(part) else { return nil }
                    groups.append(group)
                }
                continue
            }
            // An empty part is one side of `::`: alone in the middle, or paired with the edge of the text.
            let isOuterHalf =
                index == 0 && parts[1].isEmpty || index == parts.count - 1 && parts[index - 1].isEmpty
            if isOuterHalf { continue }
            guard gap == nil, index > 0, index < parts.count - 1 else { return nil }
            gap = groups.count
        }
        guard let gap else { return groups.count == 8 ? groups : nil }
        guard groups.count < 8 else { return nil }
        return groups[..<gap] + Array(repeating: 0, count: 8 - groups.count) + groups[gap...]
    }

    private static func hexadecimalGroup(_ text: Substring.UTF8View) -> UInt16? {
        guard text.count <= 4 else { return nil }
        var value: UInt16 = 0
        for digit in text {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(digit - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }
}

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let address = IPAddress(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an IPv4 or IPv6 address")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
