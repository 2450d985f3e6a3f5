import Domain
import Testing

@Suite struct TokenCacheTests {
    private static let now = Timestamp(seconds: 1_795_251_600)
    private static let start = ContinuousClock.now

    private struct Scene {
        var cache: TokenCache
        var time = TokenCacheTests.start

        init(capacity: Int = TokenCache.standardCapacity) { cache = TokenCache(capacity: capacity) }

        /// A look that begins and ends now.
        mutating func look(_ ended: [AccessSubject]? = []) {
            cache.take(.init(began: time, clock: now, ended: ended))
        }

        /// The database's clock, which runs as the monotonic one.
        var now: Timestamp { TokenCacheTests.now + (time - TokenCacheTests.start) }

        /// Looked up and kept at once.
        mutating func fill(_ user: UInt64 = 1, token: UInt64? = nil) throws {
            cache.keep(
                try TokenCacheTests.facts(user, token: token, checkedAt: now),
                of: try TokenCacheTests.digest(token ?? user),
                since: cache.mark,
                at: time
            )
        }

        mutating func answers(_ token: UInt64 = 1) throws -> Bool {
            cache.facts(of: try TokenCacheTests.digest(token), at: time) != nil
        }
    }

    private static func digest(_ number: UInt64) throws -> TokenDigest {
        try #require(
            TokenDigest((0..<4).flatMap { _ in (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) } })
        )
    }

    private static func facts(_ user: UInt64, token: UInt64? = nil, checkedAt: Timestamp = now) throws -> TokenFacts {
        TokenFacts(
            caller: Caller(
                organization: OrganizationID(high: 0, low: 1),
                user: UserID(high: 1, low: user),
                kind: .integration,
                role: .integration,
                username: "payroll.\(user)",
                person: nil,
                integration: IntegrationID(high: 3, low: 1),
                grant: GrantID(high: 2, low: user),
                clientName: "payroll",
                workspace: nil,
                credential: .init(token: TokenID(high: 4, low: token ?? user), digestPrefix: "01234567"),
                scopes: ScopeSet([.peopleRead]),
                tokenIssuedAt: now,
                tokenExpiresAt: now + .seconds(600)
            ),
            isRevoked: false,
            isUserActive: true,
            matchesUserEpoch: true,
            grant: .init(
                status: .active,
                matchesEpoch: true,
                expiresAt: now + .seconds(3600),
                ipAllowList: [try NetworkRange("192.0.2.0/24")]
            ),
            isIntegrationActive: true,
            checkedAt: checkedAt
        )
    }

    // MARK: Freshness

    @Test func `nothing is kept or answered before the first look`() throws {
        var scene = Scene()
        try scene.fill()
        #expect(scene.cache.count == 0)
        scene.look(nil)
        try scene.fill()
        #expect(try scene.answers())
    }

    @Test func `it answers only while the last look began less than the limit ago, and again after the next`() throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        scene.time += TokenCache.freshness - .nanoseconds(1)
        #expect(try scene.answers())
        scene.time += .nanoseconds(1)
        #expect(try !scene.answers())
        #expect(!scene.cache.isFresh(at: scene.time))
        scene.look()
        #expect(try scene.answers())
    }

    @Test func `what counts is when the look began, not when it came back`() throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        let began = scene.time
        scene.time += .milliseconds(199)
        scene.cache.take(.init(began: began, clock: scene.now, ended: []))
        scene.time += .milliseconds(1)
        #expect(try !scene.answers())
    }

    @Test func `after a lost connection nothing that was kept before is answered again`() throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        scene.cache.lose()
        #expect(try !scene.answers())
        scene.look(nil)
        #expect(try !scene.answers())
    }

    @Test func `names are read anew after a while`() throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        scene.time += TokenCache.longestKept
        scene.look()
        #expect(try !scene.answers())
    }

    // MARK: Endings

    @Test(arguments: [
        AccessSubject.user(UserID(high: 1, low: 1)), .grant(GrantID(high: 2, low: 1)),
        .token(TokenID(high: 4, low: 1)), .integration(IntegrationID(high: 3, low: 1)),
        .organization(OrganizationID(high: 0, low: 1)),
    ])
    func `an ending of any of its subjects forgets the token`(_ subject: AccessSubject) throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        scene.look([subject])
        #expect(try !scene.answers())
    }

    @Test func `an ending of somebody else's forgets nothing`() throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        try scene.fill(2)
        scene.look([.user(UserID(high: 1, low: 2)), .grant(GrantID(high: 2, low: 3)), .token(TokenID(high: 4, low: 4))])
        #expect(try scene.answers())
        #expect(try !scene.answers(2))
    }

    @Test func `all tokens of a user end with it, and nothing else of the index stays behind`() throws {
        var scene = Scene()
        scene.look(nil)
        for token in 1...50 { try scene.fill(1, token: UInt64(token)) }
        scene.look([.user(UserID(high: 1, low: 1))])
        #expect(scene.cache.count == 0)
        for token in 1...50 { try scene.fill(1, token: UInt64(token)) }
        #expect(scene.cache.count == 50)
    }

    @Test func `more endings than can be told forget everything`() throws {
        var scene = Scene()
        scene.look(nil)
        try scene.fill()
        scene.look(nil)
        #expect(try !scene.answers())
        try scene.fill()
        #expect(try scene.answers())
    }

    // MARK: Look-ups that were overtaken

    @Test func `a look-up that began before an ending of its subject is not kept, another's is`() throws {
        var scene = Scene()
        scene.look(nil)
        let mark = scene.cache.mark
        scene.look([.user(UserID(high: 1, low: 1))])
        scene.cache.keep(try Self.facts(1), of: try Self.digest(1), since: mark, at: scene.time)
        scene.cache.keep(try Self.facts(2), of: try Self.digest(2), since: mark, at: scene.time)
        #expect(try !scene.answers(1))
        #expect(try scene.answers(2))
    }

    @Test func `a look-up that began before the connection was there, or was lost, is not kept`() throws {
        var scene = Scene()
        let before = scene.cache.mark
        scene.look(nil)
        scene.cache.keep(try Self.facts(1), of: try Self.digest(1), since: before, at: scene.time)
        #expect(scene.cache.count == 0)
        let during = scene.cache.mark
        scene.cache.lose()
        let between = scene.cache.mark
        scene.look(nil)
        for mark in [during, between] {
            scene.cache.keep(try Self.facts(1), of: try Self.digest(1), since: mark, at: scene.time)
        }
        #expect(scene.cache.count == 0)
    }

    @Test func `when more endings came than are remembered, every look-up under way counts as overtaken`() throws {
        var scene = Scene()
        scene.look(nil)
        let mark = scene.cache.mark
        for user in 0..<5 {
            scene.look((0..<1000).map { .user(UserID(high: 9, low: UInt64(user * 1000 + $0))) })
        }
        scene.cache.keep(try Self.facts(1), of: try Self.digest(1), since: mark, at: scene.time)
        #expect(scene.cache.count == 0)
        try scene.fill()
        #expect(try scene.answers())
    }

    @Test func `what is refused is not kept: it may be allowed the next moment`() throws {
        var scene = Scene()
        scene.look(nil)
        var suspended = try Self.facts(1)
        suspended.grant?.status = .suspended
        scene.cache.keep(suspended, of: try Self.digest(1), since: scene.cache.mark, at: scene.time)
        #expect(scene.cache.count == 0)
    }

    // MARK: This node's own transactions

    @Test func `between a transaction's word and its end the database is asked, however it ends`() throws {
        var scene = Scene()
        let user = AccessSubject.user(UserID(high: 1, low: 1))
        scene.look(nil)
        try scene.fill()
        try scene.fill(2)
        scene.cache.suspend([user])
        #expect(try !scene.answers(1))
        #expect(try scene.answers(2))
        // Looked up before the COMMIT arrived in the database.
        let mark = scene.cache.mark
        try scene.fill()
        #expect(try !scene.answers(1))
        scene.cache.lift([user])
        scene.cache.keep(try Self.facts(1), of: try Self.digest(1), since: mark, at: scene.time)
        #expect(try !scene.answers(1))
        try scene.fill()
        #expect(try scene.answers(1))
    }

    @Test func `of two transactions about one user the second one's end counts`() throws {
        var scene = Scene()
        let user = AccessSubject.user(UserID(high: 1, low: 1))
        scene.look(nil)
        scene.cache.suspend([user])
        scene.cache.suspend([user])
        scene.cache.lift([user])
        try scene.fill()
        #expect(try !scene.answers())
        scene.cache.lift([user])
        try scene.fill()
        #expect(try scene.answers())
    }

    // MARK: Clocks

    @Test func `expiry is compared with the database's clock, carried on since the last look began`() throws {
        var scene = Scene()
        scene.look(nil)
        scene.time += .seconds(50)
        scene.look()
        try scene.fill()
        scene.time += .milliseconds(100)
        let facts = try #require(scene.cache.facts(of: try Self.digest(1), at: scene.time))
        #expect(facts.checkedAt == Self.now + .milliseconds(50_100))
        // The database's clock is set an hour on, and back: the next look brings it.
        scene.cache.take(.init(began: scene.time, clock: scene.now + .seconds(3600), ended: []))
        let late = try #require(scene.cache.facts(of: try Self.digest(1), at: scene.time))
        #expect(late.refusalWhereverUsed == .grantExpired)
        scene.cache.take(.init(began: scene.time, clock: scene.now - .seconds(3600), ended: []))
        let early = try #require(scene.cache.facts(of: try Self.digest(1), at: scene.time))
        #expect(early.checkedAt == Self.now + .seconds(50))
    }

    // MARK: Bounds

    @Test func `it keeps no more than its capacity, and what is used longer than what is not`() throws {
        var scene = Scene(capacity: 4)
        scene.look(nil)
        for token in 1...4 { try scene.fill(UInt64(token)) }
        #expect(try scene.answers(1))
        for token in 5...7 { try scene.fill(UInt64(token)) }
        #expect(scene.cache.count == 4)
        #expect(try scene.answers(1))
        #expect(try !scene.answers(2))
        #expect(try scene.answers(7))
        for token in 8...100 { try scene.fill(UInt64(token)) }
        #expect(scene.cache.count == 4)
    }
}
