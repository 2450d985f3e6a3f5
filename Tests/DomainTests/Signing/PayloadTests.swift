import Domain
import Testing
import Transparency

/// What a body says, and what is asked before.
@Suite struct PayloadTests {
    private func payload(_ name: String, _ body: String, _ type: String = "application/json") throws -> Payload {
        let profile = try #require(try SigningProfile.embedded()[name])
        return try profile.payload(of: Array(body.utf8), headers: [("Content-Type", type)])
    }

    @Test func `JSON stays as it came, and text is a ping only where it may be`() throws {
        let odd = " {\"a\": 1.0}\n"
        #expect(try payload("github", odd) == .json(Array(odd.utf8)))
        #expect(try payload("github", "ping") == .json(Array("ping".utf8)))
        #expect(try payload("hibob", "ping", "text/plain") == .text)
        #expect(try payload("hibob", "") == .text)
        #expect(try payload("hibob", #"{"text":"Ping test"}"#) == .json(Array(#"{"text":"Ping test"}"#.utf8)))
    }

    @Test func `a form is an object of texts`() throws {
        let type = "application/x-www-form-urlencoded; charset=utf-8"
        #expect(
            try payload("rippling", "event_name=a%2Fb+c&id=%C3%A9&empty=", type)
                == .json(Array(#"{"event_name":"a/b c","id":"é","empty":""}"#.utf8))
        )
        for broken in ["a", "a=1&a=2", "a=%", "a=%4", "a=%GG", "a=%FF", "a=1&b"] {
            #expect(throws: PayloadError.formMalformed) { try payload("rippling", broken, type) }
        }
        let many = (0..<300).map { "n\($0)=1" }.joined(separator: "&")
        #expect(throws: PayloadError.formMalformed) { try payload("rippling", many, type) }
    }

    @Test func `a token's payload is its claims`() throws {
        let parts = [#"{"alg":"ES256","typ":"secevent+jwt"}"#, #"{"jti":"a"}"#].map {
            Base64.url.encode(Array($0.utf8))
        }
        let token = parts.joined(separator: ".") + ".AAAA"
        #expect(try payload("set", token, "application/secevent+jwt") == .json(Array(#"{"jti":"a"}"#.utf8)))
        #expect(throws: PayloadError.tokenMalformed) { try payload("set", "{}", "application/secevent+jwt") }
    }

    @Test func `media types are taken as the profile says`() throws {
        let profiles = try SigningProfile.embedded()
        let github = try #require(profiles["github"])
        #expect(github.accepts(contentType: "application/json"))
        #expect(github.accepts(contentType: "Application/JSON ; charset=utf-8"))
        #expect(!github.accepts(contentType: "application/scim+json"))
        #expect(!github.accepts(contentType: "text/html"))
        #expect(!github.accepts(contentType: ""))
        #expect(try #require(profiles["standard-webhooks"]).accepts(contentType: "application/scim+json"))
        #expect(try #require(profiles["set"]).accepts(contentType: "application/secevent+jwt"))
    }

    @Test func `handshakes are those of the senders`() throws {
        let profiles = try SigningProfile.embedded()
        let ping = Handshake.acceptPing(text: true, when: nil)
        #expect(
            try #require(profiles["okta"]).handshakes == [
                .echoGet(header: "x-okta-verification-challenge", member: "verification")
            ]
        )
        #expect(try #require(profiles["gusto"]).handshakes == [.captureToken(pointer: "/verification_token")])
        #expect(try #require(profiles["hibob"]).handshakes.first == ping)
        for name in ["greenhouse", "ashby", "hibob"] {
            let conditions = try #require(profiles[name]).handshakes.compactMap { handshake -> Handshake.Condition? in
                if case .acceptPing(false, let when) = handshake { when } else { nil }
            }
            let body: JSON = name == "hibob" ? ["text": "Ping test"] : ["action": "ping", "payload": [:]]
            #expect(conditions.contains { $0.holds(in: body) })
            #expect(!conditions.contains { $0.holds(in: ["action": "hire_candidate", "text": 1]) })
        }
        guard case .echoPost(let when, let challenge)? = try #require(profiles["slack"]).handshakes.first else {
            Issue.record("no challenge")
            return
        }
        #expect(when.holds(in: ["type": "url_verification"]))
        #expect(challenge == "/challenge")
    }

    @Test func `a kept credential is compared as it was kept`() async throws {
        let profile = try #require(try SigningProfile.embedded()["rippling"])
        let key = try SigningKey(secret: "s3cret", forms: profile.secretForms)
        func verdict(_ value: String, digest: (String) -> String) async -> Verdict {
            await SignatureVerifier.verify(
                profile: profile,
                request: HookRequest(url: "", headers: [("authorization", value)], body: []),
                receivedAt: Timestamp(seconds: 0),
                keys: [key],
                credential: { presented, expected in presented == digest(expected) }
            )
        }
        func reversed(_ text: String) -> String { String(text.reversed()) }
        guard case .accepted = await verdict(reversed("Bearer s3cret"), digest: reversed) else {
            Issue.record("refused")
            return
        }
        #expect(await verdict(reversed("Bearer other"), digest: reversed) == .refused(.credentialMalformed))
        #expect(await verdict("Bearer s3cret", digest: reversed) == .refused(.credentialWrong))
    }
}
