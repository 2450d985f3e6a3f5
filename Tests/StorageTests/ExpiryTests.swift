import Domain
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct ExpiryTests {
    @Test func `what is over goes after its time, in batches, and what is not stays`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let before = try await fixture.number("SELECT count(*) FROM tokens")
            // Token ids and digests of their own, some over for eight days, some for six.
            for (count, ago) in [(2500, "8 days"), (7, "6 days")] {
                _ = try await fixture.owner.query(
                    """
                    INSERT INTO tokens (organization_id, id, kind, digest, user_id, scopes, user_epoch, issued_at,
                        expires_at)
                    SELECT \(organization.id), gen_random_uuid(), 'personal',
                        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), \(admin.user), '{}', 1,
                        now() - interval '30 days', now() - \(ago)::text::interval
                    FROM generate_series(1, \(Int32(count)))
                    """
                )
            }
            for (key, ago) in [("old", "25 hours"), ("new", "23 hours")] {
                _ = try await fixture.owner.query(
                    """
                    INSERT INTO idempotency_keys (organization_id, user_id, key, operation, request_digest,
                        answer_status, created_at)
                    VALUES (\(organization.id), \(admin.user), \(key), 'x', '', 201, now() - \(ago)::text::interval)
                    """
                )
            }
            let integration = try await fixture.integration(in: organization, rule: nil)
            let user = try await fixture.integrationUser(of: integration, in: organization)
            let grant = try await fixture.grant(to: user, in: organization)
            for (count, ahead) in [(3, "-2 minutes"), (2, "-30 seconds"), (1, "1 minute")] {
                _ = try await fixture.owner.query(
                    """
                    INSERT INTO client_assertions (organization_id, grant_id, digest, expires_at)
                    SELECT \(organization.id), \(grant), uuid_send(gen_random_uuid()), now() + \(ahead)::text::interval
                    FROM generate_series(1, \(Int32(count)))
                    """
                )
            }
            for days in [6, 8] {
                _ = try await fixture.owner.pipeline([
                    """
                    INSERT INTO grant_addresses (organization_id, grant_id, address, last_used_at)
                    VALUES (\(organization.id), \(grant), \("192.0.2.\(days)"), now() - \(Int32(days)) * interval '1 day')
                    """,
                    """
                    INSERT INTO notices (organization_id, noun, subject_id, expires_at, days, noticed_at)
                    VALUES (\(organization.id), 'grant', \(grant), now() - \(Int32(days)) * interval '1 day', 7, now())
                    """,
                ])
            }
            #expect(try await fixture.store.expiryOverdue() > .seconds(3600))
            let gone = try await ExpiredRows(fixture.store).remove()
            #expect(
                gone == [
                    "token": 2500, "idempotency_key": 1, "client_assertion": 3, "grant_address": 1, "notice": 1,
                ]
            )
            #expect(try await fixture.number("SELECT count(*) FROM client_assertions") == 3)
            #expect(try await fixture.number("SELECT count(*) FROM tokens") == before + 7)
            #expect(try await fixture.text("SELECT key FROM idempotency_keys") == "new")
            #expect(try await fixture.store.expiryOverdue() == .zero)
            #expect(try await ExpiredRows(fixture.store).remove().isEmpty)
        }
    }

    @Test func `an ending stays until every transaction of ten minutes ago is over`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let rows = ExpiredRows(fixture.store)
            let ending: SQL = """
                INSERT INTO access_endings (organization_id, subject, subject_id)
                VALUES (\(organization.id), 'user', gen_random_uuid())
                """
            // Transactions of other tests' databases count too.
            let past: SQL = """
                SELECT count(*) FROM access_endings WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())
                """
            _ = try await fixture.owner.query(ending)
            try await eventually { try await fixture.number(past) == 0 }
            let start = ContinuousClock.now
            #expect(try await rows.remove(at: start).isEmpty)
            _ = try await fixture.owner.query(ending)
            try await eventually { try await fixture.number(past) == 0 }
            #expect(try await rows.remove(at: start + .seconds(599)).isEmpty)
            #expect(try await rows.remove(at: start + .seconds(600)) == ["access_ending": 1])
            #expect(try await fixture.number("SELECT count(*) FROM access_endings") == 1)
            #expect(try await rows.remove(at: start + .seconds(1199)) == ["access_ending": 1])
        }
    }
}
