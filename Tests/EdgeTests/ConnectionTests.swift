import Edge
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Synchronization
import Testing

/// Hostile and slow clients, over real sockets.
@Suite struct ConnectionTests {
    private func serve(
        _ limits: EdgeLimits = EdgeLimits(),
        logger: Logger = quietLogger(),
        _ test: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let application = try edgeApplication(limits: limits, logger: logger) { router in
            router.get("/") { _, _ in "hello" }
            router.get("/slow") { _, _ -> String in
                try await Task.sleep(for: .milliseconds(200))
                return "late"
            }
            router.post("/echo") { request, _ -> String in
                "\(try await request.readBody(mostBytes: 1000).readableBytes) bytes"
            }
            router.post("/ignore") { _, _ in "ignored" }
            router.get("/endless") { _, _ in
                Response(
                    status: .ok,
                    body: ResponseBody { writer in
                        while true { try await writer.write(ByteBuffer(repeating: 120, count: 256 * 1024)) }
                    }
                )
            }
        }
        try await application.test(.live) { client in try await test(try #require(client.port)) }
    }

    private func exchange(_ port: Int, _ text: String) async throws -> String {
        let client = try await RawClient(port: port)
        await client.send(text)
        return try #require(await client.textAtClose(), "the connection has to end")
    }

    @Test func `a header at the limit is served and one byte more is refused`() async throws {
        var limits = EdgeLimits()
        limits.headerBytes = 1024
        try await serve(limits) { port in
            // What counts: the path, names and values.
            let fixed = "/Hosthx-paddingConnectionclose".utf8.count
            let fits = String(repeating: "a", count: 1024 - fixed)
            let request = { (padding: String) in
                "GET / HTTP/1.1\r\nHost: h\r\nx-padding: \(padding)\r\nConnection: close\r\n\r\n"
            }
            let answer1 = try await exchange(port, request(fits))
            #expect(answer1.statusLine == "HTTP/1.1 200 OK")
            let refused = try await exchange(port, request(fits + "a"))
            #expect(refused.statusLine == "HTTP/1.1 431 Request Header Fields Too Large")
            #expect(refused.contains("application/problem+json"))
        }
    }

    @Test func `a header without end is refused at the limit and not kept`() async throws {
        try await serve { port in
            let client = try await RawClient(port: port)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\nx: ")
            for _ in 0..<32 where !client.isClosed { await client.send(String(repeating: "a", count: 1024)) }
            #expect(try #require(await client.textAtClose()).statusLine.hasPrefix("HTTP/1.1 431"))
        }
    }

    @Test func `a hundred fields are served and one more is refused`() async throws {
        try await serve { port in
            let request = { (count: Int) in
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                    + (2..<count).map { "x-\($0): a\r\n" }.joined() + "\r\n"
            }
            let answer2 = try await exchange(port, request(100))
            #expect(answer2.statusLine == "HTTP/1.1 200 OK")
            let answer3 = try await exchange(port, request(101))
            #expect(answer3.statusLine.hasPrefix("HTTP/1.1 431"))
        }
    }

    @Test func `a header that trickles in is cut off`() async throws {
        var limits = EdgeLimits()
        limits.firstHeader = .milliseconds(300)
        try await serve(limits) { port in
            let client = try await RawClient(port: port)
            await client.send("GET / HTTP/1.1\r\nHost: h\r\n")
            let deadline = ContinuousClock.now + RawClient.patience
            while !client.isClosed, ContinuousClock.now < deadline {
                await client.send("x: y\r\n")
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(client.isClosed)
            // Not for its length: that would be answered.
            #expect(client.text.isEmpty)
        }
    }

    @Test(arguments: ["Content-Length: 900", "Transfer-Encoding: chunked"])
    func `a body that trickles in is answered 408 and cut off`(framing: String) async throws {
        var limits = EdgeLimits()
        limits.requestRead = .milliseconds(300)
        // The time for the answer, on a machine that is busy with other tests too.
        limits.linger = RawClient.patience
        try await serve(limits) { port in
            let client = try await RawClient(port: port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n")
            let deadline = ContinuousClock.now + RawClient.patience
            while !client.isClosed, ContinuousClock.now < deadline {
                await client.send(framing.hasPrefix("T") ? "1\r\na\r\n" : "a")
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(client.isClosed)
            #expect(client.text.statusLine == "HTTP/1.1 408 Request Timeout")
            #expect(client.text.contains("/problems/request-timeout"))
        }
    }

    @Test func `an idle connection is closed, before and after a request`() async throws {
        var before = EdgeLimits()
        before.firstHeader = .milliseconds(200)
        try await serve(before) { port in
            let answer4 = try await exchange(port, "")
            #expect(answer4.isEmpty)
        }
        // The request itself has its whole time, on a machine that is busy with other tests too.
        var after = EdgeLimits()
        after.keepAlive = .milliseconds(200)
        try await serve(after) { port in
            let answer5 = try await exchange(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(answer5.hasSuffix("hello"))
        }
    }

    @Test func `a body over the limit is refused by its declared length before it is sent`() async throws {
        try await serve { port in
            for length in ["1001", "99999999999", "9223372036854775807"] {
                let answer = try await exchange(
                    port,
                    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n"
                )
                #expect(answer.statusLine.hasPrefix("HTTP/1.1 413"), "\(length)")
                #expect(answer.contains("connection: close"))
            }
        }
    }

    @Test func `a chunked body over the limit is refused as soon as it is`() async throws {
        try await serve { port in
            let client = try await RawClient(port: port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<11 { await client.send("64\r\n" + String(repeating: "a", count: 100) + "\r\n") }
            let answer = try #require(await client.textAtClose())
            #expect(answer.statusLine.hasPrefix("HTTP/1.1 413"))
            #expect(answer.contains(#""most_bytes":1000"#))
        }
    }

    @Test func `no handler can be made to read past the bound of all doors`() async throws {
        var limits = EdgeLimits()
        limits.bodyBytes = 500
        try await serve(limits) { port in
            let client = try await RawClient(port: port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            await client.send("1F5\r\n" + String(repeating: "a", count: 501) + "\r\n")
            #expect(try #require(await client.textAtClose()).statusLine.hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test func `a body at the limit is served, by length and chunked`() async throws {
        try await serve { port in
            let body = String(repeating: "a", count: 1000)
            let head = "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            let answer6 = try await exchange(port, head + "Content-Length: 1000\r\n\r\n" + body)
            #expect(answer6.hasSuffix("1000 bytes"))
            let chunks = "Transfer-Encoding: chunked\r\n\r\n3E8\r\n\(body)\r\n0\r\n\r\n"
            let answer7 = try await exchange(port, head + chunks)
            #expect(answer7.hasSuffix("1000 bytes"))
        }
    }

    @Test(arguments: ["gzip", "deflate", "br", "x-unknown", "identity, gzip"])
    func `an encoded body is refused`(encoding: String) async throws {
        try await serve { port in
            let answer = try await exchange(
                port,
                "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: \(encoding)\r\nContent-Length: 2\r\n"
                    + "Connection: close\r\n\r\nab"
            )
            #expect(answer.statusLine == "HTTP/1.1 415 Unsupported Media Type")
        }
    }

    @Test(arguments: [
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;\nabc\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nbad name: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
        "GARBAGE\r\n\r\n",
    ])
    func `ambiguous framing and other protocols end the connection and reach no handler`(request: String) async throws {
        try await serve { port in
            let client = try await RawClient(port: port)
            await client.send(request)
            let answer = try #require(await client.textAtClose(), "the connection has to end")
            #expect(answer.isEmpty || answer.statusLine == "HTTP/1.1 400 Bad Request")
            #expect(!answer.contains("200 OK") && !answer.contains("hello") && !answer.contains(" bytes"))
        }
    }

    @Test func `one connection more than allowed is closed, and others go on`() async throws {
        var limits = EdgeLimits()
        // One of them is the test framework's own.
        limits.connections = 3
        try await serve(limits) { port in
            let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
            let first = try await RawClient(port: port)
            let second = try await RawClient(port: port)
            for client in [first, second] {
                await client.send(request)
                #expect(await client.waitForText("hello"))
            }
            let third = try await RawClient(port: port)
            await third.send(request)
            #expect(await third.textAtClose() == "")
            await first.send(request)
            #expect(await first.wait { first.text.hasSuffix("hello") && first.text.count > 300 })
            await second.close()
            // The place is free once the server has seen the end.
            #expect(try await RawClient.becomesServed(at: port))
        }
    }

    @Test func `pipelined requests are answered in order`() async throws {
        try await serve { port in
            let answer = try await exchange(
                port,
                "GET /slow HTTP/1.1\r\nHost: h\r\n\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                    + "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            let places = ["late", "3 bytes", "hello"].map { answer.range(of: $0)?.lowerBound }
            #expect(places.allSatisfy { $0 != nil })
            #expect(places.compactMap(\.self) == places.compactMap(\.self).sorted())
        }
    }

    @Test func `a body that a handler leaves alone ends the connection and is not read as a request`() async throws {
        try await serve { port in
            let answer = try await exchange(
                port,
                "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"
            )
            #expect(answer.contains("ignored") && answer.contains("connection: close"))
            #expect(!answer.contains("hello"))
        }
    }

    @Test func `a body that ends early is an error, never a shorter body`() async throws {
        try await serve { port in
            let client = try await RawClient(port: port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
            await client.finishSending()
            let answer = try #require(await client.textAtClose(), "the connection has to end")
            #expect(answer.statusLine == "HTTP/1.1 400 Bad Request")
            #expect(!answer.contains("3 bytes"))
        }
    }

    @Test func `a body that its sender breaks off leaves no line of a fault`() async throws {
        let lines = LogLines()
        let sink = lines.sink
        let logger = Logger(label: "test") { label in
            JSONLogHandler(label: label, level: .info, clock: StillClock(), sink: sink)
        }
        try await serve(logger: logger) { port in
            for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc"] {
                for isReset in [false, true] {
                    let client = try await RawClient(port: port)
                    await client.send("POST /echo HTTP/1.1\r\nHost: h\r\n" + framing)
                    if isReset { try await client.resetOnClose() }
                    await client.close()
                }
            }
            // Served after them.
            let answer = try await exchange(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(answer.statusLine == "HTTP/1.1 200 OK")
        }
        // The server has ended, and with it every request.
        let faults = lines.all.filter { $0.contains("\"error\"") || $0.contains("\"warning\"") }
        #expect(faults == [])
    }

    @Test func `an expectation is met, and refused where it cannot be`() async throws {
        try await serve { port in
            let client = try await RawClient(port: port)
            await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            #expect(await client.waitForText("HTTP/1.1 100 Continue\r\n\r\n"))
            await client.send("abc")
            #expect(await client.waitForText("3 bytes"))
            let long = "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
            let answer8 = try await exchange(port, "POST /echo HTTP/1.1\r\nHost: h\r\n" + long)
            #expect(answer8.statusLine.hasPrefix("HTTP/1.1 413"))
            let unknown = "Expect: a-miracle\r\nContent-Length: 3\r\n\r\nabc"
            let answer9 = try await exchange(port, "POST /echo HTTP/1.1\r\nHost: h\r\n" + unknown)
            #expect(
                answer9.statusLine
                    .hasPrefix("HTTP/1.1 417")
            )
        }
    }

    @Test func `an HTTP 1.0 request and an upgrade are answered and closed`() async throws {
        try await serve { port in
            let answer10 = try await exchange(port, "GET / HTTP/1.0\r\n\r\n")
            #expect(answer10.hasSuffix("hello"))
            let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
            let answer11 = try await exchange(port, upgrade)
            #expect(answer11.hasSuffix("hello"))
        }
    }

    @Test func `the last request of a connection says so`() async throws {
        var limits = EdgeLimits()
        limits.requestsPerConnection = 2
        try await serve(limits) { port in
            let client = try await RawClient(port: port)
            let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
            await client.send(request)
            #expect(await client.waitForText("hello"))
            #expect(!client.text.contains("connection: close"))
            await client.send(request)
            #expect(try #require(await client.textAtClose()).contains("connection: close"))
        }
    }

    @Test func `a peer that does not read its answer is closed`() async throws {
        var limits = EdgeLimits()
        limits.writeStall = .milliseconds(300)
        limits.connections = 2
        try await serve(limits) { port in
            let client = try await RawClient(port: port, reads: false)
            await client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
            // Its place among the connections is free again, which is how the end shows from outside.
            #expect(try await RawClient.becomesServed(at: port))
        }
    }
}
