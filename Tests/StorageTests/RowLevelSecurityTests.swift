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

    /// But those of the issuer, which the service reaches by functions alone.
    private static let readable =
        tables + " AND NOT c.relispartition AND has_any_column_privilege('rollcall_service', c.oid, 'SELECT')"

    @Test func `every table is forced behind the owner's and the organization's policy`() async throws {
        try await StoreFixture.with { fixture in
            let open = try await names(
                fixture,
                Self.tables + """
                     AND c.relname NOT IN ('token_keys', 'client_registrations')
                     AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                        AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'owner')
                        AND (c.relispartition OR EXISTS (
                            SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'organization'
                                AND pg_get_expr(p.polqual, p.polrelid) LIKE '%current_organization()%'
                                AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%current_organization()%')))
                    """
            )
            #expect(open == [])
            // What is of no organization is reached by the named functions alone.
            let issuers = try await names(
                fixture,
                Self.tables + """
                     AND c.relname IN ('token_keys', 'client_registrations') AND (NOT c.relrowsecurity OR NOT c.relforcerowsecurity
                        OR has_any_column_privilege('rollcall_service', c.oid, 'SELECT, INSERT, UPDATE')
                        OR has_table_privilege('rollcall_service', c.oid, 'DELETE, TRUNCATE'))
                    """
            )
            #expect(issuers == [])
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
            let tables = try await names(fixture, Self.readable)
            var filled: Set<String> = []
            for table in tables {
                let identifier = try #require(PostgresIdentifier(table))
                let count: SQL = "SELECT count(*) AS count FROM \(identifier: identifier)"
                let seen = try await fixture.pool.query(count)[0].decode("count", as: Int64.self)
                #expect(seen == 0, "\(table)")
                if try await fixture.number(count) > 0 { filled.insert(table) }
            }
            // What has no rows here proves nothing.
            #expect(Set(tables).subtracting(filled) == [])
        }
    }

    @Test func `one organization's transaction sees its own rows alone, of every table`() async throws {
        try await StoreFixture.with { fixture in
            let mine = try await Self.fill(fixture, "mine")
            let other = try await Self.fill(fixture, "other")
            for table in try await names(fixture, Self.readable) {
                let identifier = try #require(PostgresIdentifier(table))
                let column = try #require(PostgresIdentifier(table == "organizations" ? "id" : "organization_id"))
                let count: SQL = "SELECT count(*) AS count FROM \(identifier: identifier)"
                let own = try await fixture.number(count + " WHERE \(identifier: column) = \(mine.id)")
                let foreign = try await fixture.number(count + " WHERE \(identifier: column) = \(other.id)")
                #expect(own > 0 && foreign > 0, "\(table)")
                let seen = try await fixture.store.read(as: mine.id) { transaction in
                    try await transaction.query(count)[0].decode("count", as: Int64.self)
                }
                #expect(seen == own, "\(table)")
            }
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
                    "access_endings_after", "add_token_key", "anchor_checkpoint", "app_of_presented", "end_token_key",
                    "executed_erasures", "expired_waiting", "extend_partitions", "forget_registered_clients",
                    "forget_token_keys", "grant_of_client",
                    "keep_registered_client", "logs_standing", "logs_unpublished", "logs_waiting", "next_deliveries",
                    "next_expired_approvals", "next_expired_bodies", "next_expired_rejected", "next_expiring",
                    "next_lanes",
                    "next_queued_erasures", "next_refusals", "next_rejected", "organization_of_app",
                    "organization_of_claim_link",
                    "organization_of_password_link", "organization_of_session", "organization_of_slug",
                    "partitions_ahead", "register_client", "registered_client", "remove_expired", "source_of_hook",
                    "token_keys_known", "token_of_digest", "work_waiting",
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

    /// Rows in every table: of the first ones such as the product makes, of all others one that holds no more than what
    /// tells whose it is. Constraints on what else a row has to hold are nothing to the wall, and are taken away in this
    /// one database: a table that comes tomorrow is filled without a word here.
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
            INSERT INTO audit_blobs (organization_id, digest, bytes, created_at)
            VALUES (\(organization.id), sha256('{}'), '{}', now())
            """,
            """
            INSERT INTO audit_tiles (organization_id, level, tile_index, hashes)
            VALUES (\(organization.id), 0, 0, \(hash))
            """,
        ])
        _ = try await fixture.owner.pipeline([
            "SELECT set_config('test.organization', (\(organization.id)::uuid)::text, false)", filling,
        ])
        return organization
    }

    private static let filling: SQL = """
        DO $$
        DECLARE
            organization uuid := current_setting('test.organization');
            place record; fault record; columns text; amounts text; filled boolean;
        BEGIN
            FOR place IN SELECT c.oid, c.relname FROM pg_class c
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                    AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'organization_id')
            LOOP
                EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE organization_id = $1)', place.relname)
                    INTO filled USING organization;
                CONTINUE WHEN filled;
                FOR fault IN SELECT conname FROM pg_constraint WHERE conrelid = place.oid AND contype IN ('c', 'f') LOOP
                    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', place.relname, fault.conname);
                END LOOP;
                SELECT string_agg(quote_ident(a.attname), ', '), string_agg(
                    CASE WHEN a.attname = 'organization_id' THEN quote_literal(organization)
                        WHEN t.typcategory = 'A' THEN quote_literal('{}')
                        WHEN t.typname = 'uuid' THEN 'gen_random_uuid()'
                        WHEN t.typname = 'bytea' THEN 'uuid_send(gen_random_uuid())'
                        WHEN t.typcategory = 'S' THEN 'gen_random_uuid()::text'
                        WHEN t.typcategory = 'D' THEN 'now()'
                        WHEN t.typcategory = 'N' THEN '1'
                        WHEN t.typcategory = 'B' THEN 'false'
                        WHEN t.typcategory = 'I' THEN quote_literal('192.0.2.1')
                        WHEN t.typcategory = 'T' THEN quote_literal('1 day')
                        WHEN t.typname IN ('json', 'jsonb') THEN quote_literal('{}')
                    END, ', ')
                INTO columns, amounts
                FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                WHERE a.attrelid = place.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                    AND a.attidentity = ''
                    AND (a.attname = 'organization_id' OR a.attnotnull AND NOT a.atthasdef);
                EXECUTE format('INSERT INTO %I (%s) VALUES (%s)', place.relname, columns, amounts);
            END LOOP;
        END $$
        """
}
