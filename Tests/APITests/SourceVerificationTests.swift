import Domain
import Postgres
import TestSupport
import Testing
import Transparency

@Suite struct `A captured request before the keys of a source` {
    /// The example that the Standard Webhooks libraries test themselves with.
    private func captured(body: String, signature: String = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") -> JSON {
        [
            "headers": [
                ["name": "webhook-id", "value": "msg_p5jXN8AQM9LWM0D4loKWxJek"],
                ["name": "webhook-timestamp", "value": "1614265330"],
                ["name": "webhook-signature", "value": .string("v1," + signature)],
            ],
            "body": .string(Base64.standard.encode(Array(body.utf8))), "received_at": "2021-02-25T15:02:10Z",
        ]
    }

    @Test func `the verdict tells which key fits, what was signed, and no key`() async throws {
        try await TestAPI.with { api in
            let source = try await api.post("/v1/sources", SourceTests.newSource(), as: api.admin)
            let id = try #require(source.body["id"]?.string)
            let body = #"{"test": 2432232314}"#
            let fits = try await api.post("/v1/sources/\(id)/verify", captured(body: body), as: api.admin)
            #expect(fits.status == 200)
            #expect(fits.body["verdict"] == "verified")
            #expect(fits.body["key"]?.string?.hasPrefix("key_") == true)
            #expect(fits.body[pointer: "/signed/text"]?.string == "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body)
            #expect(!fits.body.text.contains("MfKQ9r8"))
            #expect(try await api.entry(.sourceRead)[pointer: "/after/verified"] == true)

            let other = try await api.post("/v1/sources/\(id)/verify", captured(body: body + " "), as: api.admin)
            #expect(other.status == 200)
            #expect(other.body["verdict"] == "refused")
            #expect(other.body["reason"] == "signature-wrong")
            #expect(other.body["key"] == .null)
            #expect(try await api.fixture.number("SELECT count(*) FROM deliveries") == 0)

            let read = try await api.post("/v1/sources/\(id)/verify", captured(body: body), as: api.auditor)
            #expect(read.status == 403)
        }
    }

    @Test func `a body may be as large as one that a hook takes, and no larger`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let path = "/v1/sources/\(source.id)/verify"
            let largest = String(repeating: " ", count: HookRequest.mostBodyBytes)
            let judged = try await api.post(path, captured(body: largest), as: api.admin)
            #expect(judged.status == 200 && judged.body["reason"] == "signature-wrong")
            #expect(judged.body[pointer: "/signed/length"]?.int64 ?? 0 > Int64(HookRequest.mostBodyBytes))
            let larger = try await api.post(path, captured(body: largest + " "), as: api.admin)
            #expect(larger.status == 422 && larger.places == ["/body"])
            let huge = try await api.post(path, captured(body: largest + largest), as: api.admin)
            #expect(huge.status == 413)
            // Nothing else takes so much.
            let other = try await api.post("/v1/sources", captured(body: largest), as: api.admin)
            #expect(other.status == 413)
        }
    }
}
