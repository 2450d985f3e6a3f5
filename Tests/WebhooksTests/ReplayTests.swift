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

    @Test func `equal deliveries of a sender that signs neither id nor time are counted at the first`() async throws {
        try await TestHooks.with(profile: "shaking", secret: "what they told us") { hooks in
            let fields = try hooks.signed()
            let first = try await hooks.post(fields)
            hooks.fixture.clock.advance(by: .seconds(10))
            for _ in 0..<30 { #expect(try await hooks.post(fields).body == first.body) }
            let repeated: SQL = "SELECT repeated FROM deliveries"
            try await eventually { try await hooks.fixture.number(repeated) == 30 }
            let id = try #require(first.body["delivery"]?.string.flatMap { DeliveryID($0) })
            let shown = try await hooks.fixture.store.read(as: hooks.organization.id) {
                try await $0.delivery(id, withBody: false)
            }
            #expect(shown?.repeated == 30 && shown?.repeatedAt == hooks.fixture.clock.now())
            // Writing them is no change of what was accepted.
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id).count == 1)
        }
    }

    @Test func `thirty repetitions between two writings are one write, and one that is told apart is none`()
        async throws
    {
        try await StoreFixture.with { fixture in
            let source = try await fixture.source(in: try await fixture.organization())
            let receipt = try await fixture.deliver(fixture.event(.joiner), from: source)
            let before = try await fixture.text("SELECT xmin::text FROM deliveries")
            let repetitions = Repetitions(fixture.store)
            await repetitions.flush()
            #expect(try await fixture.text("SELECT xmin::text FROM deliveries") == before)
            let slug = try #require(Slug("hr"))
            for _ in 0..<30 {
                repetitions.note(receipt.delivery, of: slug, in: source.organization, at: fixture.clock.now())
            }
            #expect(try await fixture.number("SELECT repeated FROM deliveries") == 0)
            await repetitions.flush()
            #expect(try await fixture.number("SELECT repeated FROM deliveries") == 30)
            let profiles = try SigningProfile.embedded()
            for (name, tells) in [
                ("standard-webhooks", true), ("slack", true), ("stripe", true), ("set", true), ("rfc9421", true),
                ("github", false), ("gusto", true), ("greenhouse", false), ("personio", false), ("merge", false),
            ] {
                #expect(profiles[name]?.tellsEqualsApart == tells, "\(name)")
            }
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
