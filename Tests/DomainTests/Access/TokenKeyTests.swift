import Crypto
import Domain
import Foundation
import TestSupport
import Testing
import Transparency

@Suite struct `Keys of signed tokens` {
    private static let now = Timestamp(seconds: 1_795_000_000)

    private func key(_ byte: UInt8) async throws -> TokenKey {
        try await TokenKey(secret: [UInt8](repeating: byte, count: 32))
    }

    private func entry(_ byte: UInt8, signsIn seconds: Int64) async throws -> TokenKeySchedule.Entry {
        let signsFrom = Self.now + .seconds(seconds)
        return .init(key: try await key(byte), madeAt: signsFrom - .seconds(3600), signsFrom: signsFrom)
    }

    @Test func `a token is signed by the key that is published, and says what RFC 9068 wants`() async throws {
        let key = try await key(1)
        let user = try #require(UserID("usr_01k9qyc5qje1qsv9svhrqgc8d1"))
        let claims = AccessClaims(
            issuer: "https://rollcall.example",
            audience: "https://payroll.example",
            subject: user,
            client: "grt_1",
            organization: try #require(OrganizationID("org_01k9qyc5qje1qsv9svhrqgc8d1")),
            scopes: ScopeSet([.peopleRead, .usersRead]),
            id: try #require(TokenID("tok_01k9qyc5qje1qsv9svhrqgc8d1")),
            issuedAt: Self.now,
            expiresAt: Self.now + .seconds(600)
        )
        let parts = try await key.sign(claims).reveal().split(separator: ".").map(String.init)
        try #require(parts.count == 3)
        let header = try JSON.parse(try #require(Base64.url.decode(parts[0])))
        #expect(header["alg"] == "ES256" && header["typ"] == "at+jwt" && header["kid"]?.string == key.id)
        let said = try JSON.parse(try #require(Base64.url.decode(parts[1])))
        #expect(said["iss"] == "https://rollcall.example" && said["aud"] == "https://payroll.example")
        #expect(said["sub"]?.string == user.description && said["client_id"] == "grt_1")
        #expect(said["scope"] == "people:read users:read" && said["jti"] == "tok_01k9qyc5qje1qsv9svhrqgc8d1")
        #expect(said["iat"]?.int64 == Self.now.seconds && said["exp"]?.int64 == Self.now.seconds + 600)
        let x = try #require(key.json["x"]?.string.flatMap { Base64.url.decode($0) })
        let y = try #require(key.json["y"]?.string.flatMap { Base64.url.decode($0) })
        let published = try P256.Signing.PublicKey(rawRepresentation: x + y)
        let signature = try P256.Signing.ECDSASignature(
            rawRepresentation: try #require(Base64.url.decode(parts[2]))
        )
        #expect(published.isValidSignature(signature, for: Data((parts[0] + "." + parts[1]).utf8)))
        #expect(key.json["d"] == nil && key.json["kid"]?.string == key.id)
        let thumbprint = #"{"crv":"P-256","kty":"EC","x":"\#(Base64.url.encode(x))","y":"\#(Base64.url.encode(y))"}"#
        #expect(key.id == Base64.url.encode(Array(SHA256.hash(data: Data(thumbprint.utf8)))))
    }

    @Test func `what is no private key is none`() async {
        await #expect(throws: (any Error).self) { try await TokenKey(secret: [UInt8](repeating: 0, count: 32)) }
        await #expect(throws: (any Error).self) { try await TokenKey(secret: [1, 2, 3]) }
    }

    @Test func `the next key is published before it signs, and the former after`() async throws {
        let schedule = TokenKeySchedule([
            try await entry(3, signsIn: 60), try await entry(1, signsIn: -7200), try await entry(2, signsIn: -60),
        ])
        #expect(schedule.states(at: Self.now).map(\.state) == [.retired, .signing, .waiting])
        #expect(schedule.published(at: Self.now)["keys"]?.array?.count == 3)
        let second = try await key(2)
        #expect(schedule.signing(at: Self.now)?.id == second.id)
        let later = Self.now + .seconds(60)
        #expect(schedule.states(at: later).map(\.state) == [.retired, .retired, .signing])
        let end = Self.now + .seconds(60) + TokenKeySchedule.publishedAfter
        #expect(schedule.states(at: end).map(\.state) == [.over, .over, .signing])
        #expect(schedule.published(at: end)["keys"]?.array?.count == 1)
        // What a key signed last is over before the key is.
        #expect(TokenKeySchedule.publishedAfter > AccessClaims.longestLifetime)
        #expect(TokenKeySchedule.publishedBefore > .seconds(TokenKeySchedule.cacheSeconds))
    }

    @Test func `a key is due first, by age, and where none signs`() async throws {
        #expect(TokenKeySchedule([]).due(at: Self.now) == .zero)
        let waiting = TokenKeySchedule([try await entry(1, signsIn: 60)])
        #expect(waiting.due(at: Self.now) == .zero)
        let schedule = TokenKeySchedule([try await entry(1, signsIn: 0)])
        #expect(schedule.due(at: Self.now) == nil)
        let aged = Self.now + TokenKeySchedule.signsFor - TokenKeySchedule.publishedBefore
        #expect(schedule.due(at: aged - .seconds(1)) == nil)
        #expect(schedule.due(at: aged) == TokenKeySchedule.publishedBefore)
    }

    @Test func `a signed token is a bearer's, bounded, and of three parts`() throws {
        let text = "eyJh.eyJi.c2ln"
        #expect(OpaqueSecret(text)?.kind == .access && OpaqueSecret(text)?.reveal() == text)
        #expect(OpaqueSecret(text)?.description == "rca_…")
        for bad in [
            "eyJh.eyJi.", "eyJh.eyJi", "eyJh.eyJi.c2ln.x", "eyJh..c2ln", "eyJh.ey=Ji.c2ln", "eyJh.e yJi.c2ln", "ey",
            "eyJh." + String(repeating: "a", count: OpaqueSecret.longestSigned) + ".b",
        ] { #expect(OpaqueSecret(bad) == nil, "\(bad)") }
    }

    @Test func `a resource is named in one spelling`() {
        for good in ["https://payroll.example", "https://payroll.example/api/v2", "http://127.0.0.1:9000/x"] {
            #expect(ResourceIdentifier(good)?.description == good)
        }
        for bad in [
            "https://Payroll.example", "https://payroll.example/?a=b", "https://payroll.example/#x", "payroll",
            "http://payroll.example", "https://u@payroll.example", "com.example.app:/x", "https://payroll.example/a b",
            "",
        ] { #expect(ResourceIdentifier(bad) == nil, "\(bad)") }
    }
}
