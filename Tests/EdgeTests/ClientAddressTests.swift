import Domain
import Edge
import HTTPTypes
import Testing

@Suite struct ClientAddressTests {
    struct Row: Sendable, CustomStringConvertible {
        let peer: String?
        let values: [String]
        let client: String?
        var description: String { "\(peer ?? "-") \(values) → \(client ?? "unknown")" }

        init(_ peer: String?, _ values: [String], _ client: String?) {
            self.peer = peer
            self.values = values
            self.client = client
        }
    }

    /// Trusted: 10.0.0.0/8, 192.0.2.7 and 2001:db8:f::/48.
    static let forwardedFor: [Row] = [
        Row("203.0.113.9", [], "203.0.113.9"),
        Row("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        Row("203.0.113.9", ["10.0.0.1"], "203.0.113.9"),
        Row("::ffff:203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        Row("10.0.0.1", [], "10.0.0.1"),
        Row("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        Row("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        Row("2001:db8:f::1", ["2001:db8::1"], "2001:db8::1"),
        Row("2001:db8:e::1", ["2001:db8::1"], "2001:db8:e::1"),
        Row("10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
        Row("10.0.0.1", ["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
        Row("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        Row("10.0.0.1", ["198.51.100.1, 192.0.2.7, 10.0.0.2"], "198.51.100.1"),
        Row("10.0.0.1", ["198.51.100.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        Row("10.0.0.1", ["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        Row("10.0.0.1", ["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
        Row("10.0.0.1", ["1.2.3.4", "198.51.100.1, 10.0.0.2", "10.0.0.3"], "198.51.100.1"),
        Row("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        Row("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        Row("10.0.0.1", ["::ffff:10.0.0.2"], "10.0.0.2"),
        Row("10.0.0.1", ["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
        Row("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        Row("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        Row("10.0.0.1", ["[2001:db8::1]:443"], "2001:db8::1"),
        Row("10.0.0.1", ["2001:DB8:0:0::1"], "2001:db8::1"),
        Row("10.0.0.1", ["\t198.51.100.1 "], "198.51.100.1"),
        Row("10.0.0.1", ["198.51.100.1:99999"], nil),
        Row("10.0.0.1", ["198.51.100.1:"], nil),
        Row("10.0.0.1", ["198.51.100.1:80:80"], nil),
        Row("10.0.0.1", ["198.51.100.1:http"], nil),
        Row("10.0.0.1", ["[2001:db8::1]443"], nil),
        Row("10.0.0.1", ["[2001:db8::1"], nil),
        Row("10.0.0.1", ["[198.51.100.1]"], nil),
        Row("10.0.0.1", ["fe80::1%eth0"], nil),
        Row("10.0.0.1", ["[fe80::1%25eth0]"], nil),
        Row("10.0.0.1", ["unknown"], nil),
        Row("10.0.0.1", ["198.51.100.1, unknown"], nil),
        Row("10.0.0.1", ["unknown, 198.51.100.1"], "198.51.100.1"),
        Row("10.0.0.1", ["_hidden"], nil),
        Row("10.0.0.1", ["unix:"], nil),
        Row("10.0.0.1", ["proxy.example"], nil),
        Row("10.0.0.1", [""], nil),
        Row("10.0.0.1", [","], nil),
        Row("10.0.0.1", ["198.51.100.1,"], nil),
        Row("10.0.0.1", [",198.51.100.1"], nil),
        Row("10.0.0.1", ["198.51.100.1,,10.0.0.2"], nil),
        Row("10.0.0.1", ["198.51.100.1", ""], nil),
        Row("10.0.0.1", ["198.51.100.1 10.0.0.2"], nil),
        Row("10.0.0.1", ["198.51.100.1;10.0.0.2"], nil),
        Row("10.0.0.1", ["0x7f.1"], nil),
        Row("10.0.0.1", ["198.051.100.1"], nil),
        Row("10.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        Row("10.0.0.1", ["\"198.51.100.1\""], nil),
        Row("10.0.0.1", ["198.51.100.1, \"10.0.0.2"], nil),
        Row("10.0.0.1", ["for=198.51.100.1"], nil),
        Row("10.0.0.1", [Array(repeating: "10.0.0.2", count: 32).joined(separator: ", ")], "10.0.0.2"),
        Row("10.0.0.1", ["198.51.100.1, " + Array(repeating: "10.0.0.2", count: 32).joined(separator: ", ")], nil),
        Row(nil, [], nil),
        Row(nil, ["198.51.100.1"], nil),
    ]

    private func trust(_ header: ProxyTrust.Header) throws -> ProxyTrust {
        ProxyTrust(
            proxies: [
                try NetworkRange("10.0.0.0/8"), try NetworkRange("192.0.2.7"), try NetworkRange("2001:db8:f::/48"),
            ],
            header: header
        )
    }

    private func client(_ row: Row, _ trust: ProxyTrust, in name: String) throws -> IPAddress? {
        var fields = HTTPFields()
        let name = try #require(HTTPField.Name(name))
        for value in row.values { fields.append(HTTPField(name: name, value: value)) }
        return trust.client(peer: row.peer.flatMap { IPAddress($0) }, fields: fields)
    }

    @Test(arguments: forwardedFor)
    func `X-Forwarded-For is walked from the right and only for trusted proxies`(row: Row) throws {
        #expect(try client(row, trust(.xForwardedFor), in: "X-Forwarded-For")?.description == row.client)
    }

    @Test(arguments: [
        Row("10.0.0.1", ["for=198.51.100.1"], "198.51.100.1"),
        Row("10.0.0.1", ["For=198.51.100.1;proto=https;by=10.0.0.1"], "198.51.100.1"),
        Row("10.0.0.1", ["proto=https; for=\"198.51.100.1:80\""], "198.51.100.1"),
        Row("10.0.0.1", ["for=\"[2001:db8::1]\""], "2001:db8::1"),
        Row("10.0.0.1", ["for=\"[2001:db8::1]:47011\""], "2001:db8::1"),
        Row("10.0.0.1", ["for=1.2.3.4, for=198.51.100.1, for=10.0.0.2"], "198.51.100.1"),
        Row("10.0.0.1", ["for=1.2.3.4", "for=198.51.100.1"], "198.51.100.1"),
        Row("203.0.113.9", ["for=198.51.100.1"], "203.0.113.9"),
        Row("10.0.0.1", ["for=2001:db8::1"], nil),
        Row("10.0.0.1", ["for=\"2001:db8::1\""], nil),
        Row("10.0.0.1", ["for=198.51.100.1:80"], nil),
        Row("10.0.0.1", ["for=unknown"], nil),
        Row("10.0.0.1", ["for=\"_gazonk\""], nil),
        Row("10.0.0.1", ["for=198.51.100.1;for=1.2.3.4"], nil),
        Row("10.0.0.1", ["proto=https"], nil),
        Row("10.0.0.1", ["for=\"198.51.100.1"], nil),
        Row("10.0.0.1", ["for=\"a\\\"b\""], nil),
        Row("10.0.0.1", ["for=\"1.2.3.4, for=198.51.100.1\""], nil),
        Row("10.0.0.1", ["198.51.100.1"], nil),
    ])
    func `Forwarded is read as RFC 7239 writes it`(row: Row) throws {
        #expect(try client(row, trust(.forwarded), in: "Forwarded")?.description == row.client)
    }

    @Test func `the header that was not chosen is not read`() throws {
        let row = Row("10.0.0.1", ["198.51.100.1"], nil)
        #expect(try client(row, trust(.forwarded), in: "X-Forwarded-For")?.description == "10.0.0.1")
    }

    @Test func `a peer over a unix socket is trusted only where it is given an address that is`() throws {
        var trust = try trust(.xForwardedFor)
        let row = Row(nil, ["198.51.100.1"], nil)
        #expect(try client(row, trust, in: "X-Forwarded-For") == nil)
        trust.socketPeer = IPAddress("127.0.0.1")
        #expect(try client(row, trust, in: "X-Forwarded-For")?.description == "127.0.0.1")
        trust.socketPeer = IPAddress("10.0.0.1")
        #expect(try client(row, trust, in: "X-Forwarded-For")?.description == "198.51.100.1")
    }
}
