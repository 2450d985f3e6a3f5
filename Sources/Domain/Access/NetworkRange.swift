/// Why a text is not a `NetworkRange`.
package enum NetworkRangeError: Error, Hashable, Sendable {
    case notAnAddress
    /// The part after `/` is not a decimal number from 0 to 32 (IPv4) or 128 (IPv6) without leading zeros.
    case invalidPrefixLength
    /// The address has bits beyond the prefix; carries the range that was probably meant. Never guessed silently: the
    /// wrong guess widens a list.
    case hostBitsSet(meant: NetworkRange)
}

/// All addresses that share a prefix: one entry of an IP allow-list or of the trusted proxies.
///
/// IPv4 and IPv6 stay apart: `::/0` holds no IPv4 address. A range written as IPv4-mapped IPv6 is the IPv4 range.
package struct NetworkRange: Hashable, Sendable {
    /// The lowest address of the range; no bit is set beyond the prefix.
    package let base: IPAddress
    /// In bits of the family of `base`: at most 32 for IPv4, at most 128 for IPv6.
    package let prefixLength: Int

    /// The range of exactly one address.
    package init(_ address: IPAddress) {
        base = address
        prefixLength = address.isIPv4 ? 32 : 128
    }

    /// The range of the given length around an address, whose remaining bits are cleared. Nil when the length does not
    /// fit the family.
    package init?(around address: IPAddress, prefixLength: Int) {
        guard (0...(address.isIPv4 ? 32 : 128)).contains(prefixLength) else { return nil }
        self.init(unchecked: address, prefixLength: prefixLength)
    }

    private init(unchecked address: IPAddress, prefixLength: Int) {
        let mask = Self.mask(bits: address.isIPv4 ? prefixLength + 96 : prefixLength)
        base = IPAddress(high: address.high & mask.high, low: address.low & mask.low)
        self.prefixLength = prefixLength
    }

    /// Always false across families.
    package func contains(_ address: IPAddress) -> Bool {
        guard address.isIPv4 == base.isIPv4 else { return false }
        let mask = Self.mask(bits: base.isIPv4 ? prefixLength + 96 : prefixLength)
        return address.high & mask.high == base.high && address.low & mask.low == base.low
    }

    private static func mask(bits: Int) -> (high: UInt64, low: UInt64) {
        // `<<` on a fixed-width integer yields zero for 64 and more, which is what an empty half needs.
        (UInt64.max << max(0, 64 - bits), UInt64.max << (128 - max(64, bits)))
    }
}

extension [NetworkRange] {
    /// Whether the list is so wide that it binds nobody to a place: together as large as two allocations to a registry, two
    /// /8 or two /20. Ranges within each other count each.
    package var isAnywhere: Bool {
        func share(_ isIPv4: Bool) -> Double {
            reduce(0) {
                $0 + ($1.base.isIPv4 == isIPv4 ? Double(sign: .plus, exponent: -$1.prefixLength, significand: 1) : 0)
            }
        }
        return share(true) >= 1 / 128 || share(false) >= 1 / 524_288
    }
}

extension NetworkRange: CustomStringConvertible {
    /// Reads `address/length`, or an address alone as the range of that one address. Refuses host bits.
    package init(_ text: String) throws(NetworkRangeError) {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            guard let address = IPAddress(text) else { throw .notAnAddress }
            self.init(address)
            return
        }
        let head = String(text[..<slash])
        guard let address = IPAddress(head) else { throw .notAnAddress }
        let digits = text[text.index(after: slash)...]
        guard let written = Int(digits), written >= 0, String(written) == digits else { throw .invalidPrefixLength }
        // `::ffff:10.0.0.0/104` counts from the front of the 16 bytes, `10.0.0.0/8` from the front of the four.
        let isMapped = address.isIPv4 && head.utf8.contains(UInt8(ascii: ":"))
        let length = isMapped ? written - 96 : written
        guard let range = NetworkRange(around: address, prefixLength: length) else { throw .invalidPrefixLength }
        guard range.base == address else { throw .hostBitsSet(meant: range) }
        self = range
    }

    /// Canonical CIDR notation, with the length also for a single address.
    package var description: String { "\(base)/\(prefixLength)" }
}

extension NetworkRange: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(NetworkRangeError) {
            try self.init(text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a network range: \(error)")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Sequence<NetworkRange> {
    /// Whether any range holds the address. An unknown address (nil) is in no list.
    package func contains(_ address: IPAddress?) -> Bool {
        guard let address else { return false }
        return contains { $0.contains(address) }
    }
}
