import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Pushed tokens` {
    private static let secret = Base64.standard.encode([UInt8](repeating: 7, count: 32))
    private static let fields: HTTPFields = [.contentType: "application/secevent+jwt"]

    private func token(_ claims: String, _ hooks: TestHooks) throws -> [UInt8] {
        let profile = try #require(hooks.profiles["set"])
        return try SignatureMaker.sign(
            profile: profile,
            id: nil,
            at: hooks.fixture.clock.now(),
            request: HookRequest(url: "", headers: [], body: Array(claims.utf8)),
            keys: [try SigningKey(secret: Self.secret, forms: profile.secretForms)]
        ).body
    }

    private func state(_ parties: TokenParties, by admin: TestAccount, _ hooks: TestHooks) async throws {
        let view = try #require(
            try await hooks.fixture.store.read(as: hooks.organization.id) { try await $0.source(hooks.source.id) }
        )
        let terms = SourceUpdate.Terms(
            slug: view.slug,
            mapping: view.mapping,
            timeZone: view.timeZone,
            status: view.status,
            ipAllowList: view.ipAllowList,
            tokenParties: parties,
            acceptsUnproved: false
        )
        let update = SourceUpdate(
            of: view.id,
            version: view.version,
            to: terms,
            by: hooks.fixture.attribution(of: admin)
        )
        _ = try await hooks.fixture.store.perform(update, in: hooks.organization.id)
        try await hooks.forget()
    }

    @Test func `tokens of one transaction that say different things are each kept, a repetition is not`() async throws {
        try await TestHooks.with(profile: "set", secret: Self.secret) { hooks in
            let claims = [
                #"{"jti": "1", "txn": "t", "iss": "https://hr.example", "events": {"urn:x": {"who": "e-1"}}}"#,
                #"{"jti": "2", "txn": "t", "iss": "https://hr.example", "events": {"urn:x": {"who": "e-2"}}}"#,
                #"{"jti": "3", "txn": "t", "iss": "https://hr.example", "events": {"urn:x": {"who": "e-1"}}}"#,
                #"{"jti": "1", "iss": "https://hr.example", "events": {"urn:x": {"who": "e-3"}}}"#,
                #"{"jti": "1", "iss": "https://payroll.example", "events": {"urn:x": {"who": "e-3"}}}"#,
            ]
            for (place, deliveries) in [1, 2, 2, 3, 4].enumerated() {
                let answer = try await hooks.post(try token(claims[place], hooks), Self.fields)
                #expect(answer.status == 202)
                #expect(try await hooks.deliveries == deliveries, "\(claims[place])")
            }
        }
    }

    @Test func `a token of another issuer, or for another audience, is answered as RFC 8935 has it`() async throws {
        try await TestHooks.with(profile: "set", secret: Self.secret) { hooks in
            let admin = try await hooks.fixture.securityAdmin(in: hooks.organization)
            let other = try token(#"{"jti": "1", "iss": "https://other.example", "events": {"urn:x": {}}}"#, hooks)
            let ours = try token(
                #"{"jti": "2", "iss": "https://hr.example", "aud": ["urn:us"], "events": {"urn:x": {}}}"#,
                hooks
            )
            try await state(TokenParties(issuers: ["https://hr.example"], audiences: nil), by: admin, hooks)
            let refused = try await hooks.post(other, Self.fields)
            #expect(refused.status == 400 && refused.body["err"] == "invalid_issuer")
            #expect(refused.fields[.contentType] == "application/json")
            try await state(TokenParties(issuers: ["https://hr.example"], audiences: ["urn:them"]), by: admin, hooks)
            let missed = try await hooks.post(ours, Self.fields)
            #expect(missed.status == 400 && missed.body["err"] == "invalid_audience")
            #expect(try await hooks.deliveries == 0)
            try await state(
                TokenParties(issuers: ["https://hr.example"], audiences: ["urn:them", "urn:us"]),
                by: admin,
                hooks
            )
            #expect(try await hooks.post(ours, Self.fields).status == 202)
        }
    }

    @Test func `once the parties are corrected, what was refused for them is taken`() async throws {
        try await TestHooks.with(profile: "set", secret: Self.secret) { hooks in
            let admin = try await hooks.fixture.securityAdmin(in: hooks.organization)
            try await state(TokenParties(issuers: ["https://hr.exampel"], audiences: nil), by: admin, hooks)
            let claims = #"{"jti": "1", "iss": "https://hr.example", "events": {"urn:x": {}}}"#
            #expect(try await hooks.post(try token(claims, hooks), Self.fields).status == 400)
            await hooks.rejected.flush()
            let review = RejectedReview(profiles: hooks.profiles)
            while try await hooks.fixture.store.performNext(review, most: 16) > 0 {}
            #expect(try await hooks.deliveries == 0)
            try await state(TokenParties(issuers: ["https://hr.example"], audiences: nil), by: admin, hooks)
            while try await hooks.fixture.store.performNext(review, most: 16) > 0 {}
            #expect(try await hooks.deliveries == 1)
        }
    }
}
