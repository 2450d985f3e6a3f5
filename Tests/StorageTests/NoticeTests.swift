import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Notices before something runs out` {
    private func scene(
        _ body: @Sendable (StoreFixture, TestOrganization, GrantID) async throws -> Void
    ) async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            _ = try await fixture.securityAdmin(in: organization)
            let integration = try await fixture.integration(in: organization, rule: nil)
            let user = try await fixture.integrationUser(of: integration, in: organization)
            let grant = try await fixture.grant(to: user, in: organization)
            _ = try await fixture.owner.query("UPDATE grants SET created_at = now() - interval '1 year'")
            try await body(fixture, organization, grant)
        }
    }

    private func expire(_ fixture: StoreFixture, in interval: SQL) async throws {
        _ = try await fixture.owner.query("UPDATE grants SET expires_at = now() + \(interval)")
    }

    private func told(_ fixture: StoreFixture, _ organization: TestOrganization) async throws -> [Int64?] {
        await NoticeKeeper(fixture.store).look()
        return try await fixture.leaves(in: organization.id, action: .grantExpiring).map { $0["after"]?["days"]?.int64 }
    }

    @Test func `each number of days is told once, whoever looks how often`() async throws {
        try await scene { fixture, organization, _ in
            try await expire(fixture, in: "interval '15 days'")
            #expect(try await told(fixture, organization) == [])
            // The same expiry comes nearer; what moves here is the clock of what was told.
            for (interval, days) in [("13 days", [14]), ("6 days", [14, 7]), ("20 hours", [14, 7, 1])] {
                _ = try await fixture.owner.query(
                    "UPDATE grants SET expires_at = now() + \(interval)::text::interval"
                )
                _ = try await fixture.owner.query("UPDATE notices SET expires_at = (SELECT expires_at FROM grants)")
                #expect(try await told(fixture, organization) == days.map { Int64($0) })
                #expect(try await told(fixture, organization).count == days.count)
            }
            try await expire(fixture, in: "interval '13 days'")
            #expect(try await told(fixture, organization) == [14, 7, 1, 14])
        }
    }

    @Test func `many nodes at once tell it once`() async throws {
        try await scene { fixture, organization, _ in
            try await expire(fixture, in: "interval '3 days'")
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { await NoticeKeeper(fixture.store).look() } }
            }
            #expect(try await told(fixture, organization) == [7])
        }
    }

    @Test func `what never lived so long, has ended or is a leaver's is not told`() async throws {
        try await scene { fixture, organization, _ in
            _ = try await fixture.owner.query(
                "UPDATE grants SET created_at = now(), expires_at = now() + interval '5 days'"
            )
            #expect(try await told(fixture, organization) == [])
            _ = try await fixture.owner.query("UPDATE grants SET created_at = now() - interval '1 year'")
            _ = try await fixture.owner.query("UPDATE grants SET status = 'ended', ended_at = now()")
            #expect(try await told(fixture, organization) == [])
            _ = try await fixture.owner.query("UPDATE grants SET status = 'active', ended_at = NULL")
            _ = try await fixture.owner.query(
                "UPDATE users SET status = 'deactivated', deactivated_at = now() WHERE kind = 'integration'"
            )
            #expect(try await told(fixture, organization) == [])
        }
    }

    @Test func `personal tokens are told of, those of clients are not`() async throws {
        try await scene { fixture, organization, grant in
            _ = try await fixture.accessToken(of: grant)
            _ = try await fixture.owner.query(
                "UPDATE tokens SET issued_at = now() - interval '30 days', expires_at = now() + interval '12 hours'"
            )
            await NoticeKeeper(fixture.store).look()
            let told = try await fixture.leaves(in: organization.id, action: .tokenExpiring)
            #expect(told.count == 1)
            #expect(told.first?["actor"]?["id"] == "notices")
        }
    }

    @Test func `a request that nobody decided in time is settled with an entry`() async throws {
        try await scene { fixture, organization, _ in
            _ = try await fixture.owner.query(
                """
                INSERT INTO approvals (organization_id, id, kind, request, requested_by, responsible_id, requested_at,
                    expires_at)
                SELECT organization_id, gen_random_uuid(), 'organization.change', '{}', id, id,
                    now() - interval '4 days', now() - interval '1 day'
                FROM users WHERE role = 'security_admin'
                """
            )
            for _ in 0..<2 { await NoticeKeeper(fixture.store).look() }
            #expect(try await fixture.text("SELECT status FROM approvals") == "expired")
            #expect(try await fixture.leaves(in: organization.id, action: .approvalExpired).count == 1)
        }
    }
}
