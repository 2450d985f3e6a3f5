import Foundation
import HTTPTypes
import Postgres
import Synchronization
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// Bodies, headers and clients as nobody would send them who means well, through `POST /hooks/{source}`.
    @Suite struct HostileBodies {
        /// Bytes that the door takes.
        private static let limit = 1024 * 1024

        @Test func `hostile input gets a clear answer, costs little, and harms nobody else`() async throws {
            try await Development.with("hostile") { development in
                let bystander = Bystander(development)
                let memory = MemoryWatch(development.process)
                try await withThrowingTaskGroup { group in
                    group.addTask { try await bystander.run() }
                    group.addTask { await memory.run() }
                    try await signed(development)
                    try await sizes(development)
                    try await encodings(development)
                    try await headers(development)
                    try await slow(development)
                    try await flood(development)
                    bystander.stop()
                    memory.stop()
                    try await group.waitForAll()
                }
                #expect(try await development.settle())
                #expect(bystander.served > 50 && bystander.slowest < .seconds(60), "others were served meanwhile")
                #expect(memory.most < 500 * 1024, "\(memory.most) KiB resident at most")
                print(
                    "HostileBodies: \(memory.first) to \(memory.most) KiB resident, \(bystander.served) requests of "
                        + "others, the slowest \(bystander.slowest)"
                )
            }
        }

        // MARK: Signed bodies

        /// A body whose proof holds is a delivery whatever it says; what does not map is shown with its reason.
        private func signed(_ development: Development) async throws {
            let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
            let deepObject = String(repeating: "{\"a\":", count: 100_000) + "1" + String(repeating: "}", count: 100_000)
            let joiner = "{\"type\":\"joiner\",\"person\":{\"externalId\":\"h-1\",\"userName\":"
            let cases: [(String, [UInt8])] = [
                ("empty", []), ("one byte", [0x7B]), ("a null byte", [0]), ("a number", Array("1".utf8)),
                ("not UTF-8", Array("{\"type\":\"".utf8) + [0xFF, 0xFE, 0xC0, 0x80] + Array("\"}".utf8)),
                ("deep arrays", Array(deep.utf8)), ("deep objects", Array(deepObject.utf8)),
                (
                    "duplicate keys",
                    Array("{\"type\":\"joiner\",\"type\":\"leaver\",\"person\":{\"externalId\":\"h\"}}".utf8)
                ),
                ("a huge number", Array("{\"type\":\(String(repeating: "9", count: 100_000))}".utf8)),
                ("a huge exponent", Array("{\"type\":\"joiner\",\"person\":{\"externalId\":1e999999999}}".utf8)),
                ("no such kind", Array("{\"type\":\"promoted\",\"person\":{\"externalId\":\"h\"}}".utf8)),
                ("no person", Array("{\"type\":\"joiner\"}".utf8)),
                ("a lone surrogate", Array((joiner + "\"\\ud800\"}}").utf8)),
                (
                    "more events than a delivery has",
                    Array("{\"events\":[\(String(repeating: "{},", count: 1000)){}]}".utf8)
                ),
                ("a byte order mark", [0xEF, 0xBB, 0xBF] + Sender.event("joiner", "h-2", userName: "h").bytes),
            ]
            for (name, body) in cases {
                let answer = try await development.sender().post(body)
                #expect(answer.status == 202, "\(name): \(answer.text)")
                let shown = try await mapped(answer, development)
                #expect(shown["status"]?.string == "unmapped", "\(name): \(shown)")
                let told = shown["reasons"]?.array?.first
                let pointer = told?["pointer"]?.string ?? "none"
                let reason = told?["reason"]?.string ?? ""
                #expect(!reason.isEmpty && reason.utf8.count < 500, "\(name): \(reason)")
                #expect(shown["event_count"]?.int64 == 0, "\(name)")
                let pointed = ["no such kind": "/type", "no person": "/person"]
                #expect(pointer == pointed[name, default: pointer], "\(name): \(pointer)")
            }
            let unmapped = try await development.number(
                "SELECT count(*) AS n FROM audit_entries WHERE action = 'delivery.unmapped'"
            )
            #expect(unmapped == cases.count, "each has its entry")
            #expect(try await development.number("SELECT count(*) AS n FROM people WHERE external_id LIKE 'h%'") == 0)
        }

        private func mapped(_ answer: Answer, _ development: Development) async throws -> JSON {
            let id = answer.json["delivery"]?.string ?? ""
            var shown: JSON = .null
            try await eventually {
                shown = try await development.admin().get("/v1/deliveries/\(id)").json
                return shown["status"]?.string != "accepted"
            }
            return shown
        }

        private func sizes(_ development: Development) async throws {
            let event = Sender.event("joiner", "size-1", userName: "size@acme.example").bytes
            let padding = [UInt8](repeating: 0x20, count: Self.limit - event.count)
            let whole = try await development.sender().post(event + padding)
            #expect(whole.status == 202, "exactly at the limit")
            #expect(try await mapped(whole, development)["status"]?.string == "mapped")
            let over = try await development.sender().post(event + padding + [0x20])
            #expect(over.status == 413 && over.problem == "payload-too-large", "one over: \(over.text)")
            let announced = try await Wire(port: development.port)
            await announced.send(head(development, "Content-Length: 99999999999"))
            #expect(await announced.answer() == 413, "refused before it is sent")
            announced.close()
            for length in ["-1", "1, 2", "0x10", "99999999999999999999999999", "+5"] {
                let wire = try await Wire(port: development.port)
                await wire.send(head(development, "Content-Length: \(length)") + "abcde")
                let status = await wire.answer()
                #expect(status == 400 || status == 413, "Content-Length: \(length): \(status ?? 0)")
                wire.close()
            }
            let both = try await Wire(port: development.port)
            await both.send(head(development, "Content-Length: 5\r\nTransfer-Encoding: chunked") + "0\r\n\r\n")
            #expect(await both.answer() == 400, "two framings")
            both.close()
        }

        private func encodings(_ development: Development) async throws {
            let event = Sender.event("joiner", "enc-1", userName: "enc@acme.example").bytes
            let gzip: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + [UInt8](repeating: 0x55, count: 200)
            let compressed = try await development.sender().post(gzip, headers: [.contentEncoding: "gzip"])
            if compressed.status == 202 {
                // Taken as the bytes that were signed, and never unpacked.
                #expect(try await mapped(compressed, development)["status"]?.string == "unmapped")
            } else {
                #expect(compressed.status == 415, "\(compressed.text)")
            }
            for type in ["text/plain", "application/x-www-form-urlencoded", "text/html", ""] {
                let answer = try await development.sender().post(event, headers: [.contentType: type])
                #expect(answer.status == 415, "\(type): \(answer.text)")
            }
            let utf8 = try await development.sender().post(
                event,
                headers: [.contentType: "application/json; charset=utf-8"]
            )
            #expect(utf8.status == 202)
            try await dribble(event, development)
        }

        /// A whole delivery, chunk by chunk of one byte.
        private func dribble(_ event: [UInt8], _ development: Development) async throws {
            let wire = try await Wire(port: development.port)
            let body = Sender.event("joiner", "enc-2", userName: "enc2@acme.example").bytes
            let lines = try development.sender().signature(of: body, id: Sender.newID()).map { "\($0.0): \($0.1)" }
            await wire.send(
                head(development, (["Transfer-Encoding: chunked"] + lines).joined(separator: "\r\n"))
            )
            for byte in body {
                await wire.send(Array("1\r\n".utf8) + [byte] + Array("\r\n".utf8))
                try await Task.sleep(for: .milliseconds(2))
            }
            await wire.send("0\r\n\r\n")
            #expect(await wire.answer() == 202, "\(wire.text)")
            wire.close()
            let endless = try await Wire(port: development.port)
            await endless.send(head(development, "Transfer-Encoding: chunked"))
            let chunk = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"
            var sent = 0
            while sent < 64, endless.status == nil, await endless.send(chunk) { sent += 1 }
            #expect(await endless.answer() == 413, "chunks without an end")
            endless.close()
        }

        // MARK: Headers

        private func headers(_ development: Development) async throws {
            // Line and fields together: 16 KiB, 100 fields.
            let base = "GET /livez HTTP/1.1\r\nHost: x\r\n"
            func status(_ text: String) async throws -> Int? {
                let wire = try await Wire(port: development.port)
                defer { wire.close() }
                await wire.send(text)
                return await wire.answer()
            }
            func field(_ length: Int) -> String { "X-Long: " + String(repeating: "a", count: length) + "\r\n\r\n" }
            #expect(try await status(base + field(15 * 1024)) == 200)
            #expect(try await status(base + field(17 * 1024)) == 431)
            func fields(_ count: Int) -> String { (0..<count).map { "X-\($0): 1\r\n" }.joined() + "\r\n" }
            #expect(try await status(base + fields(99)) == 200)
            #expect(try await status(base + fields(101)) == 431)
            #expect(
                try await status("GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\nHost: x\r\n\r\n") == 431
            )
            #expect(try await status("GET /livez HTTP/1.1\r\n\r\n") == 400, "no host")
            #expect(try await status("\u{16}\u{3}\u{1} not HTTP at all\r\n\r\n") == 400)
            let longID = "webhook-id: " + String(repeating: "i", count: 8000) + "\r\nContent-Length: 2"
            #expect(try await status(head(development, longID) + "{}") == 401)
        }

        // MARK: Time

        /// Clients that say nothing, or next to nothing: closed at the bounds, all at once.
        private func slow(_ development: Development) async throws {
            var idle: [Wire] = []
            for _ in 0..<100 { idle.append(try await Wire(port: development.port)) }
            let header = try await Wire(port: development.port)
            await header.send("POST /hooks/x HTTP/1.1\r\n")
            let body = try await Wire(port: development.port)
            await body.send(head(development, "Content-Length: 1000") + "{")
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for letter in 0..<12 where await header.send("X-\(letter): 1\r\n") {
                        try await Task.sleep(for: .seconds(1))
                    }
                }
                group.addTask {
                    for _ in 0..<40 where await body.send(" ") { try await Task.sleep(for: .seconds(1)) }
                }
                let closed = await idle[0].isClosed(within: .seconds(60))
                #expect(closed, "an idle connection is closed")
                let answered = await header.answer(within: .seconds(60))
                #expect(answered == 408 || header.isClosed)
                #expect(await body.answer(within: .seconds(90)) == 408, "a body that never ends")
                try await group.waitForAll()
            }
            for wire in idle { #expect(await wire.isClosed(within: .seconds(60))) }
            header.close()
            body.close()
        }

        /// Many bodies at the limit at once.
        private func flood(_ development: Development) async throws {
            let event = Sender.event("leaver", "flood-1").bytes
            let body = event + [UInt8](repeating: 0x20, count: Self.limit - event.count)
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<4 {
                            let answer = try await development.sender().post(body)
                            #expect(answer.status == 202)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        private func head(_ development: Development, _ fields: String) -> String {
            let path = URL(string: development.sender().url)?.path ?? ""
            return "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\(fields)\r\n\r\n"
        }
    }

    /// Somebody who uses the server as it is meant, all the while.
    final class Bystander: Sendable {
        private let development: Development
        private let state = Mutex((isStopped: false, served: 0, slowest: Duration.zero))

        init(_ development: Development) { self.development = development }

        var served: Int { state.withLock { $0.served } }
        var slowest: Duration { state.withLock { $0.slowest } }
        func stop() { state.withLock { $0.isStopped = true } }

        func run() async throws {
            while !state.withLock({ $0.isStopped }) {
                let began = ContinuousClock.now
                let event = Sender.event("leaver", "bystander")
                #expect(try await development.sender().post(event).status == 202)
                #expect(try await development.admin().get("/v1/whoami").status == 200)
                let took = ContinuousClock.now - began
                state.withLock {
                    $0.served += 2
                    $0.slowest = max($0.slowest, took)
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// The most that a process holds in memory at any moment.
    final class MemoryWatch: Sendable {
        private let process: Int32
        private let state = Mutex((isStopped: false, most: 0))
        /// KiB at the beginning.
        let first: Int

        init(_ process: Int32) {
            self.process = process
            first = Processes.memory("VmRSS", of: process)
        }

        var most: Int { state.withLock { $0.most } }
        func stop() { state.withLock { $0.isStopped = true } }

        func run() async {
            while !state.withLock({ $0.isStopped }) {
                let now = Processes.memory("VmHWM", of: process)
                state.withLock { $0.most = max($0.most, now) }
                do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
            }
        }
    }
}
