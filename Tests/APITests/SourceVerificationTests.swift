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
}
