import Foundation
import TestSupport
import Testing
import Transparency

@Suite struct `Signed deliveries` {
    /// The example that the Standard Webhooks libraries test themselves with.
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func withKey(_ body: (_ path: String) async throws -> Void) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("rollcall-key-\(UUID())")
        try Data((Self.secret + "\n").utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await body(file.path)
    }

    @Test func `sign makes the published signature`() async throws {
        try await withKey { key in
            let run = try await Program.run(
                [
                    "sign", "--key-file", key, "--body", "-", "--id", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                    "--at", "2021-02-25T15:02:10Z",
                ],
                stdin: #"{"test": 2432232314}"#
            )
            #expect(
                run.stdout == """
                    webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek
                    webhook-timestamp: 1614265330
                    webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=

                    """
            )
            #expect(run.status == 0)
        }
    }

    @Test func `a key in an argument, no key and an unknown profile are misuse`() async throws {
        #expect(try await Program.run(["sign", "--key", Self.secret, "--body", "-"]).status == 2)
        #expect(try await Program.run(["sign", "--body", "-"]).status == 2)
        try await withKey { key in
            let run = try await Program.run(["sign", "--key-file", key, "--body", "-", "--profile", "frobnicate"])
            #expect(run.status == 2)
            #expect(run.stderr.contains("standard-webhooks"))
        }
    }

    @Test func `trigger posts the canonical event, signed over the bytes that travel`() async throws {
        let answers = ["POST /hooks/src_1": LocalPeer.json("202 Accepted", #"{"delivery": "dlv_1"}"#)]
        try await withKey { key in
            try await LocalPeer.with(.answers(answers)) { port, received in
                let run = try await Program.run(
                    [
                        "trigger", "joiner", "--source", "http://127.0.0.1:\(port)/hooks/src_1", "--key-file", key,
                        "--person", "-", "--user-name", "ada@acme.example", "--department", "Finance", "--id", "msg_1",
                        "--at", "2021-02-25T15:02:10Z", "-o", "jsonl",
                    ],
                    stdin: #"{"externalId": "e-1001", "userName": "nobody", "title": "Analyst"}"#
                )
                #expect(run.stdout == #"{"delivery":"dlv_1"}"# + "\n")
                #expect(run.status == 0)
                let parts = received.text.components(separatedBy: "\r\n\r\n")
                let body = try #require(parts.last)
                let event = try JSON.parse(Array(body.utf8))
                #expect(event["type"] == "joiner")
                #expect(event[pointer: "/person/externalId"] == "e-1001")
                #expect(event[pointer: "/person/userName"] == "ada@acme.example")
                #expect(event[pointer: "/person/title"] == "Analyst")
                let enterprise = event["person"]?["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
                #expect(enterprise?["department"] == "Finance")
                // The same bytes, signed anew, give the same signature.
                let again = try await Program.run(
                    ["sign", "--key-file", key, "--body", "-", "--id", "msg_1", "--at", "2021-02-25T15:02:10Z"],
                    stdin: body
                )
                let signature = try #require(again.stdout.split(separator: "\n").last)
                #expect(received.text.contains(signature))
            }
        }
    }

    @Test func `trigger posts a sample as its own sender would, about the person of the options`() async throws {
        let answers = ["POST /hooks/src_1": LocalPeer.json("200 OK", #"{"delivery": "dlv_1"}"#)]
        try await withKey { key in
            try await LocalPeer.with(.answers(answers)) { port, received in
                let target = ["--source", "http://127.0.0.1:\(port)/hooks/src_1", "--key-file", key]
                let person = ["--external-id", "e-7", "--email", "grace@acme.example"]
                let run = try await Program.run(["trigger", "--sample", "bamboohr/joiner"] + person + target)
                #expect(run.status == 0, "\(run.stderr)")
                let parts = received.text.components(separatedBy: "\r\n\r\n")
                #expect(parts[0].lowercased().contains("x-bamboohr-signature: "))
                let body = try JSON.parse(Array(try #require(parts.last).utf8))
                #expect(body[pointer: "/employees/0/id"] == "e-7")
                #expect(body[pointer: "/employees/0/fields/Work Email"] == "grace@acme.example")
                let unknown = try await Program.run(["trigger", "--sample", "bamboohr/nothing"] + target)
                #expect(unknown.status == 2 && unknown.stderr.contains("merge/leaver"))
                let both = try await Program.run(["trigger", "mover", "--sample", "bamboohr/mover"] + target)
                #expect(both.status == 2)
            }
        }
    }

    @Test func `trigger refuses an event about nobody, and tells a refusal by its status`() async throws {
        try await withKey { key in
            let answers = ["POST /hooks/src_1": LocalPeer.json("401 Unauthorized", #"{"title": "No good"}"#)]
            try await LocalPeer.with(.answers(answers)) { port, received in
                let target = ["--source", "http://127.0.0.1:\(port)/hooks/src_1", "--key-file", key]
                let nobody = try await Program.run(["trigger", "leaver"] + target)
                #expect(nobody.status == 2)
                #expect(received.text.isEmpty)
                let refused = try await Program.run(["trigger", "ping"] + target)
                #expect(refused.status == 4)
                let unknown = try await Program.run(["trigger", "promotion"] + target)
                #expect(unknown.status == 2)
            }
        }
    }
}
