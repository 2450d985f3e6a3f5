import Domain
import Postgres
import Storage
import TestSupport
import Testing

/// Two nodes on one database.
@Suite struct CheckingTests {
    /// What is promised of the node that did not make the change.
    fileprivate static let promised = Duration.milliseconds(250)

    fileprivate struct Scene: Sendable {
        let fixture: StoreFixture
        let organization: TestOrganization
        let admin: TestAccount
        let source: TestSource
        let integration: IntegrationID
        let grant: GrantID
        let token: OpaqueSecret
        let issued: TokenID

        init(_ fixture: StoreFixture) async throws {
            self.fixture = fixture
            organization = try await fixture.organization()
            admin = try await fixture.securityAdmin(in: organization)
            source = try await fixture.source(in: organization)
            integration = try await fixture.integration(in: organization)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            grant = try await fixture.grant(in: organization)
            _ = try await fixture.claimedSecret(of: grant, in: organization, by: admin)
            let secrets = try await fixture.store.read(as: organization.id) { [grant] in try await $0.grant(grant) }?
                .secrets
            token = try await fixture.accessToken(of: grant, by: secrets?.first?.id).token
            issued = try #require(try await fixture.store.facts(of: token)).caller.credential.token
        }

        func refusal(_ node: Store) async throws -> AccessRefusal? {
            try #require(try await node.facts(of: token)).refusal(from: IPAddress("192.0.2.1"), for: .any)
        }

        /// The node has the token in its cache, and answers from there: a name that somebody changed behind its back is
        /// still the old one.
        func warm(_ nodes: Store...) async throws {
            let name = try #require(try await nodes[0].facts(of: token)).caller.username
            for node in nodes {
                try await eventually {
                    _ = try await node.facts(of: token)
                    return node.access.isFresh && node.access.count > 0
                }
            }
            _ = try await fixture.owner.query(
                "UPDATE users SET username = 'renamed.' || username WHERE username = \(name)"
            )
            for node in nodes {
                try await eventually { try await node.facts(of: token)?.caller.username == name }
            }
        }

        /// Fails for a use that the node accepted although it began later than promised.
        func expectEnd(on node: Store, of ended: ContinuousClock.Instant, as refusal: AccessRefusal) async throws {
            while true {
                let began = ContinuousClock.now
                let found = try await self.refusal(node)
                guard found == nil else {
                    #expect(found == refusal)
                    return
                }
                #expect(began - ended < CheckingTests.promised)
                guard began - ended < .seconds(5) else { return }
            }
        }

        func attribution() -> Attribution { fixture.attribution(of: admin) }

        func version(of grant: GrantID) async throws -> (terms: GrantTerms, version: Int64) {
            let view = try #require(try await fixture.store.read(as: organization.id) { try await $0.grant(grant) })
            return (view.terms, view.version)
        }
    }

    private func scene(
        direct: String? = nil,
        _ body: @Sendable (Scene, _ mine: Store, _ other: Store) async throws -> Void
    ) async throws {
        try await StoreFixture.with { fixture in
            let scene = try await Scene(fixture)
            try await fixture.withNodes(direct: direct) { mine, other in
                try await scene.warm(mine, other)
                try await body(scene, mine, other)
            }
        }
    }

    enum Ending: String, CaseIterable, Sendable {
        case leaver, deactivation, suspension, grantEnd, revocation, narrowerAddresses, earlierExpiry,
            integrationDisabled
        case claimedAgain, secretKilled

        fileprivate var refusal: AccessRefusal {
            switch self {
            case .leaver, .deactivation: .userDeactivated
            case .suspension: .grantSuspended
            case .grantEnd: .grantEnded
            case .revocation, .secretKilled: .tokenRevoked
            case .narrowerAddresses: .addressNotAllowed
            case .earlierExpiry: .grantExpired
            case .integrationDisabled: .integrationDisabled
            case .claimedAgain: .superseded
            }
        }

