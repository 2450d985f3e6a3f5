import Domain
import Foundation
import Testing

@Suite struct IPAddressTests {
    /// Text as written, and as RFC 5952 prints it.
    static let accepted: [(String, String)] = [
        ("0.0.0.0", "0.0.0.0"),
        ("1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "127.0.0.1"),
        ("255.255.255.255", "255.255.255.255"),
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8::ABCD", "2001:db8::abcd"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("1:0:0:4:5:6:0:0", "1::4:5:6:0:0"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
        ("fe80::1", "fe80::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::FFFF:0a01:0203", "10.1.2.3"),
        ("0:0:0:0:0:ffff:10.1.2.3", "10.1.2.3"),
        ("::10.1.2.3", "::a01:203"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::fffe:1.2.3.4", "::fffe:102:304"),
    ]

    @Test(arguments: accepted)
    func `an address is read and printed canonically`(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(arguments: [
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", "256.1.1.1", "1.2.3.999",
        "01.2.3.4", "1.2.3.04", "00.0.0.0", "0x7f.0.0.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.4\n", "1.2.3.4:80", "+1.2.3.4", "-1.2.3.4", "1.2.3.-4", "1.2.3.4/32", "１.2.3.4", "1.2.3.4\0",
        ":", ":::", "::1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        ":1", "1:", ":1::", "::1:", "12345::", "g::", "::%lo", "fe80::1%eth0", "fe80::1%25eth0", "[::1]", "[::1]:80",
        "::1.2.3", "::1.2.3.4:5", "1.2.3.4::", "::256.1.1.1", "::01.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::ffff:1.2.3.4%1",
        "localhost", "unknown", "_hidden", "unix:", "::1 ", "0:0:0:0:0:0:0:0:", "1:2:3:4:5:6:7:8:9:a:b:c",
        "0000:0000:0000:0000:0000:0000:255.255.255.2555",
    ])
    func `what is not exactly an address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `an IPv4 address and its mapped form are one value`() throws {
        let plain = try #require(IPAddress("192.0.2.7"))
        let mapped = try #require(IPAddress("::ffff:c000:207"))
        #expect(plain == mapped)
        #expect(Set([plain, mapped]).count == 1)
        #expect(plain.bytes == [192, 0, 2, 7])
        #expect(plain.ipv4 == 0xC000_0207)
        #expect(IPAddress(bytes: Array(repeating: 0, count: 10) + [255, 255, 192, 0, 2, 7]) == plain)
    }

    @Test(arguments: [0, 3, 5, 15, 17])
    func `a wrong number of bytes is refused`(count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test func `random addresses survive printing and reading`() throws {
        var random = SplitMix(state: 5)
        for _ in 0..<2_000 {
            // Masks leave runs of zero groups, where the printing rules are.
            let address = IPAddress(high: random.next() & random.mask(), low: random.next() & random.mask())
            #expect(try #require(IPAddress(address.description)) == address)
        }
    }

    @Test func `addresses travel as JSON strings`() throws {
        let encoded = try JSONEncoder().encode([try #require(IPAddress("2001:db8::1"))])
        #expect(String(decoding: encoded, as: UTF8.self) == #"["2001:db8::1"]"#)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([IPAddress].self, from: Data(#"["::1%0"]"#.utf8))
        }
    }
}

@Suite struct NetworkRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"),
        ("2001:DB8::/32", "2001:db8::/32"), ("::1", "::1/128"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"), ("::ffff:0:0/96", "0.0.0.0/0"), ("192.0.2.128/25", "192.0.2.128/25"),
        ("8000::/1", "8000::/1"), ("2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"),
        ("255.255.255.255/32", "255.255.255.255/32"),
    ])
    func `a range is read and printed canonically`(text: String, canonical: String) throws {
        #expect(try NetworkRange(text).description == canonical)
        #expect(try NetworkRange(canonical) == NetworkRange(text))
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0/8", "10.0.0.0 /8", "fe80::%1/10", "example.org/8", "a/b/c", "10.0.0.0-10.0.0.9",
    ])
    func `a range without an address is refused`(text: String) {
        #expect(throws: NetworkRangeError.notAnAddress) { try NetworkRange(text) }
    }

    @Test(arguments: [
        "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "::/129",
        "10.0.0.0/255.0.0.0", "::ffff:10.0.0.0/8", "::ffff:0:0/95", "10.0.0.0/99999999999999999999", "10.0.0.0/0x8",
        "10.0.0.0/١",
    ])
    func `a range with an impossible length is refused`(text: String) {
        #expect(throws: NetworkRangeError.invalidPrefixLength) { try NetworkRange(text) }
    }

    @Test(arguments: [
        ("10.0.0.5/8", "10.0.0.0/8"), ("10.0.0.1/31", "10.0.0.0/31"), ("1.2.3.4/0", "0.0.0.0/0"),
        ("2001:db8::1/64", "2001:db8::/64"), ("::1/0", "::/0"),
    ])
    func `bits beyond the prefix are refused with what was probably meant`(text: String, meant: String) throws {
        let range = try NetworkRange(meant)
        #expect(throws: NetworkRangeError.hostBitsSet(meant: range)) { try NetworkRange(text) }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "::ffff:10.9.8.7", true),
        ("::ffff:10.0.0.0/104", "10.9.8.7", true), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
        ("0.0.0.0/0", "::", false), ("::/0", "2001:db8::1", true), ("::/0", "10.0.0.1", false),
        ("::/0", "::ffff:10.0.0.1", false),
        ("::/64", "10.0.0.1", false), ("2001:db8::/32", "2001:db8:ffff::", true),
        ("2001:db8::/32", "2001:db9::", false),
        ("2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true), ("2001:db8::/64", "2001:db8:0:1::", false),
        ("2001:db8:0:0:8000::/65", "2001:db8::8000:0:0:1", true),
        ("2001:db8:0:0:8000::/65", "2001:db8::7fff:0:0:1", false),
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.6", false), ("::1", "::1", true),
        ("::1", "127.0.0.1", false),
        ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.128", true),
        ("::10.0.0.0/104", "10.0.0.1", false),
    ])
    func `a range holds exactly the addresses under its prefix`(range: String, address: String, isHeld: Bool) throws {
        #expect(try NetworkRange(range).contains(try #require(IPAddress(address))) == isHeld)
    }

    @Test func `an unknown address is in no list`() throws {
        let everything = [try NetworkRange("0.0.0.0/0"), try NetworkRange("::/0")]
        #expect(everything.contains(IPAddress("192.0.2.1")))
        #expect(everything.contains(IPAddress("::1")))
        #expect(!everything.contains(Optional<IPAddress>.none))
        #expect(![NetworkRange]().contains(IPAddress("192.0.2.1")))
    }

    @Test func `a prefix of every length holds its last address and not the next`() throws {
        let address = try #require(IPAddress("2001:db8:5555:5555:5555:5555:5555:5555"))
        for length in 1...128 {
            let range = try #require(NetworkRange(around: address, prefixLength: length))
            let bit = 128 - length
            let flipped =
                bit < 64
                ? IPAddress(high: address.high, low: address.low ^ (1 << UInt64(bit)))
                : IPAddress(high: address.high ^ (1 << UInt64(bit - 64)), low: address.low)
            #expect(range.contains(address))
            #expect(!range.contains(flipped))
        }
        #expect(NetworkRange(around: address, prefixLength: 129) == nil)
    }
}

/// A fixed sequence, so that a failure repeats.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func mask() -> UInt64 {
        (0..<4).reduce(0) { mask, _ in mask << 16 | (next() % 3 == 0 ? 0xFFFF : 0) }
    }
}
