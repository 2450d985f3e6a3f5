import Domain
import HTTPTypes
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Outbound

@Suite struct `Outbound client` {
    private let client = OutboundClient(policy: .operatorChosen)

    /// Small sizes, and more time than a busy machine needs; who tests time says how little.
    private static func limits(seconds: Int64 = 30) -> OutboundLimits {
        OutboundLimits(
            total: .seconds(seconds),
            connect: .seconds(20),
            idle: .seconds(20),
            responseBodyBytes: 1_000,
            responseHeaderBytes: 1_000
        )
    }

    private func request(_ port: Int, host: String = "127.0.0.1", seconds: Int64 = 30) -> OutboundRequest {
        OutboundRequest(url: "http://\(host):\(port)/hook?a=b", limits: Self.limits(seconds: seconds))
    }

    @Test func `a request arrives as it was written and its answer comes back whole`() async throws {
        try await LocalPeer.with(.answer("HTTP/1.1 201 Created\r\nX-Id: 7\r\nContent-Length: 2\r\n\r\nok")) {
            port,
            received in
            var request = request(port)
            request.method = .post
            request.headers[.contentType] = "application/json"
            request.body = Array("{}".utf8)
            let response = try await client.send(request)
            #expect(response.status == .created)
            #expect(response.headers[try #require(HTTPField.Name("x-id"))] == "7")
            #expect(response.body == Array("ok".utf8))
            #expect(received.text.hasPrefix("POST /hook?a=b HTTP/1.1\r\n"))
            #expect(received.text.lowercased().contains("content-type: application/json\r\n"))
            #expect(received.text.hasSuffix("\r\n\r\n{}"))
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308]) func `a redirect is an answer and is not followed`(
        status: Int
    ) async throws {
        let answer = "HTTP/1.1 \(status) Go\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n"
        try await LocalPeer.with(.answer(answer)) { port, received in
            let response = try await client.send(request(port))
            #expect(response.status.code == status)
            #expect(received.connectionCount == 1)
        }
    }

    @Test func `a name is resolved once and the connection goes to the address that was checked`() async throws {
        try await LocalPeer.with(.answer("HTTP/1.1 204 No Content\r\n\r\n")) { port, received in
            let lookUps = Mutex(0)
            let loopback = try #require(IPAddress("127.0.0.1"))
            let elsewhere = try #require(IPAddress("127.0.0.9"))
            // A name server that flips its answer: whoever asked twice would go elsewhere.
            let resolver = NameResolver { _ in
                lookUps.withLock { count in
                    count += 1
                    return count == 1 ? [loopback] : [elsewhere]
                }
            }
            let pinned = OutboundClient(policy: .operatorChosen, resolver: resolver)
            let response = try await pinned.send(request(port, host: "pinned.example"))
            #expect(response.status == .noContent)
            #expect(lookUps.withLock { $0 } == 1)
            #expect(received.text.contains("pinned.example:\(port)\r\n"))
        }
    }

    @Test func `an address that takes no connection gives way to the next`() async throws {
        try await LocalPeer.with(.answer("HTTP/1.1 204 No Content\r\n\r\n")) { port, _ in
            let dead = try #require(IPAddress("127.0.0.77"))
            let live = try #require(IPAddress("127.0.0.1"))
            let client = OutboundClient(policy: .operatorChosen, resolver: NameResolver { _ in [dead, live] })
            let response = try await client.send(request(port, host: "two.example"))
            #expect(response.status == .noContent)
        }
    }