        fileprivate func make(_ scene: Scene, on node: Store) async throws {
            let organization = scene.organization.id
            switch self {
            case .leaver:
                try await scene.fixture.deliver(scene.fixture.event(.leaver), from: scene.source)
                try await scene.fixture.settle()
            case .deactivation:
                let user = try #require(try await node.facts(of: scene.token)).caller.user
                let change = UserDeactivation(of: user, by: scene.admin.caller, confirmation: nil, scene.attribution())
                _ = try await node.perform(change, in: organization)
            case .suspension:
                let change = GrantStateChange(of: scene.grant, to: .suspended, by: scene.attribution())
                _ = try await node.perform(change, in: organization)
            case .grantEnd:
                let change = GrantStateChange(of: scene.grant, to: .ended, by: scene.attribution())
                _ = try await node.perform(change, in: organization)
            case .revocation:
                let change = TokenRevocation(of: scene.issued, ofGrant: scene.grant, by: scene.attribution())
                try await node.perform(change, in: organization)
            case .narrowerAddresses, .integrationDisabled:
                try await scene.fixture.change(scene.integration, in: scene.organization, by: scene.admin) { terms in
                    if self == .integrationDisabled { terms.status = .disabled }
                    // A range of this form is one.
                    terms.ipAllowList = (try? NetworkRange("198.51.100.0/24")).map { [$0] }
                }
                if self == .narrowerAddresses { try await scene.fixture.settle() }
            case .earlierExpiry:
                // The grant, whoever made it, may end the next moment.
                let (before, version) = try await scene.version(of: scene.grant)
                var terms = before
                terms.expiresAt = try await scene.fixture.databaseNow() + .milliseconds(300)
                let change = GrantUpdate(of: scene.grant, version: version, to: terms, by: scene.attribution())
                _ = try await node.perform(change, in: organization)
                try await Task.sleep(for: .milliseconds(300))
            case .secretKilled:
                let secret = try #require(
                    try await node.read(as: organization) { try await $0.grant(scene.grant) }?.secrets.first?.id
                )
                let end = CredentialEnd(of: scene.grant, .secret(secret), custodian: nil, by: scene.attribution())
                _ = try await node.perform(end, in: organization)
            case .claimedAgain:
                _ = try await scene.fixture.claimedSecret(of: scene.grant, in: scene.organization, by: scene.admin)
            }
        }
    }

    @Test(arguments: Ending.allCases)
    func `what was ended is refused at once where it was committed, and in time on the other node`(
        _ ending: Ending
    ) async throws {
        try await scene { scene, mine, other in
            try await ending.make(scene, on: mine)
            let ended = ContinuousClock.now
            #expect(try await scene.refusal(mine) == ending.refusal)
            try await scene.expectEnd(on: other, of: ended, as: ending.refusal)
            #expect(try await scene.refusal(mine) == ending.refusal)
        }
    }

    @Test func `a node whose listening connection is killed asks the database`() async throws {
        try await scene { scene, mine, other in
            _ = try await scene.fixture.owner.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                    AND (query LIKE '%access_endings_after%' OR query LIKE '%rollcall_access%')
                """
            )
            try await Ending.suspension.make(scene, on: mine)
            let ended = ContinuousClock.now
            #expect(try await scene.refusal(mine) == .grantSuspended)
            try await scene.expectEnd(on: other, of: ended, as: .grantSuspended)
            // And is back by itself.
            try await eventually { mine.access.isFresh && other.access.isFresh }
        }
    }

    @Test func `a listening connection over which nothing comes any more proves nothing`() async throws {
        try await StoreFixture.with { fixture in
            let scene = try await Scene(fixture)
            try await StallingProxy.with(to: fixture.ownerConnectionString) { proxy, direct in
                try await fixture.withNodes(direct: direct) { mine, other in
                    try await scene.warm(mine, other)
                    proxy.stall()
                    try await Ending.suspension.make(scene, on: mine)
                    let ended = ContinuousClock.now
                    try await scene.expectEnd(on: other, of: ended, as: .grantSuspended)
                    try await eventually { !other.access.isFresh }
                    let change = GrantStateChange(of: scene.grant, to: .active, by: scene.attribution())
                    _ = try await mine.perform(change, in: scene.organization.id)
                    // Without its listener it is as fresh as the database is.
                    #expect(try await scene.refusal(other) == nil)
                    proxy.resume()
                    try await eventually { other.access.isFresh }
                }
            }
        }
    }

    @Test func `a node that dies between its commit and its wake-up has told everybody all the same`() async throws {
        try await scene { scene, _, other in
            // Without a watch of its own nothing is notified.
            let silent = Store(
                pool: scene.fixture.pool,
                keyring: scene.fixture.keyring,
                clock: scene.fixture.clock,
                randomness: scene.fixture.randomness,
                logger: scene.fixture.store.logger
            )
            try await Ending.suspension.make(scene, on: silent)
            try await scene.expectEnd(on: other, of: .now, as: .grantSuspended)
        }
    }

    @Test func `an ending that began before others and committed after them is heard`() async throws {
        try await scene { scene, mine, other in
            let slow = try await PostgresConnection.connect(to: scene.fixture.ownerConnectionString)
            try await slow.transaction { transaction in
                _ = try await transaction.query(
                    """
                    INSERT INTO access_endings (organization_id, subject, subject_id)
                    VALUES (\(scene.organization.id), 'grant', \(scene.grant))
                    """
                )
                _ = try await transaction.query("UPDATE grants SET status = 'suspended' WHERE id = \(scene.grant)")
                // Later transactions come and go, and both nodes look several times.
                for _ in 0..<3 {
                    _ = try await scene.fixture.owner.query(
                        """
                        INSERT INTO access_endings (organization_id, subject, subject_id)
                        VALUES (\(scene.organization.id), 'user', \(mine.newID(UserID.self)))
                        """
                    )
                    try await Task.sleep(for: .milliseconds(150))
                }
                #expect(try await scene.refusal(other) == nil)
            }
            let ended = ContinuousClock.now
            try await scene.expectEnd(on: other, of: ended, as: .grantSuspended)
            try await scene.expectEnd(on: mine, of: ended, as: .grantSuspended)
            await slow.close()
        }
    }

    @Test func `the clock of a node moves no expiry`() async throws {
        try await scene { scene, mine, other in
            for step in [Duration.seconds(3600), .seconds(-7200)] {
                scene.fixture.clock.advance(by: step)
                #expect(try await scene.refusal(mine) == nil)
                #expect(try await scene.refusal(other) == nil)
                let facts = try #require(try await other.facts(of: scene.token))
                let now = try await scene.fixture.databaseNow()
                #expect(facts.checkedAt < now + .seconds(30) && now - facts.checkedAt < .seconds(30))
            }
        }
    }

    @Test func `who is let in again is not refused from memory`() async throws {
        try await scene { scene, mine, other in
            try await Ending.suspension.make(scene, on: mine)
            try await scene.expectEnd(on: other, of: .now, as: .grantSuspended)
            let change = GrantStateChange(of: scene.grant, to: .active, by: scene.attribution())
            _ = try await mine.perform(change, in: scene.organization.id)
            #expect(try await scene.refusal(mine) == nil)
            #expect(try await scene.refusal(other) == nil)
        }
    }

    @Test func `who joins, and what is accepted, tells nobody`() async throws {
        try await StoreFixture.with { fixture in
            let scene = try await Scene(fixture)
            #expect(try await fixture.number("SELECT count(*) FROM access_endings") == 0)
            for ending in [Ending.suspension, .narrowerAddresses, .leaver] {
                let before = try await fixture.number("SELECT count(*) FROM access_endings")
                try await ending.make(scene, on: fixture.store)
                #expect(try await fixture.number("SELECT count(*) FROM access_endings") > before, "\(ending)")
            }
        }
    }
}
