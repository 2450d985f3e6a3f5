import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct AccessTests {
    /// A provisioned person with a claimed grant.
    private struct Scene {
        let fixture: StoreFixture
        let organization: TestOrganization
        let admin: TestAccount
        let source: TestSource
        let integration: IntegrationID
        let grant: GrantID

        init(_ fixture: StoreFixture, ipAllowList: [String]? = nil) async throws {
            self.fixture = fixture
            organization = try await fixture.organization()
            admin = try await fixture.securityAdmin(in: organization)
            source = try await fixture.source(in: organization)
            integration = try await fixture.integration(in: organization, ipAllowList: ipAllowList)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            grant = try await fixture.grant(in: organization)
        }

        func refusal(of token: OpaqueSecret, from address: String = "192.0.2.1") async throws -> AccessRefusal? {
            let facts = try #require(try await fixture.store.facts(of: token))
            return facts.refusal(from: IPAddress(address), for: .any)
        }

        func link() async throws -> ClaimLinkCreation.Created {
            try await fixture.store.perform(
                ClaimLinkCreation(for: grant, by: admin.caller, fixture.attribution(of: admin), in: fixture.store),
                in: organization.id
            )
        }
    }

    private func scene(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await StoreFixture.with { try await body(Scene($0)) }
    }

    @Test func `a token is good until its user leaves and from that commit on refused`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let token = try await fixture.accessToken(of: scene.grant).token
            #expect(try await scene.refusal(of: token) == nil)
            let facts = try #require(try await fixture.store.facts(of: token))
            #expect(facts.caller.grant == scene.grant)
            #expect(facts.caller.person != nil)
            #expect(facts.caller.scopes == ScopeSet([.peopleRead, .peopleReadSelf]))
            let client = try #require(try await fixture.store.client(scene.grant))
            try await fixture.deliver(fixture.event(.leaver), from: scene.source)
            try await fixture.settle()
            #expect(try await scene.refusal(of: token) == .userDeactivated)
            // Proved before the leaver, issued after: nothing is issued, and that is an entry.
            let issue = try await TokenIssue(
                to: client,
                scopes: client.scopes,
                audience: nil,
                lifetime: .seconds(60),
                by: Attribution(actor: .integrationUser(client.user), receivedAt: fixture.clock.now()),
                in: fixture.store
            )
            await #expect(throws: AccessRefusal.superseded) {
                try await fixture.store.perform(issue, in: scene.organization.id)
            }
            let entries = try await fixture.leaves(in: scene.organization.id, action: .tokenIssued)
            #expect(entries.map { $0["outcome"]?.string } == ["done", "refused"])
            #expect(try await fixture.number("SELECT count(*) FROM tokens WHERE kind = 'access'") == 1)
        }
    }

    @Test func `an unknown secret has no facts`() async throws {
        try await scene { scene in
            let unknown = OpaqueSecret.make(.access, using: scene.fixture.randomness)
            let facts = try await scene.fixture.store.facts(of: unknown)
            #expect(facts == nil)
        }
    }

    @Test func `a token dies with the integration and lives with it again`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let integration = try await fixture.integration(in: organization, rule: nil)
            _ = try await fixture.integrationUser(of: integration, in: organization)
            let grant = try await fixture.store.perform(
                GrantCreation(
                    GrantTerms(
                        clientName: "Robot",
                        expiresAt: fixture.databaseNow() + .seconds(3600),
                        scopes: ScopeSet([.peopleRead]),
                        ipAllowList: [try NetworkRange("198.51.100.0/24")]
                    ),
                    to: .username("CRM.robot"),
                    in: .id(organization.workspace),
                    by: fixture.attribution(of: admin),
                    store: fixture.store
                ),
                in: organization.id
            )
            let token = try await fixture.accessToken(of: grant.id).token
            let facts = try #require(try await fixture.store.facts(of: token))
            #expect(facts.refusal(from: IPAddress("198.51.100.9"), for: .any) == nil)
            #expect(facts.refusal(from: IPAddress("::ffff:198.51.100.9"), for: .any) == nil)
            #expect(facts.refusal(from: IPAddress("203.0.113.9"), for: .any) == .addressNotAllowed)
            #expect(facts.refusal(from: nil, for: .any) == .addressNotAllowed)
            let client = try #require(try await fixture.store.client(grant.id))
            for (status, refusal) in [(IntegrationStatus.disabled, AccessRefusal.integrationDisabled), (.active, nil)] {
                try await fixture.change(integration, in: organization, by: admin) { $0.status = status }
                let facts = try #require(try await fixture.store.facts(of: token))
                #expect(facts.refusal(from: IPAddress("198.51.100.9"), for: .any) == refusal)
                let issue = try await TokenIssue(
                    to: client,
                    scopes: client.scopes,
                    audience: nil,
                    lifetime: .seconds(60),
                    by: Attribution(actor: .integrationUser(client.user), receivedAt: fixture.clock.now()),
                    in: fixture.store
                )
                let results = try await fixture.store.perform([issue], in: organization.id)
                switch results[0] {
                case .success: #expect(refusal == nil)
                case .failure(let error): #expect(error as? AccessRefusal == .superseded)
                }
            }
        }
    }

    @Test func `suspending, resuming and ending a grant shows at every use`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let token = try await fixture.accessToken(of: scene.grant).token
            let steps: [(GrantStatus, AccessRefusal?)] = [
                (.suspended, .grantSuspended), (.active, nil), (.ended, .grantEnded),
            ]
            for (status, refusal) in steps {
                let change = GrantStateChange(of: scene.grant, to: status, by: fixture.attribution(of: scene.admin))
                #expect(try await fixture.store.perform(change, in: scene.organization.id).status == status)
                #expect(try await scene.refusal(of: token) == refusal)
            }
            await #expect(throws: ChangeRefusal.conflict("The grant has ended.")) {
                try await fixture.store.perform(
                    GrantStateChange(of: scene.grant, to: .active, by: fixture.attribution(of: scene.admin)),
                    in: scene.organization.id
                )
            }
            let actions = try await fixture.actions(in: scene.organization.id)
            #expect(actions.filter { ["grant.suspended", "grant.resumed", "grant.ended"].contains($0) }.count == 3)
        }
    }

    @Test func `a revoked token alone is refused`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let first = try await fixture.accessToken(of: scene.grant).token
            let second = try await fixture.accessToken(of: scene.grant).token
            let id = try #require(try await fixture.store.facts(of: first)).caller.credential.token
            let by = Attribution(actor: .system("test"), receivedAt: fixture.clock.now())
            for _ in 0..<2 {
                try await fixture.store.perform(
                    TokenRevocation(of: id, ofGrant: scene.grant, by: by),
                    in: scene.organization.id
                )
            }
            #expect(try await scene.refusal(of: first) == .tokenRevoked)
            #expect(try await scene.refusal(of: second) == nil)
            #expect(try await fixture.leaves(in: scene.organization.id, action: .tokenRevoked).count == 1)
        }
    }

    @Test func `a leaver ends what the person let apps do`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let member = try await fixture.custodian(of: scene.grant).user
            _ = try await fixture.owner.query(
                """
                WITH app AS (
                    INSERT INTO apps (organization_id, id, name, contact_email, redirect_uris, scopes, is_confidential,
                        access_lifetime_seconds, status, created_at, updated_at)
                    VALUES (\(scene.organization.id), gen_random_uuid(), 'App', 'a@acme.example', '{https://a.example/}',
                        '{people:read}', false, 3600, 'active', now(), now()) RETURNING organization_id, id)
                INSERT INTO authorizations (organization_id, id, app_id, user_id, scopes, status, approved_at, created_at)
                SELECT organization_id, gen_random_uuid(), id, \(member), '{people:read}', 'active', now(), now() FROM app
                """
            )
            try await fixture.deliver(fixture.event(.leaver), from: scene.source)
            try await fixture.settle()
            #expect(try await fixture.text("SELECT status || ' ' || epoch FROM authorizations") == "ended 2")
            let entries = try await fixture.leaves(in: scene.organization.id, action: .authorizationEnded)
            #expect(entries.map { $0["reason"]?.string } == ["leaver"])
        }
    }

    // MARK: Claim links

    @Test func `a secret is claimed once, works, and stands nowhere`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let link = try await scene.link()
            let view = try #require(try await fixture.store.claimLink(link.secret))
            #expect(view.clientName == "CRM")
            #expect(view.custodian == "ada@acme.example")
            let claimed = try #require(try await fixture.claim(link.secret, of: scene.grant))
            #expect(claimed.client == scene.grant)
            let client = try #require(try await fixture.store.client(scene.grant))
            #expect(fixture.store.isSecret(claimed.secret, of: client))
            #expect(!fixture.store.isSecret(link.secret, of: client))
            #expect(try await isNothing(fixture.claim(link.secret, of: scene.grant)))
            #expect(try await isNothing(fixture.store.claimLink(link.secret)))
            let entry = try #require(
                try await fixture.leaves(in: scene.organization.id, action: .secretClaimed).first
            )
            #expect(entry["authority"]?["kind"]?.string == "claim_link")
            for leaf in try await fixture.leaves(in: scene.organization.id) {
                #expect(!leaf.text.contains(claimed.secret.reveal()))
                #expect(!leaf.text.contains(link.secret.reveal()))
            }
        }
    }

    @Test func `of many who claim at the same moment one gets the secret`() async throws {
        try await scene { scene in
            let link = try await scene.link()
            let fixture = scene.fixture
            let claimed = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<6 { group.addTask { try await fixture.claim(link.secret, of: scene.grant) != nil } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(claimed == 1)
            #expect(try await scene.fixture.leaves(in: scene.organization.id, action: .secretClaimed).count == 1)
        }
    }

    @Test func `a replaced, an expired and a leaver's link open nothing`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let first = try await scene.link()
            let second = try await scene.link()
            #expect(try await isNothing(fixture.claim(first.secret, of: scene.grant)))
            #expect(try await fixture.leaves(in: scene.organization.id, action: .claimLinkEnded).count == 1)
            _ = try await fixture.owner.query("UPDATE claim_links SET expires_at = now() WHERE ended_at IS NULL")
            #expect(try await isNothing(fixture.store.claimLink(second.secret)))
            #expect(try await isNothing(fixture.claim(second.secret, of: scene.grant)))
            let third = try await scene.link()
            try await fixture.deliver(fixture.event(.leaver), from: scene.source)
            try await fixture.settle()
            #expect(try await isNothing(fixture.claim(third.secret, of: scene.grant)))
            await #expect(throws: AccessRefusal.grantEnded) { _ = try await scene.link() }
        }
    }

    @Test func `claiming again replaces the secret and its tokens`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let first = try await fixture.claimedSecret(of: scene.grant, in: scene.organization, by: scene.admin)
            let token = try await fixture.accessToken(of: scene.grant).token
            let second = try await fixture.claimedSecret(of: scene.grant, in: scene.organization, by: scene.admin)
            let client = try #require(try await fixture.store.client(scene.grant))
            #expect(!fixture.store.isSecret(first, of: client))
            #expect(fixture.store.isSecret(second, of: client))
            #expect(try await scene.refusal(of: token) == .superseded)
        }
    }

    // MARK: Last use

    @Test func `last uses are written together, a grant at most once a minute`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let token = try await fixture.accessToken(of: scene.grant).token
            let caller = try #require(try await fixture.store.facts(of: token)).caller
            let uses = LastUses(fixture.store)
            let began = try await fixture.databaseNow()
            let times: [Duration] = [.zero, .seconds(30), .seconds(61)]
            var seen: [Timestamp?] = []
            for time in times {
                uses.touch(caller, at: began + time, from: IPAddress("198.51.100.7"))
                uses.touch(scene.admin.caller, at: began + time, from: nil)
                await uses.flush()
                let rows = try await fixture.owner.query("SELECT last_used_at, last_used_address FROM grants")
                #expect(try rows[0].decode("last_used_address", as: String?.self) == "198.51.100.7")
                seen.append(try rows[0].decode("last_used_at"))
            }
            #expect(seen == [began, began, began + .seconds(61)])
        }
    }
}
