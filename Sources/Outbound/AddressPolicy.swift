package import Domain

/// Who chose a URL, and therefore what it may reach.
package enum AddressPolicy: Hashable, Sendable {
    /// For URLs that come from a vendor, a user or a tenant: `https:` on the listed ports, to public addresses only.
    case publicOnly(ports: Set<Int> = [443])
    /// For a URL that the operator typed, such as the command line's base URL: any address and port, and `http:` as
    /// long as the address is not a public one.
    case operatorChosen

    /// Throws for the first address that this policy forbids: one bad address among good ones refuses the name,
    /// because the next look-up could give the bad one alone.
    func check(_ addresses: [IPAddress], of url: OutboundURL) throws(OutboundError) {
        for address in addresses {
            let kind = AddressKind(address)
            switch self {
            case .publicOnly:
                if kind != .public { throw .addressRefused(address, kind) }
            case .operatorChosen:
                if !url.isSecure, kind == .public { throw .clearTextRefused(host: url.host) }
            }
        }
    }
}

/// What an address is for, as the IANA special-purpose registries have it.
package enum AddressKind: String, Hashable, Sendable {
    case `public`
    case unspecified
    case loopback
    case privateUse = "private use"
    case shared = "shared address space"
    case linkLocal = "link-local"
    case multicast
    case benchmark
    case documentation
    case reserved
    /// An IPv4 address behind an IPv6 one: mapped, NAT64, 6to4, Teredo. What it leads to depends on the network.
    case translated
    /// Answers any guest of a cloud from what looks like public space.
    case platform

    /// Everything that is not known to be public is something else; there is no default of `public` for IPv6.
    package init(_ address: IPAddress) {
        if let special = Self.special.first(where: { $0.range.contains(address) }) {
            self = special.kind
        } else {
            self = address.isIPv4 || Self.globalUnicast.contains(address) ? .public : .reserved
        }
    }

    private static let globalUnicast = range(0x2000 << 48, 0, 3)

    /// RFC 6890 and its registries; the narrower range stands before the wider one.
    private static let special: [(range: NetworkRange, kind: AddressKind)] = [
        (v4(0, 0, 0, 0, 32), .unspecified),
        (v4(0, 0, 0, 0, 8), .reserved),
        (v4(10, 0, 0, 0, 8), .privateUse),
        (v4(100, 64, 0, 0, 10), .shared),
        (v4(127, 0, 0, 0, 8), .loopback),
        (v4(168, 63, 129, 16, 32), .platform),
        (v4(169, 254, 0, 0, 16), .linkLocal),
        (v4(172, 16, 0, 0, 12), .privateUse),
        (v4(192, 0, 0, 0, 24), .reserved),
        (v4(192, 0, 2, 0, 24), .documentation),
        (v4(192, 31, 196, 0, 24), .reserved),
        (v4(192, 52, 193, 0, 24), .reserved),
        (v4(192, 88, 99, 0, 24), .translated),
        (v4(192, 168, 0, 0, 16), .privateUse),
        (v4(192, 175, 48, 0, 24), .reserved),
        (v4(198, 18, 0, 0, 15), .benchmark),
        (v4(198, 51, 100, 0, 24), .documentation),
        (v4(203, 0, 113, 0, 24), .documentation),
        (v4(224, 0, 0, 0, 4), .multicast),
        (v4(240, 0, 0, 0, 4), .reserved),
        (range(0, 0, 128), .unspecified),
        (range(0, 1, 128), .loopback),
        // IPv4-compatible, and every other use of ::/8 that never came.
        (range(0x0064_FF9B << 32, 0, 96), .translated),
        (range(0x0064_FF9B_0001 << 16, 0, 48), .translated),
        (range(0x0100 << 48, 0, 64), .reserved),
        (range(0x2001 << 48, 0, 32), .translated),
        (range(0x2001_0002 << 32, 0, 48), .benchmark),
        (range(0x2001 << 48, 0, 23), .reserved),
        (range(0x2001_0DB8 << 32, 0, 32), .documentation),
        (range(0x2002 << 48, 0, 16), .translated),
        (range(0x2620_004F_8000 << 16, 0, 48), .reserved),
        (range(0x3FFF << 48, 0, 20), .documentation),
        (range(0x5F00 << 48, 0, 16), .reserved),
        (range(0xFC00 << 48, 0, 7), .privateUse),
        (range(0xFE80 << 48, 0, 10), .linkLocal),
        (range(0xFEC0 << 48, 0, 10), .privateUse),
        (range(0xFF00 << 48, 0, 8), .multicast),
    ]

    private static func v4(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32, _ length: Int) -> NetworkRange {
        range(around: IPAddress(ipv4: a << 24 | b << 16 | c << 8 | d), length)
    }

    private static func range(_ high: UInt64, _ low: UInt64, _ length: Int) -> NetworkRange {
        range(around: IPAddress(high: high, low: low), length)
    }

    private static func range(around address: IPAddress, _ length: Int) -> NetworkRange {
        // Only a length that does not fit the family is refused, and the tables above are read by a test.
        NetworkRange(around: address, prefixLength: length) ?? NetworkRange(address)
    }
}
