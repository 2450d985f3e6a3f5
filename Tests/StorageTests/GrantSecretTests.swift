import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Secrets of grants` {
    /// A grant of an integration's user whose custodian is the admin, with a claimed secret.
    private struct Scene {
        let fixture: StoreFixture
        let organization: TestOrganization
        let admin: TestAccount
        let grant: GrantID
        let first: OpaqueSecret

        init(_ fixture: StoreFixture) async throws {
            self.fixture = fixture
            organization = try await fixture.organization()
            admin = try await fixture.securityAdmin(in: organization)
            let integration = try await fixture.integration(in: organization, rule: nil)
            let user = try await fixture.integrationUser(of: integration, in: organization, custodian: admin.user)
            grant = try await fixture.grant(to: user, in: organization)
            first = try await fixture.claimedSecret(of: grant, in: organization, by: admin)
        }

        func regenerate(
            _ overlap: SecretOverlap,
            as member: UserID? = nil,
            confirmation: String? = nil
        ) async throws -> OpaqueSecret {
            try await fixture.store.perform(
                SecretRegeneration(
                    of: grant,
                    overlap: overlap,
                    custodian: member ?? admin.user,
                    confirmation: confirmation,
                    by: fixture.attribution(of: admin),
                    in: fixture.store
                ),
                in: organization.id
            ).secret
        }

        func works(_ secret: OpaqueSecret) async throws -> Bool {
            let client = try #require(try await fixture.store.client(grant))
            return fixture.store.isSecret(secret, of: client)
        }

        func refusal(of token: OpaqueSecret) async throws -> AccessRefusal? {
            try #require(try await fixture.store.facts(of: token)).refusal(from: IPAddress("192.0.2.1"), for: .any)
        }

        func kill(_ secret: GrantSecretID?) async throws -> GrantView {
            let attribution = fixture.attribution(of: admin)
            guard let secret else {
                return try await fixture.store.perform(GrantKill(of: grant, by: attribution), in: organization.id)
            }
            let end = CredentialEnd(of: grant, .secret(secret), custodian: nil, by: attribution)
            return try await fixture.store.perform(end, in: organization.id)
        }

        func view() async throws -> GrantView {
            try #require(try await fixture.store.read(as: organization.id) { try await $0.grant(grant) })
        }
    }

    private func scene(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await StoreFixture.with { try await body(Scene($0)) }
    }

    @Test func `whoever is replaced as custodian at that moment gets no secret`() async throws {
        try await StoreFixture.with { fixture in
            let scene = try await Scene(fixture)
            let next = try await fixture.member(.member, in: scene.organization)
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await fixture.owner.transaction { transaction in
                    _ = try await transaction.query("SELECT id FROM users WHERE kind = 'integration' FOR NO KEY UPDATE")
                    _ = try await transaction.query("SELECT id FROM grants FOR UPDATE")
                    group.addTask {
                        await #expect(throws: AccessRefusal.notFound) { try await scene.regenerate(.none) }
                    }
                    // It waits for one of the two.
                    try await eventually {
                        try await fixture.number(
                            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
                        ) > 0
                    }
                    _ = try await transaction.query(
                        "UPDATE users SET custodian_id = \(next.user) WHERE kind = 'integration'"
                    )
                    _ = try await transaction.query("UPDATE grant_secrets SET ended_at = now()")
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.number("SELECT count(*) FROM grant_secrets WHERE ended_at IS NULL") == 0)
        }
    }

    @Test func `without overlap the former secret and its tokens end at once`() async throws {
        try await scene { scene in
            let token = try await scene.fixture.accessToken(of: scene.grant).token
            let second = try await scene.regenerate(.none)
            #expect(try await scene.works(second))
            #expect(try await !scene.works(scene.first))
            #expect(try await scene.refusal(of: token) == .superseded)
            #expect(try await scene.view().secrets.count == 1)
        }
    }

    @Test(arguments: [SecretOverlap.hour, .day, .week])
    func `with an overlap both work until its end, and tokens live on`(overlap: SecretOverlap) async throws {
        try await scene { scene in
            let token = try await scene.fixture.accessToken(of: scene.grant).token
            let began = try await scene.fixture.databaseNow()
            let second = try await scene.regenerate(overlap)
            #expect(try await scene.works(scene.first))
            #expect(try await scene.works(second))
            #expect(try await scene.refusal(of: token) == nil)
            let secrets = try await scene.view().secrets
            #expect(secrets.count == 2 && secrets[1].notAfter == nil)
            let until = try #require(secrets[0].notAfter)
            let wanted = try #require(overlap.duration)
            #expect((wanted...(wanted + .seconds(60))).contains(until - began))
            _ = try await scene.fixture.owner.query(
                "UPDATE grant_secrets SET not_after = clock_timestamp() WHERE not_after IS NOT NULL"
            )
            #expect(try await !scene.works(scene.first))
            #expect(try await scene.works(second))
            #expect(try await scene.view().secrets.count == 1)
        }
    }

    @Test func `a third secret asks before it ends the first`() async throws {
        try await scene { scene in
            _ = try await scene.regenerate(.week)
            var value: String?
            do {
                _ = try await scene.regenerate(.hour)
                Issue.record("nobody asked")
            } catch ChangeRefusal.confirmationRequired(let wanted, let detail) {
                value = wanted
                #expect(detail.contains("was not used"))
            }
            #expect(try await scene.works(scene.first))
            await #expect(throws: ChangeRefusal.self) { try await scene.regenerate(.hour, confirmation: "ok_0") }
            _ = try await scene.regenerate(.hour, confirmation: value)
            #expect(try await !scene.works(scene.first))
            #expect(try await scene.view().secrets.count == 2)
        }
    }

    @Test func `the custodian alone regenerates, whatever else somebody may do`() async throws {
        try await scene { scene in
            let other = try await scene.fixture.member(
                .securityAdmin,
                in: scene.organization,
                username: "other@acme.example"
            )
            await #expect(throws: AccessRefusal.notFound) { try await scene.regenerate(.none, as: other.user) }
            #expect(try await scene.works(scene.first))
            let entries = try await scene.fixture.leaves(in: scene.organization.id, action: .secretRegenerated)
            #expect(entries.map { $0["reason"]?.string } == ["not_found"])
        }
    }

    @Test func `of many who regenerate at once one secret is current`() async throws {
        try await scene { scene in
            let secrets = try await withThrowingTaskGroup(of: OpaqueSecret.self) { group in
                for _ in 0..<6 { group.addTask { try await scene.regenerate(.none) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var working = 0
            for secret in secrets where try await scene.works(secret) { working += 1 }
            #expect(working == 1)
            #expect(try await scene.view().secrets.count == 1)
        }
    }

    @Test func `another grant's secret opens nothing`() async throws {
        try await scene { scene in
            let integration = try await scene.fixture.integration(in: scene.organization, slug: "erp", rule: nil)
            let user = try await scene.fixture.integrationUser(
                of: integration,
                in: scene.organization,
                username: "erp.robot",
                custodian: scene.admin.user
            )
            let other = try await scene.fixture.grant(to: user, in: scene.organization)
            let secret = try await scene.fixture.claimedSecret(of: other, in: scene.organization, by: scene.admin)
            #expect(try await !scene.works(secret))
            let id = try #require(try await scene.view().secrets.first?.id)
            let attribution = scene.fixture.attribution(of: scene.admin)
            let end = CredentialEnd(of: other, .secret(id), custodian: nil, by: attribution)
            await #expect(throws: AccessRefusal.notFound) {
                try await scene.fixture.store.perform(end, in: scene.organization.id)
            }
            #expect(try await scene.works(scene.first))
        }
    }

    @Test func `one secret or everything is killed at once`() async throws {
        try await scene { scene in
            let second = try await scene.regenerate(.week)
            let token = try await scene.fixture.accessToken(of: scene.grant).token
            let former = try #require(try await scene.view().secrets.first?.id)
            #expect(try await scene.kill(former).secrets.count == 1)
            #expect(try await !scene.works(scene.first))
            #expect(try await scene.works(second))
            #expect(try await scene.refusal(of: token) == nil)
            let later = try await scene.fixture.accessToken(of: scene.grant).token
            let killed = try await scene.kill(nil)
            #expect(killed.secrets.isEmpty && killed.status == .active)
            #expect(try await !scene.works(second))
            #expect(try await scene.refusal(of: later) == .superseded)
            let actions = try await scene.fixture.actions(in: scene.organization.id)
            #expect(actions.contains("grant.killed") && actions.contains("grant.secret_ended"))
        }
    }

    @Test func `a killed secret ends what it bought, and what the other bought lives on`() async throws {
        try await scene { scene in
            _ = try await scene.regenerate(.week)
            let secrets = try await scene.view().secrets.map(\.id)
            let old = try await scene.fixture.accessToken(of: scene.grant, by: secrets[0]).token
            let new = try await scene.fixture.accessToken(of: scene.grant, by: secrets[1]).token
            #expect(try await scene.refusal(of: old) == nil)
            var client = try #require(try await scene.fixture.store.client(scene.grant))
            client.presented = secrets[0]
            _ = try await scene.kill(secrets[0])
            #expect(try await scene.refusal(of: old) == .tokenRevoked)
            #expect(try await scene.refusal(of: new) == nil)
            // Proved before it was killed, issued after: nothing is issued.
            let issue = try await TokenIssue(
                to: client,
                scopes: client.scopes,
                audience: nil,
                lifetime: .seconds(60),
                by: scene.fixture.attribution(of: scene.admin),
                in: scene.fixture.store
            )
            await #expect(throws: AccessRefusal.superseded) {
                try await scene.fixture.store.perform(issue, in: scene.organization.id)
            }
        }
    }

    @Test func `no token outlives the overlap of the secret that bought it`() async throws {
        try await scene { scene in
            let first = try #require(try await scene.view().secrets.first?.id)
            let before = try await scene.fixture.accessToken(of: scene.grant, by: first).token
            _ = try await scene.regenerate(.week)
            _ = try await scene.fixture.owner.query(
                "UPDATE grant_secrets SET not_after = clock_timestamp() + interval '5 seconds' WHERE id = \(first)"
            )
            let late = try await scene.fixture.accessToken(of: scene.grant, by: first)
            let bound = try await scene.fixture.databaseNow() + .seconds(5)
            #expect(late.caller.tokenExpiresAt <= bound)
            // A third secret, confirmed, ends the first one before its time.
            do {
                _ = try await scene.regenerate(.hour)
                Issue.record("nobody asked")
            } catch ChangeRefusal.confirmationRequired(let wanted, _) {
                _ = try await scene.regenerate(.hour, confirmation: wanted)
            }
            #expect(try await scene.refusal(of: before) == .tokenRevoked)
        }
    }

    @Test func `a grant says which secret was used last, from where`() async throws {
        try await scene { scene in
            _ = try await scene.regenerate(.week)
            let client = try #require(try await scene.fixture.store.client(scene.grant))
            let former = try #require(try await scene.view().secrets.first?.id)
            let uses = LastUses(scene.fixture.store)
            uses.touch(client, secret: former, from: IPAddress("198.51.100.9"))
            await uses.flush()
            let view = try await scene.view()
            #expect(view.lastUsedSecret == former)
            #expect(view.lastUsedAddress == "198.51.100.9")
            #expect(view.secrets.map(\.lastUsedAddress) == ["198.51.100.9", nil])
        }
    }

    @Test func `the newest addresses of a grant are remembered, and no more`() async throws {
        try await scene { scene in
            let client = try #require(try await scene.fixture.store.client(scene.grant))
            let uses = LastUses(scene.fixture.store)
            for number in 0..<300 {
                uses.touch(client, secret: nil, from: IPAddress(ipv4: 0xC633_6400 + UInt32(number)))
            }
            await uses.flush()
            #expect(try await scene.fixture.number("SELECT count(*) FROM grant_addresses") == 200)
        }
    }
}
