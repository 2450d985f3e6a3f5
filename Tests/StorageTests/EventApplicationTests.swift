import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct EventApplicationTests {
    /// An organization with a source and an integration for Finance.
    private struct Scene {
        let fixture: StoreFixture
        let organization: TestOrganization
        let source: TestSource
        let integration: IntegrationID

        init(_ fixture: StoreFixture) async throws {
            self.fixture = fixture
            organization = try await fixture.organization()
            source = try await fixture.source(in: organization)
            integration = try await fixture.integration(in: organization)
        }

        func send(_ events: JSON..., id: String? = nil) async throws {
            let body: JSON = events.count == 1 ? events[0] : ["events": .array(events)]
            try await fixture.deliver(body, from: source, id: id)
            try await fixture.settle()
        }

        /// `username status epoch`, in the order of their making.
        func users() async throws -> [String] {
            try await fixture.owner.query(
                """
                SELECT username || ' ' || status || ' ' || epoch AS line FROM users WHERE person_id IS NOT NULL
                ORDER BY created_at, kind DESC, id
                """
            ).map { try $0.decode("line") }
        }

        func grants() async throws -> [String] {
            try await fixture.owner.query(
                """
                SELECT array_to_string(scopes, ',') || ' ' || status || ' ' || epoch AS line FROM grants
                ORDER BY created_at, id
                """
            ).map { try $0.decode("line") }
        }

        /// `kind status reason`, in the order of receipt.
        func events() async throws -> [String] {
            try await fixture.owner.query(
                """
                SELECT kind || ' ' || status || coalesce(' ' || reason, '') AS line FROM events
                ORDER BY sequence, ordinal
                """
            ).map { try $0.decode("line") }
        }

        func personStatus() async throws -> String? { try await fixture.text("SELECT status FROM people") }

        /// As if that much time had passed for what waits.
        func hurry() async throws {
            _ = try await fixture.owner.pipeline([
                "UPDATE events SET due_at = now() - interval '1 second' WHERE status = 'pending'",
                "UPDATE lanes SET ready_at = now() - interval '1 second' WHERE ready_at IS NOT NULL",
            ])
            try await fixture.settle()
        }
    }

    private func scene(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await StoreFixture.with { try await body(Scene($0)) }
    }

    @Test func `a joiner gets a member, an integration user and a grant, each with its entry`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner))
            #expect(try await scene.users() == ["ada@acme.example active 1", "crm.ada@acme.example active 1"])
            #expect(try await scene.grants() == ["people:read,people:read.self active 1"])
            #expect(try await scene.events() == ["joiner applied"])
            #expect(
                try await fixture.actions(in: scene.organization.id) == [
                    "delivery.accepted", "grant.created", "person.created", "user.created", "user.created",
                ]
            )
            let leaves = try await fixture.leaves(in: scene.organization.id, action: .grantCreated)
            let leaf = try #require(leaves.first)
            #expect(leaf["actor"]?["id"]?.string == scene.source.user.description)
            #expect(leaf["authority"]?["id"]?.string == scene.integration.description)
            #expect(leaf["client_ip"]?.string == "192.0.2.7")
            #expect(leaf["source_event"]?.string?.hasPrefix("evt_") == true)
        }
    }

    @Test func `no leaf holds a personal value`() async throws {
        try await scene { scene in
            try await scene.send(scene.fixture.event(.joiner))
            for leaf in try await scene.fixture.leaves(in: scene.organization.id) {
                #expect(!leaf.text.contains("ada@acme.example"))
                #expect(!leaf.text.contains("Lovelace"))
            }
        }
    }

    @Test func `a mover's users begin and end with the rules`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner, department: "Sales"))
            #expect(try await scene.users() == ["ada@acme.example active 1"])
            try await scene.send(fixture.event(.mover, department: "Finance"))
            #expect(try await scene.users() == ["ada@acme.example active 1", "crm.ada@acme.example active 1"])
            try await scene.send(fixture.event(.mover, department: "Sales"))
            #expect(try await scene.users() == ["ada@acme.example active 1", "crm.ada@acme.example deactivated 2"])
            #expect(try await scene.grants() == ["people:read,people:read.self ended 2"])
            let ended = try await fixture.leaves(in: scene.organization.id, action: .userDeactivated)
            #expect(ended.map { $0["reason"]?.string } == ["rule_ended"])
            let grants = try await fixture.leaves(in: scene.organization.id, action: .grantEnded)
            for leaf in ended + grants {
                #expect(leaf[pointer: "/authority/kind"]?.string == "rule")
                #expect(leaf[pointer: "/authority/id"]?.string == scene.integration.description)
            }
            #expect(grants.count == 1)
        }
    }

    @Test func `a leaver's users and grants end and a rehire gets new ones`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner))
            try await scene.send(fixture.event(.leaver, userName: nil, department: nil))
            #expect(try await scene.personStatus() == "left")
            #expect(
                try await scene.users() == ["ada@acme.example deactivated 2", "crm.ada@acme.example deactivated 2"]
            )
            #expect(try await scene.grants() == ["people:read,people:read.self ended 2"])
            try await scene.send(fixture.event(.rehire))
            #expect(try await scene.personStatus() == "active")
            #expect(
                try await scene.users() == [
                    "ada@acme.example deactivated 2", "crm.ada@acme.example deactivated 2",
                    "ada@acme.example active 1", "crm.ada@acme.example active 1",
                ]
            )
            #expect(
                try await scene.grants() == [
                    "people:read,people:read.self ended 2", "people:read,people:read.self active 1",
                ]
            )
        }
    }

    @Test func `what is older than what was applied is stale and says so`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.leaver, occurredAt: "2026-11-20T10:00:00Z"))
            #expect(try await scene.events() == ["leaver ignored unknown_person"])
            try await scene.send(fixture.event(.joiner, occurredAt: "2026-11-20T09:00:00Z"))
            #expect(try await scene.events() == ["leaver ignored unknown_person", "joiner stale"])
            #expect(try await scene.personStatus() == nil)
            let settled = try await fixture.leaves(in: scene.organization.id, action: .eventSettled)
            #expect(settled.map { $0["reason"]?.string } == ["unknown_person", "stale"])
        }
    }

    @Test func `a leaver that a mover overtook ends the access all the same`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner, occurredAt: "2026-11-20T08:00:00Z"))
            try await scene.send(fixture.event(.mover, occurredAt: "2026-11-20T11:00:00Z"))
            try await scene.send(
                fixture.event(.leaver, userName: nil, department: nil, occurredAt: "2026-11-20T10:00:00Z")
            )
            #expect(try await scene.events() == ["joiner applied", "mover applied", "leaver applied"])
            #expect(try await scene.personStatus() == "left")
            #expect(
                try await scene.users() == ["ada@acme.example deactivated 2", "crm.ada@acme.example deactivated 2"]
            )
            // What was applied stays the measure of what comes next.
            try await scene.send(fixture.event(.joiner, occurredAt: "2026-11-20T10:30:00Z"))
            #expect(try await scene.events().last == "joiner stale")
            try await scene.send(fixture.event(.rehire, occurredAt: "2026-11-20T12:00:00Z"))
            #expect(try await scene.personStatus() == "active")
        }
    }

    @Test func `a leaver that a rehire outlived is stale`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner, occurredAt: "2026-11-20T08:00:00Z"))
            try await scene.send(fixture.event(.rehire, occurredAt: "2026-11-20T11:00:00Z"))
            try await scene.send(fixture.event(.mover, occurredAt: "2026-11-20T12:00:00Z"))
            try await scene.send(
                fixture.event(.leaver, userName: nil, department: nil, occurredAt: "2026-11-20T10:00:00Z")
            )
            #expect(try await scene.events().last == "leaver stale")
            #expect(try await scene.personStatus() == "active")
        }
    }

    @Test func `events of one delivery apply in the order of their times`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(
                fixture.event(.mover, department: "Sales", occurredAt: "2026-11-20T11:00:00Z"),
                fixture.event(.joiner, occurredAt: "2026-11-20T10:00:00Z"),
                fixture.event(.joiner, "e-2", userName: "bob@acme.example", occurredAt: "2026-11-20T10:00:00Z")
            )
            #expect(try await scene.events() == ["mover applied", "joiner applied", "joiner applied"])
            let departments = try await fixture.owner.query(
                "SELECT attributes::text AS text FROM people ORDER BY external_id"
            )
            #expect(try departments[0].decode("text", as: String.self).contains("Sales"))
            #expect(try departments[1].decode("text", as: String.self).contains("Finance"))
        }
    }

    @Test func `a failing event retries with growing pauses and is dead at last, visibly`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            _ = try await fixture.member(.member, in: scene.organization, username: "ADA@acme.example")
            try await scene.send(fixture.event(.joiner))
            #expect(try await scene.events() == ["joiner pending another active user has that user name"])
            #expect(try await fixture.number("SELECT attempts::bigint FROM events") == 1)
            #expect(try await fixture.number("SELECT count(*) FROM events WHERE due_at > now()") == 1)
            // Nobody else waits for it.
            try await scene.send(fixture.event(.joiner, "e-2", userName: "bob@acme.example"))
            #expect(try await scene.events().last == "joiner applied")
            for _ in 2...RetryPolicy.mostAttempts { try await scene.hurry() }
            #expect(try await scene.events().first == "joiner dead another active user has that user name")
            let dead = try await fixture.leaves(in: scene.organization.id, action: .eventDead)
            #expect(dead.count == 1)
            #expect(dead.first?["outcome"]?.string == "done")
        }
    }

    @Test func `many persons claimed together lose only the one that fails`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            _ = try await fixture.member(.member, in: scene.organization, username: "p3@acme.example")
            let events = (0..<8).map { fixture.event(.joiner, "e-\($0)", userName: "p\($0)@acme.example") }
            try await fixture.deliver(["events": .array(events)], from: scene.source)
            try await fixture.settle()
            #expect(try await fixture.number("SELECT count(*) FROM people") == 7)
            #expect(try await fixture.number("SELECT count(*) FROM events WHERE status = 'pending'") == 1)
        }
    }

    @Test func `a leaver never waits for a failing event of its own person`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner, occurredAt: "2026-11-20T09:00:00Z"))
            _ = try await fixture.integrationUser(
                of: scene.integration,
                in: scene.organization,
                username: "hr.ada@acme.example"
            )
            _ = try await fixture.integration(in: scene.organization, slug: "hr", rule: "title eq \"CFO\"")
            var promotion = fixture.event(.mover, occurredAt: "2026-11-20T10:00:00Z").object ?? [:]
            promotion["person"] = .object((promotion["person"]?.object ?? [:]).merged(with: ["title": "CFO"]))
            try await scene.send(.object(promotion))
            #expect(try await scene.events().last?.hasPrefix("mover pending") == true)
            try await scene.send(fixture.event(.mover, department: "Sales", occurredAt: "2026-11-20T11:00:00Z"))
            #expect(try await scene.events().last == "mover pending")
            try await scene.send(fixture.event(.leaver, occurredAt: "2026-11-20T12:00:00Z"))
            #expect(try await scene.events().last == "leaver applied")
            #expect(try await scene.personStatus() == "left")
            try await scene.hurry()
            #expect(try await scene.events() == ["joiner applied", "mover stale", "mover stale", "leaver applied"])
        }
    }

    @Test func `a scheduled leaver acts at its day and a cancellation takes it back`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            try await scene.send(fixture.event(.joiner))
            try await scene.send(fixture.event(.leaver, effectiveAt: "2099-01-01"))
            #expect(try await scene.events().last == "leaver pending")
            #expect(try await scene.personStatus() == "active")
            try await scene.send(fixture.event(.leaverCancelled))
            #expect(try await scene.events()[1] == "leaver superseded the leaving was taken back")
            let settled = try await fixture.leaves(in: scene.organization.id, action: .eventSettled)
            let reasons = settled.map { $0["reason"]?.string ?? "" }
            #expect(reasons.contains("superseded"))
            try await scene.send(fixture.event(.leaver, effectiveAt: "2099-01-01"))
            try await scene.hurry()
            #expect(try await scene.personStatus() == "left")
        }
    }

    @Test func `a rule's change reaches people without any event of theirs`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let admin = try await fixture.securityAdmin(in: scene.organization)
            try await scene.send(fixture.event(.joiner))
            try await fixture.change(scene.integration, in: scene.organization, by: admin) {
                $0.rule = IntegrationRule("department eq \"Legal\"")
            }
            try await fixture.settle()
            #expect(try await scene.users() == ["ada@acme.example active 1", "crm.ada@acme.example deactivated 2"])
            try await fixture.change(scene.integration, in: scene.organization, by: admin) {
                $0.rule = IntegrationRule("department eq \"finance\"")
            }
            try await fixture.settle()
            #expect(try await scene.users().last == "crm.ada@acme.example active 1")
        }
    }

    @Test func `with a member end at once those who act for their person`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let admin = try await fixture.securityAdmin(in: scene.organization)
            try await scene.send(fixture.event(.joiner))
            let member = try await fixture.owner.query("SELECT id FROM users WHERE username = 'ada@acme.example'")
            let deactivation = UserDeactivation(
                of: try #require(member.first).decode("id"),
                by: admin.caller,
                confirmation: nil,
                fixture.attribution(of: admin)
            )
            _ = try await fixture.store.perform(deactivation, in: scene.organization.id)
            // No worker ran since.
            let ended = ["ada@acme.example deactivated 2", "crm.ada@acme.example deactivated 2"]
            #expect(try await scene.users() == ended)
            #expect(try await fixture.number("SELECT count(*) FROM grants WHERE status <> 'ended'") == 0)
            let entries = try await fixture.leaves(in: scene.organization.id, action: .userDeactivated)
            #expect(entries.map { $0["reason"] } == [.null, "member_deactivated"])
            try await fixture.settle()
            #expect(try await scene.users() == ended)
        }
    }

    @Test func `a re-evaluation is not lost to an event that makes none`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let admin = try await fixture.securityAdmin(in: scene.organization)
            try await scene.send(fixture.event(.joiner, occurredAt: "2026-11-20T10:00:00Z"))
            try await fixture.deliver(
                fixture.event(.mover, department: "Sales", occurredAt: "2026-11-20T09:00:00Z"),
                from: scene.source
            )
            try await fixture.change(scene.integration, in: scene.organization, by: admin) { $0.status = .disabled }
            try await fixture.settle()
            #expect(try await scene.events().last == "mover stale")
            #expect(try await scene.users().last == "crm.ada@acme.example deactivated 2")
        }
    }

    @Test func `a re-evaluation that fails does not put off a leaver's day`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let admin = try await fixture.securityAdmin(in: scene.organization)
            try await scene.send(fixture.event(.joiner))
            let soon = try await fixture.databaseNow() + .seconds(120)
            try await scene.send(
                fixture.event(.leaver, userName: nil, department: nil, effectiveAt: soon.description)
            )
            _ = try await fixture.integrationUser(
                of: scene.integration,
                in: scene.organization,
                username: "hr.ada@acme.example"
            )
            let hr = try await fixture.integration(in: scene.organization, slug: "hr", rule: nil)
            try await fixture.change(hr, in: scene.organization, by: admin) {
                $0.rule = IntegrationRule("department eq \"Finance\"")
            }
            try await fixture.settle()
            let waits = try await fixture.owner.query(
                "SELECT l.reevaluate, l.ready_at = e.due_at AS is_leavers FROM lanes l, events e WHERE e.kind = 'leaver'"
            )
            #expect(try waits[0].decode("reevaluate", as: Bool.self), "it failed and is still asked for")
            #expect(try waits[0].decode("is_leavers", as: Bool.self))
            try await scene.hurry()
            #expect(try await scene.personStatus() == "left")
        }
    }

    @Test func `scopes of a grant follow the integration's`() async throws {
        try await scene { scene in
            let fixture = scene.fixture
            let admin = try await fixture.securityAdmin(in: scene.organization)
            try await scene.send(fixture.event(.joiner))
            try await fixture.change(scene.integration, in: scene.organization, by: admin) {
                $0.scopes = ScopeSet([.peopleReadSelf])
                $0.ipAllowList = [NetworkRange(IPAddress(ipv4: 0xC633_6407))]
            }
            try await fixture.settle()
            #expect(try await scene.grants() == ["people:read.self active 1"])
            #expect(try await fixture.text("SELECT ip_allow_list[1] FROM grants") == "198.51.100.7/32")
        }
    }
}
