import Testing

@testable import Outbound

@Suite struct `Outbound URL` {
    static let refused: [(String, URLRefusal)] = [
        ("", .malformed), ("vendor.example", .malformed), ("//vendor.example/", .malformed),
        ("https://vendor.example/a b", .malformed), ("https://vendor.example/\u{e9}", .malformed),
        ("https://b\u{fc}cher.example/", .malformed), ("https://vendor.example\\@127.0.0.1/", .malformed),
        ("https://vendor.example/\r\nX: y", .malformed), ("https://vendor.example/%zz", .malformed),
        ("http://vendor.example/", .scheme), ("ftp://vendor.example/", .scheme), ("file:///etc/passwd", .scheme),
        ("gopher://vendor.example/", .scheme), ("https+unix://vendor.example/", .scheme),
        ("https://user@vendor.example/", .credentials), ("https://user:pass@vendor.example/", .credentials),
        ("https://8.8.8.8:443@127.0.0.1/", .credentials), ("https://vendor.example/#part", .fragment),
        ("https:///path", .host), ("https://vendor.example./", .host), ("https://127.0.0.1./", .host),
        ("https://0177.0.0.1/", .host), ("https://0x7f.0.0.1/", .host), ("https://0x7f000001/", .host),
        ("https://2130706433/", .host), ("https://017700000001/", .host), ("https://127.1/", .host),
        ("https://127.0.1/", .host), ("https://1/", .host), ("https://0/", .host), ("https://08.8.8.8/", .host),
        ("https://256.1.1.1/", .host), ("https://1.2.3.4.5/", .host), ("https://vendor.0x7f/", .host),
        ("https://[::ffff:127.0.0.1]/", .host), ("https://[::ffff:7f00:1]/", .host),
        ("https://[::ffff:8.8.8.8]/", .host),
        ("https://[fe80::1%25eth0]/", .host), ("https://[v1.x]/", .host),
        ("https://a..example/", .host), ("https://.example/", .host), ("https://-a.example/", .host),
        ("https://a-.example/", .host), ("https://vendor%2eexample/", .host), ("https://127.0.0.1%00.example/", .host),
        ("https://" + String(repeating: "a", count: 64) + ".example/", .host),
        ("https://" + String(repeating: "a.", count: 127) + "example/", .host),
        ("https://vendor.example:80/", .port), ("https://vendor.example:8443/", .port),
        ("https://vendor.example:0/", .port),
        ("https://vendor.example/" + String(repeating: "a", count: 8_192), .tooLong),
    ]

    @Test(arguments: refused) func `a URL that could be read in two ways is refused`(text: String, why: URLRefusal) {
        // How a parser names a defect may shift between malformed and host; that it refuses may not.
        let thrown = #expect(throws: URLRefusal.self) { try OutboundURL(text, policy: .publicOnly()) }
        #expect(thrown == why || thrown == .malformed || thrown == .host && why == .malformed, "\(text): \(why)")
    }

    static let accepted: [(String, String)] = [
        ("https://vendor.example", "https://vendor.example/"),
        ("https://VENDOR.example:443/Hooks", "https://vendor.example/Hooks"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://vendor.example/a%2Fb?q=%20x&y", "https://vendor.example/a%2Fb?q=%20x&y"),
        ("https://1password.example/", "https://1password.example/"),
    ]

    @Test(arguments: accepted) func `an accepted URL is written anew from its parts`(text: String, wire: String) throws
    {
        #expect(try OutboundURL(text, policy: .publicOnly()).text == wire)
    }

    @Test func `the operator may use plain http and any port`() throws {
        #expect(try OutboundURL("http://localhost:8080", policy: .operatorChosen).text == "http://localhost:8080/")
        #expect(throws: URLRefusal.port) { try OutboundURL("http://localhost:70000", policy: .operatorChosen) }
        #expect(throws: URLRefusal.host) { try OutboundURL("http://0x7f.1/", policy: .operatorChosen) }
    }
}
