import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `What an admin says of a source` {
    @Test func `a paused source's deliveries are accepted and kept`() async throws {
        try await TestHooks.with { hooks in
            _ = try await hooks.fixture.owner.query("UPDATE sources SET status = 'paused'")
            #expect(try await hooks.post(try hooks.signed()).status == 202)
            #expect(try await hooks.deliveries == 1)
        }
    }

    @Test func `a disabled source is 410 for whoever knows its path, whatever they send`() async throws {
        try await TestHooks.with { hooks in
            _ = try await hooks.fixture.owner.query("UPDATE sources SET status = 'disabled'")
            let answer = try await hooks.post(try hooks.signed())
            #expect(answer.status == 410)
            #expect(answer.body["type"] == "/problems/source-disabled")
            #expect(try await hooks.post(try hooks.signed(secret: otherSecret)).status == 410)
            #expect(try await hooks.get([:]).status == 410)
            #expect(try await hooks.deliveries == 0)
            await hooks.tallies.flush()
            #expect(try await hooks.fixture.text("SELECT DISTINCT reason FROM refusal_tallies") == "disabled")
        }
    }

    @Test func `a sender outside the allow-list is 403, and inside it is judged as ever`() async throws {
        try await TestHooks.with { hooks in
            _ = try await hooks.fixture.owner.query("UPDATE sources SET ip_allow_list = '{192.0.2.0/24}'")
            let outside = try await hooks.post(TestHooks.body, try hooks.signed(), from: "198.51.100.1")
            #expect(outside.status == 403)
            #expect(outside.body["type"] == "/problems/address-not-allowed")
            #expect(try await hooks.post(TestHooks.body, try hooks.signed(), from: "2001:db8::1").status == 403)
            #expect(try await hooks.deliveries == 0)
            #expect(try await hooks.post(TestHooks.body, try hooks.signed(), from: "192.0.2.200").status == 202)
        }
    }

    @Test func `success and refusal have the profile's form`() async throws {
        try await TestHooks.with(profile: "bearing", secret: "a token of theirs") { hooks in
            let answer = try await hooks.post(try hooks.signed())
            #expect(answer.status == 204)
            #expect(answer.body.isNull)
            let text = try await hooks.fixture.text("SELECT headers::text FROM deliveries")
            #expect(text?.contains("a token of theirs") == false)
            #expect(text?.contains("hmac-sha256:") == true)
            #expect(try await hooks.fixture.number("SELECT count(*) FROM deliveries WHERE body_proved") == 0)
        }
    }

    @Test func `a security event is answered as RFC 8935 wants`() async throws {
        let secret = Base64.standard.encode([UInt8](repeating: 7, count: 32))
        try await TestHooks.with(profile: "set", secret: secret) { hooks in
            let profile = try #require(hooks.profiles["set"])
            let token = try SignatureMaker.sign(
                profile: profile,
                id: "token-1",
                at: hooks.fixture.clock.now(),
                request: HookRequest(url: "", headers: [], body: Array(#"{"events": {"urn:x": {}}, "txn": "1"}"#.utf8)),
                keys: [try SigningKey(secret: secret, forms: profile.secretForms)]
            )
            let fields: HTTPFields = [.contentType: "application/secevent+jwt"]
            let kept = try await hooks.post(token.body, fields)
            #expect(kept.status == 202 && kept.body.isNull)
            #expect(try await hooks.deliveries == 1)
            let refused = try await hooks.post(token.body.dropLast(4) + Array("AAAA".utf8), fields)
            #expect(refused.status == 400)
            #expect(refused.body["err"] == "authentication_failed" && refused.body["description"] != nil)
            #expect(refused.fields[.contentType] == "application/json")
            #expect(try await hooks.post(TestHooks.body, [.contentType: "application/json"]).status == 415)
        }
    }

    @Test func `each key says when it was last used, to the minute and not for each delivery`() async throws {
        try await TestHooks.with { hooks in
            let began = hooks.fixture.clock.now()
            #expect(try await lastUse(hooks) == nil)
            _ = try await hooks.post(try hooks.signed())
            #expect(try await lastUse(hooks) == began)
            hooks.fixture.clock.advance(by: .seconds(59))
            _ = try await hooks.post(try hooks.signed(id: "msg_2"))
            #expect(try await lastUse(hooks) == began)
            hooks.fixture.clock.advance(by: .seconds(1))
            _ = try await hooks.post(try hooks.signed(id: "msg_3"))
            #expect(try await lastUse(hooks) == began + .seconds(60))
            // Who is changing the key is not waited for, nor made to wait.
            hooks.fixture.clock.advance(by: .seconds(60))
            let answer = try await hooks.fixture.owner.transaction { transaction in
                _ = try await transaction.query("SELECT id FROM source_keys FOR UPDATE")
                return try await hooks.post(try hooks.signed(id: "msg_4"))
            }
            #expect(answer.status == 202)
            #expect(try await lastUse(hooks) == began + .seconds(60))
        }
    }

    private func lastUse(_ hooks: TestHooks) async throws -> Timestamp? {
        try await hooks.fixture.owner.query("SELECT last_used_at FROM source_keys").first?.decode("last_used_at")
    }
}

/// A key that is none of the source's.
let otherSecret = "whsec_" + Base64.standard.encode([UInt8](repeating: 9, count: 24))
