import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct Handshakes {
    static let challenge = HTTPField.Name("x-challenge") ?? .via

    private func with(_ body: @Sendable (TestHooks) async throws -> Void) async throws {
        try await TestHooks.with(profile: "shaking", secret: "what they told us", body)
    }

    @Test func `a challenge in a GET comes back as JSON, within bounds`() async throws {
        try await with { hooks in
            let answer = try await hooks.get([Self.challenge: "<script>alert(1)</script>"])
            #expect(answer.status == 200)
            #expect(answer.body == ["verification": "<script>alert(1)</script>"])
            #expect(answer.fields[.contentType] == "application/json")
            #expect(answer.fields[.xContentTypeOptions] == "nosniff")
            let most = String(repeating: "a", count: 1024)
            #expect(try await hooks.get([Self.challenge: most]).status == 200)
            #expect(try await hooks.get([Self.challenge: most + "a"]).status == 400)
            #expect(try await hooks.get([Self.challenge: "two words"]).status == 400)
            var twice: HTTPFields = [Self.challenge: "one"]
            twice.append(HTTPField(name: Self.challenge, value: "one"))
            #expect(try await hooks.get(twice).status == 400)
            let none = try await hooks.get([:])
            #expect(none.status == 405)
            #expect(none.fields[.allow] == "OPTIONS, POST")
        }
    }

    @Test func `where the profile has no handshake, a GET is 405`() async throws {
        try await TestHooks.with { hooks in
            let answer = try await hooks.get([Self.challenge: "one"])
            #expect(answer.status == 405)
        }
    }

    @Test func `a proved challenge in a POST comes back, and is no delivery`() async throws {
        try await with { hooks in
            let body = Array(#"{"type": "url_verification", "challenge": "3eZbrw1a"}"#.utf8)
            let answer = try await hooks.post(body, try hooks.signed(body))
            #expect(answer.status == 200)
            #expect(answer.body == ["challenge": "3eZbrw1a"])
            #expect(try await hooks.deliveries == 0)
            var forged = try hooks.signed(body)
            forged[HTTPField.Name("x-signature") ?? .via] = String(repeating: "0", count: 64)
            #expect(try await hooks.post(body, forged).status == 401)
        }
    }

    @Test func `pings are taken, as text too, and say nothing`() async throws {
        try await with { hooks in
            var text = try hooks.signed(Array("ping".utf8))
            text[.contentType] = "text/plain"
            #expect(try await hooks.post(Array("ping".utf8), text).status == 200)
            let json = Array(#"{"text": "Ping test"}"#.utf8)
            #expect(try await hooks.post(json, try hooks.signed(json)).status == 200)
            #expect(try await hooks.deliveries == 2)
            try await settle(hooks)
            let statuses = try await hooks.fixture.owner.query("SELECT DISTINCT status FROM deliveries")
            #expect(try statuses.map { try $0.decode("status", as: String.self) } == ["mapped"])
            #expect(try await hooks.fixture.number("SELECT count(*) FROM events") == 0)

            // Without a proof they are answered too, and leave nothing.
            #expect(try await hooks.post(json, [.contentType: "application/json"]).status == 200)
            #expect(try await hooks.post(Array("ping".utf8), [.contentType: "text/plain"]).status == 200)
            #expect(try await hooks.deliveries == 2)
            // What may be an event is none, though no reader takes it.
            for other in [#"{"type": "joiner"}"#, #"{"type": "leaver", "a": 1, "a": 2}"#, " [{]"] {
                let answer = try await hooks.post(Array(other.utf8), [.contentType: "application/json"])
                #expect(answer.status == 401, "\(other)")
            }
        }
    }

    private func settle(_ hooks: TestHooks) async throws {
        let mapping = DeliveryMapping(mappings: try Mapping.embedded(), profiles: hooks.profiles)
        while try await hooks.fixture.store.performNext(mapping, most: 50) > 0 {}
    }

    // MARK: Tokens

    static func token(_ text: String) -> [UInt8] {
        JSON.object(["verification_token": .string(text), "webhook": "x"]).bytes
    }

    @Test func `a token waits for an admin, and counts only once they confirmed it`() async throws {
        try await with { hooks in
            let json: HTTPFields = [.contentType: "application/json"]
            #expect(try await hooks.post(Self.token("brought by a handshake"), json).status == 200)
            let pending = try await hooks.fixture.store.read(as: hooks.organization.id) {
                try await $0.pendingKeys(of: hooks.source.id)
            }
            #expect(pending.count == 1 && pending.first?.clientAddress == "192.0.2.7")
            let sealed = try await hooks.fixture.text("SELECT encode(sealed, 'escape') FROM pending_keys")
            #expect(sealed?.contains("brought by a handshake") == false)
            let signed = try hooks.signed(secret: "brought by a handshake")
            #expect(try await hooks.post(signed).status == 401)

            let admin = try await hooks.fixture.securityAdmin(in: hooks.organization)
            let id = try #require(pending.first?.id)
            let confirmation = PendingKeyConfirmation(
                of: id,
                from: hooks.source.id,
                by: hooks.fixture.attribution(of: admin)
            )
            let confirmed = try await hooks.fixture.store.perform(confirmation, in: hooks.organization.id)
            #expect(confirmed.secret.reveal() == "brought by a handshake")
            try await hooks.forget()
            #expect(try await hooks.post(signed).status == 200)
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id, action: .sourceKeyConfirmed).count == 1)
        }
    }

    @Test func `a token that comes again replaces nothing, and strangers can fill a bounded room`() async throws {
        try await with { hooks in
            let json: HTTPFields = [.contentType: "application/json"]
            // The one that is a key already, and one that waits already.
            let known = try await hooks.post(Self.token("what they told us"), json)
            #expect(known.status == 200)
            #expect(try await hooks.fixture.number("SELECT count(*) FROM pending_keys") == 0)
            for _ in 0..<3 { #expect(try await hooks.post(Self.token("one that waits"), json).status == 200) }
            #expect(try await hooks.fixture.number("SELECT count(*) FROM pending_keys") == 1)
            // A network has one place, whichever of its addresses posts what.
            for number in 2..<40 {
                let again = try await hooks.post(Self.token("number \(number)"), json, from: "192.0.2.\(number)")
                #expect(again.status == 503 && again.fields[.retryAfter] == "5")
            }
            #expect(try await hooks.fixture.number("SELECT count(*) FROM pending_keys") == 1)
            for number in 2...PendingKeyCapture.mostPending {
                let from = "198.51.\(number).7"
                #expect(try await hooks.post(Self.token("number \(number)"), json, from: from).status == 200)
            }
            #expect(try await hooks.post(Self.token("one too many"), json, from: "203.0.113.7").status == 503)
            #expect(
                try await hooks.fixture.number("SELECT count(*) FROM pending_keys") == PendingKeyCapture.mostPending
            )
            #expect(try await hooks.fixture.number("SELECT count(*) FROM source_keys") == 1)
            #expect(try await hooks.post(try hooks.signed()).status == 200)
        }
    }
}
