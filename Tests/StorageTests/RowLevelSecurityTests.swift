import Domain
import Postgres
import Storage
import TestSupport
import Testing

@Suite struct RowLevelSecurityTests {
    private func names(_ fixture: StoreFixture, _ statement: SQL) async throws -> [String] {
        try await fixture.owner.query(statement).map { try $0.decode(at: 0) }
    }

    private static let tables: SQL = """
        SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        """

    @Test func `every table is forced behind the owner's and the organization's policy`() async throws {
        try await StoreFixture.with { fixture in
            let open = try await names(
                fixture,
                Self.tables + """
                     AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                        AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'owner')
                        AND (c.relispartition OR EXISTS (
                            SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'organization'
                                AND pg_get_expr(p.polqual, p.polrelid) LIKE '%current_organization()%'
                                AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%current_organization()%')))
                    """
            )
            #expect(open == [])
            let reachablePartitions = try await names(
                fixture,
                Self.tables + " AND c.relispartition AND has_any_column_privilege('rollcall_service', c.oid, 'SELECT')"
            )
            #expect(reachablePartitions == [])
        }
    }

    @Test func `with no organization set the service sees no row of any table`() async throws {
        try await StoreFixture.with { fixture in
            try await Self.fill(fixture)
            let tables = try await names(fixture, Self.tables + " AND NOT c.relispartition")
            var filled: Set<String> = []
            for table in tables {
                let identifier = try #require(PostgresIdentifier(table))
                let count: SQL = "SELECT count(*) AS count FROM \(identifier: identifier)"
                let seen = try await fixture.pool.query(count)[0].decode("count", as: Int64.self)
                #expect(seen == 0, "\(table)")
                if try await fixture.number(count) > 0 { filled.insert(table) }
            }
            // What has no rows here proves nothing.
            let empty = Set(tables).subtracting(filled)
            let unfilled: Set = [
                "refusal_tallies", "idempotency_keys", "pending_keys", "rejected_requests", "rejected_quotas",
                "access_endings", "accounts", "password_links", "sessions", "sign_in_attempts",
                "grant_secrets", "grant_addresses", "approvals", "scopes", "notices", "grant_keys",
                "client_assertions",
                "apps", "authorizations", "authorization_codes",
            ]
            #expect(empty.isSubset(of: unfilled), "\(empty)")
        }
    }

    @Test func `one organization's transaction sees its own rows alone`() async throws {
        try await StoreFixture.with { fixture in
            let mine = try await Self.fill(fixture, "mine")
            let other = try await Self.fill(fixture, "other")
            for table in ["people", "users", "grants", "events", "deliveries", "audit_entries", "lanes", "sources"] {
                let identifier = try #require(PostgresIdentifier(table))
                let seen = try await fixture.store.read(as: mine.id) { transaction in
                    try await transaction.query(
                        "SELECT DISTINCT organization_id FROM \(identifier: identifier)"
                    ).map { try $0.decode("organization_id", as: OrganizationID.self) }
                }
                #expect(seen == [mine.id], "\(table)")
            }
            #expect(mine.id != other.id)
        }
    }

    @Test func `the service can add audit entries and never change or remove one`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await Self.fill(fixture)
            let attempts: [SQL] = [
                "UPDATE audit_entries SET outcome = 'done'", "DELETE FROM audit_entries", "TRUNCATE audit_entries",
                "ALTER TABLE audit_entries DISABLE ROW LEVEL SECURITY",
                "INSERT INTO organizations (id, slug, name, created_at) VALUES (gen_random_uuid(), 'x', 'X', now())",
            ]
            for attempt in attempts {
                let error = await #expect(throws: PostgresError.self) {
                    try await fixture.store.read(as: organization.id) { _ = try await $0.query(attempt) }
                }
                #expect(error?.sqlState?.rawValue == "42501", "\(attempt)")
            }
            for attempt in attempts.prefix(3) {
                let error = await #expect(throws: PostgresError.self) { _ = try await fixture.owner.query(attempt) }
                #expect(error?.sqlState?.rawValue == "42501", "\(attempt)")
            }
        }
    }

    @Test func `what crosses organizations is exactly the named functions and their columns`() async throws {
        try await StoreFixture.with { fixture in
            let crossings = try await names(
                fixture,
                """
                SELECT p.proname::text FROM pg_proc p
                WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef ORDER BY 1
                """
            )
            #expect(
                crossings == [
                    "access_endings_after", "expired_waiting", "extend_partitions",
                    "grant_of_client", "logs_standing", "logs_unpublished", "logs_waiting",
                    "next_deliveries",
                    "next_expired_approvals", "next_expired_rejected", "next_expiring", "next_lanes",
                    "next_refusals", "next_rejected", "organization_of_app",
                    "organization_of_claim_link",
                    "organization_of_password_link", "organization_of_session", "organization_of_slug",
                    "partitions_ahead", "remove_expired", "source_of_hook",
                    "token_of_digest", "work_waiting",
                ]
            )
            let open = try await names(
                fixture,
                """
                SELECT p.proname::text FROM pg_proc p
                WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
                    AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))
                """
            )
            #expect(open == [])
            // Work to do is named by ids alone.
            let columns = try await names(
                fixture,
                """
                SELECT p.proname || ': ' || pg_get_function_result(p.oid) FROM pg_proc p
                WHERE p.pronamespace = 'public'::regnamespace
                    AND p.proname IN ('next_deliveries', 'next_expired_rejected', 'next_lanes', 'next_rejected',
                        'organization_of_claim_link') ORDER BY 1
                """
            )
            #expect(
                columns == [
                    "next_deliveries: TABLE(organization_id uuid, id uuid)",
                    "next_expired_rejected: TABLE(organization_id uuid, id uuid)",
                    "next_lanes: TABLE(organization_id uuid, source_id uuid, external_id text)",
                    "next_rejected: TABLE(organization_id uuid, id uuid)",
                    "organization_of_claim_link: uuid",
                ]
            )
        }
    }

    /// Rows in nearly every table.
    @discardableResult
    static func fill(_ fixture: StoreFixture, _ slug: String = "acme") async throws -> TestOrganization {
        let organization = try await fixture.organization(slug)
        let admin = try await fixture.securityAdmin(in: organization)
        let source = try await fixture.source(in: organization)
        _ = try await fixture.integration(in: organization)
        try await fixture.deliver(fixture.event(.joiner), from: source)
        try await fixture.settle()
        let grant = try await fixture.grant(in: organization)
        _ = try await fixture.store.perform(
            ClaimLinkCreation(for: grant, by: admin.caller, fixture.attribution(of: admin), in: fixture.store),
            in: organization.id
        )
        let hash = [UInt8](repeating: 0, count: 32)
        _ = try await fixture.owner.pipeline([
            """
            INSERT INTO audit_logs (organization_id, origin, leadership, root, created_at)
            VALUES (\(organization.id), \(slug), 1, \(hash), now())
            """,
            """
            INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, action, outcome)
            SELECT organization_id, 0, id, recorded_at, action, outcome FROM audit_entries
            WHERE organization_id = \(organization.id) LIMIT 1
            """,
            """
            INSERT INTO audit_tiles (organization_id, level, tile_index, hashes)
            VALUES (\(organization.id), 0, 0, \(hash))
            """,
        ])
        return organization
    }
}