    @Test func `a peer that acted is not asked again at its next address`() async throws {
        try await LocalPeer.with(.hangUp) { port, received in
            let address = try #require(IPAddress("127.0.0.1"))
            let client = OutboundClient(policy: .operatorChosen, resolver: NameResolver { _ in [address, address] })
            await #expect(throws: OutboundError.connectionLost(host: "two.example")) {
                try await client.send(request(port, host: "two.example"))
            }
            #expect(received.connectionCount == 1)
        }
    }

    @Test func `the system's resolver knows localhost, and not what does not exist`() async throws {
        try await LocalPeer.with(.answer("HTTP/1.1 204 No Content\r\n\r\n")) { port, _ in
            let response = try await client.send(request(port, host: "localhost"))
            #expect(response.status == .noContent)
        }
        await #expect(throws: OutboundError.nameUnresolved(host: "rollcall.invalid")) {
            try await client.send(request(80, host: "rollcall.invalid"))
        }
    }

    @Test func `an endless body ends at the limit`() async throws {
        let script = LocalPeer.Script.endless("HTTP/1.1 200 OK\r\n\r\n", chunk: String(repeating: "x", count: 4_096))
        try await LocalPeer.with(script) { port, _ in
            await #expect(throws: OutboundError.responseTooLarge(host: "127.0.0.1", limitBytes: 1_000)) {
                try await client.send(request(port))
            }
        }
    }

    @Test func `endless headers end`() async throws {
        let script = LocalPeer.Script.endless(
            "HTTP/1.1 200 OK\r\n",
            chunk: "X-A: \(String(repeating: "x", count: 4_096))\r\n"
        )
        try await LocalPeer.with(script) { port, _ in
            await #expect(throws: OutboundError.self) { try await client.send(request(port)) }
        }
    }

    @Test func `headers past the limit are refused`() async throws {
        let many = (0..<20).map { "X-\($0): \(String(repeating: "x", count: 60))\r\n" }.joined()
        try await LocalPeer.with(.answer("HTTP/1.1 200 OK\r\n\(many)Content-Length: 0\r\n\r\n")) { port, _ in
            await #expect(throws: OutboundError.responseTooLarge(host: "127.0.0.1", limitBytes: 1_000)) {
                try await client.send(request(port))
            }
        }
    }

    @Test func `a body that dribbles is given up at the deadline`() async throws {
        let script = LocalPeer.Script.dribble("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", everyMilliseconds: 100)
        try await LocalPeer.with(script) { port, _ in
            let began = NIODeadline.now()
            await #expect(throws: OutboundError.timedOut(host: "127.0.0.1")) {
                try await client.send(request(port, seconds: 1))
            }
            // The peer would go on for a minute and a half.
            #expect(.now() - began < .seconds(30))
        }
    }

    @Test func `a silent peer is given up`() async throws {
        try await LocalPeer.with(.silence) { port, _ in
            await #expect(throws: OutboundError.timedOut(host: "127.0.0.1")) {
                try await client.send(request(port, seconds: 1))
            }
        }
    }

    @Test(arguments: ["garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
    func `what is not HTTP is refused`(answer: String) async throws {
        try await LocalPeer.with(.answer(answer)) { port, _ in
            await #expect(throws: OutboundError.responseMalformed(host: "127.0.0.1")) {
                try await client.send(request(port))
            }
        }
    }

    @Test func `a body shorter than promised is a lost connection`() async throws {
        try await LocalPeer.with(.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) { port, _ in
            await #expect(throws: OutboundError.self) { try await client.send(request(port)) }
        }
    }

    @Test func `a peer without TLS is not taken for one with it`() async throws {
        try await LocalPeer.with(.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) { port, received in
            let request = OutboundRequest(url: "https://127.0.0.1:\(port)/", limits: Self.limits())
            await #expect(throws: OutboundError.self) { try await client.send(request) }
            #expect(!received.text.contains("GET"))
        }
    }

    @Test func `nobody listening is a failed connection`() async throws {
        await #expect(throws: OutboundError.connectionFailed(host: "127.0.0.1")) { try await client.send(request(1)) }
    }

    @Test func `a caller that is cancelled gets its answer at once`() async throws {
        try await LocalPeer.with(.silence) { port, received in
            let request = request(port)
            let client = client
            let result = await withTaskGroup(of: OutboundError?.self) { group in
                group.addTask {
                    do throws(OutboundError) {
                        _ = try await client.send(request)
                        return nil
                    } catch { return error }
                }
                // Bounded, because a request that never arrives is what this test would find.
                for _ in 0..<1_000 where received.text.isEmpty { try? await Task.sleep(for: .milliseconds(10)) }
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(result == .cancelled)
        }
    }
}
