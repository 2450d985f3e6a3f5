import Domain
import Testing

@testable import Outbound

/// What stands before the colon may never be reached by a URL that somebody else chose.
@Suite struct `Address policy` {
    static let forbidden: [(AddressKind, [String])] = [
        (.unspecified, ["0.0.0.0", "::"]),
        (.loopback, ["127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.255", "::1", "::ffff:127.0.0.1"]),
        (
            .privateUse,
            [
                "10.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.20.10.1", "172.31.255.255", "192.168.0.1",
                "192.168.255.255", "fc00::1", "fd00::1", "fd00:ec2::254", "fdff:ffff::1", "fec0::1", "feff::1",
                "::ffff:10.0.0.1", "::ffff:a00:1", "::ffff:192.168.0.1",
            ]
        ),
        (.shared, ["100.64.0.0", "100.64.0.1", "100.100.100.200", "100.127.255.255"]),
        (
            .linkLocal,
            ["169.254.0.1", "169.254.169.254", "169.254.170.2", "fe80::1", "febf::1", "::ffff:169.254.169.254"]
        ),
        (.multicast, ["224.0.0.1", "224.0.0.251", "239.255.255.250", "ff00::1", "ff02::1", "ff0e::1"]),
        (.benchmark, ["198.18.0.0", "198.18.0.1", "198.19.255.255", "2001:2::1"]),
        (
            .documentation,
            ["192.0.2.1", "198.51.100.7", "203.0.113.255", "2001:db8::1", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1"]
        ),
        (
            .reserved,
            [
                "0.0.0.1", "0.255.255.255", "192.0.0.1", "192.0.0.170", "192.31.196.1", "192.52.193.1", "192.175.48.1",
                "240.0.0.1", "250.1.2.3", "255.255.255.255", "100::1", "2001:1::1", "2001:10::1", "2001:20::1",
                "2620:4f:8000::1", "5f00::1", "::127.0.0.1", "::8.8.8.8", "::2", "1::1", "4000::1", "8000::1",
                "e000::1",
                "fe00::1", "200::1",
            ]
        ),
        (
            .translated,
            [
                "192.88.99.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1",
                "64:ff9b:1:fffe::a00:1", "2002::1", "2002:7f00:1::1", "2002:a00:1::", "2002:c0a8:1::1",
                "2002:808:808::1", "2001::1", "2001:0:7f00:1::", "2001:0:5ef5:79fd:0:59c:f55e:3c01",
            ]
        ),
        (.platform, ["168.63.129.16", "::ffff:168.63.129.16"]),
    ]

    static let allowed = [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255",
        "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17", "2606:4700::1111",
        "2a00:1450:4001::1", "2001:4860:4860::8888", "2003::1", "2620:4f:8001::1", "3ffe::1", "2001:200::1",
    ]

    @Test(arguments: forbidden) func `a special address is known for what it is`(
        kind: AddressKind,
        addresses: [String]
    ) throws {
        for text in addresses {
            let address = try #require(IPAddress(text), "\(text)")
            #expect(AddressKind(address) == kind, "\(text)")
        }
    }

    @Test(arguments: allowed) func `the neighbours of special ranges are public`(text: String) throws {
        #expect(AddressKind(try #require(IPAddress(text))) == .public)
    }

    @Test(arguments: forbidden.flatMap(\.1)) func `a name that leads to a special address is refused unsent`(
        text: String
    ) async throws {
        let address = try #require(IPAddress(text))
        let resolver = NameResolver { _ in [address] }
        let client = OutboundClient(policy: .publicOnly(), resolver: resolver)
        await #expect(throws: OutboundError.addressRefused(address, AddressKind(address))) {
            try await client.send(OutboundRequest(url: "https://hooks.vendor.example/"))
        }
    }

    @Test func `one bad address among good ones refuses the name`() async throws {
        let good = try #require(IPAddress("8.8.8.8"))
        let bad = try #require(IPAddress("10.0.0.1"))
        let client = OutboundClient(policy: .publicOnly(), resolver: NameResolver { _ in [good, good, bad] })
        await #expect(throws: OutboundError.addressRefused(bad, .privateUse)) {
            try await client.send(OutboundRequest(url: "https://hooks.vendor.example/"))
        }
    }

    @Test func `the operator may not send in the clear to a public address`() async throws {
        let address = try #require(IPAddress("8.8.8.8"))
        let client = OutboundClient(policy: .operatorChosen, resolver: NameResolver { _ in [address] })
        await #expect(throws: OutboundError.clearTextRefused(host: "rollcall.example")) {
            try await client.send(OutboundRequest(url: "http://rollcall.example/"))
        }
    }
}
