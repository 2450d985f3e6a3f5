import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct Replays {
    @Test func `a replay under a new unsigned id has the same answer and no effect`() async throws {
        try await TestHooks.with(profile: "github", secret: "It's a Secret to Everybody") { hooks in
            let delivery = try #require(HTTPField.Name("x-github-delivery"))
            var fields = try hooks.signed()
            fields[delivery] = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
            let first = try await hooks.post(fields)
            #expect(first.status == 200 && first.body["delivery"] != nil)
            fields[delivery] = "another"
            #expect(try await hooks.post(fields).body == first.body)
            #expect(try await hooks.deliveries == 1)
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id).count == 1)
        }
    }

    @Test func `where no time is signed, no time passes after which a replay counts`() async throws {
        try await TestHooks.with(profile: "shaking", secret: "what they told us") { hooks in
            let fields = try hooks.signed()
            let first = try await hooks.post(fields)
            hooks.fixture.clock.advance(by: .seconds(5 * 366 * 86_400))
            let again = try await hooks.post(fields)
            #expect(again.status == 200 && again.body == first.body)
            #expect(try await hooks.deliveries == 1)
        }
    }

    @Test func `the schema says that what tells a replay is never forgotten`() async throws {
        try await StoreFixture.with { fixture in
            let comment = try await fixture.text(
                """
                SELECT obj_description(c.oid, 'pg_constraint') FROM pg_constraint c WHERE c.conname = 'deliveries_once'
                """
            )
            #expect(comment?.contains("as long as the source lives") == true)
            let row: SQL = "SELECT has_table_privilege('rollcall_service', 'deliveries', 'DELETE, TRUNCATE') AS may"
            #expect(try await fixture.owner.query(row).first?.decode("may", as: Bool.self) == false)
        }
    }
}
