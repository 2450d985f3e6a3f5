import Domain
import Edge
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing

/// What the limits of a client and of an account do at the doors.
@Suite struct `Limits at the doors` {
    private static let two = CallerLimits.Rates(perClient: Rate(perSecond: 0.001, burst: 2))

    @Test func `a grant has one limit, in the protocol's form, and nobody else waits for it`() async throws {
        try await TestOAuth.with(rates: Self.two) { oauth in
            for _ in 0..<2 { #expect(try await oauth.token().status == 200) }
            let limited = try await oauth.token()
            #expect(limited.status == 429 && limited.error == "temporarily_unavailable")
            #expect(limited.fields[.retryAfter] != nil && limited.fields[.cacheControl] == "no-store")
            #expect(try await oauth.userInfo(oauth.admin.token.reveal()) == 200)
        }
    }

    @Test func `an account has one limit, by token and in the pages, and others do not`() async throws {
        try await TestOAuth.with(rates: Self.two) { oauth in
            var browser = try await oauth.signedInBrowser()
            #expect(try await oauth.userInfo(oauth.admin.token.reveal()) == 200)
            #expect(try await browser.get("/profile").status == 429)
            #expect(try await oauth.userInfo(oauth.admin.token.reveal()) == 429)
            let other = try await oauth.fixture.auditor(in: oauth.organization)
            #expect(try await oauth.userInfo(other.token.reveal()) == 200)
        }
    }

    @Test func `what has ended uses up nobody's limit`() async throws {
        try await TestOAuth.with(rates: Self.two) { oauth in
            let ended = try await oauth.fixture.token(of: oauth.admin, in: oauth.organization)
            let digest = oauth.fixture.keyring.digest(of: ended.token)
            _ = try await oauth.fixture.owner.query("UPDATE tokens SET revoked_at = now() WHERE digest = \(digest)")
            for _ in 0..<5 { #expect(try await oauth.userInfo(ended.token.reveal()) == 401) }
            #expect(try await oauth.userInfo(oauth.admin.token.reveal()) == 200)
        }
    }
}
