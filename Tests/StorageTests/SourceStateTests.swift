import Domain
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `States of a source` {
    private func change(
        _ source: TestSource,
        by admin: TestAccount,
        _ fixture: StoreFixture,
        status: SourceStatus = .active,
        acceptsUnproved: Bool = false
    ) async throws {
        let view = try #require(
            try await fixture.store.read(as: source.organization) { try await $0.source(source.id) }
        )
        let terms = SourceUpdate.Terms(
            slug: view.slug,
            mapping: view.mapping,
            timeZone: view.timeZone,
            status: status,
            ipAllowList: nil,
            acceptsUnproved: acceptsUnproved
        )
        let update = SourceUpdate(of: source.id, version: view.version, to: terms, by: fixture.attribution(of: admin))
        _ = try await fixture.store.perform(update, in: source.organization)
    }

    private func statuses(_ fixture: StoreFixture) async throws -> [String] {
        try await fixture.owner.query("SELECT status FROM events ORDER BY sequence, ordinal").map {
            try $0.decode("status", as: String.self)
        }
    }

    @Test func `what a paused source says waits, and is applied in order once it is resumed`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let source = try await fixture.source(in: organization)
            try await fixture.deliver(fixture.event(.joiner, "e-1", userName: "one@acme.example"), from: source)
            try await fixture.settle()
            try await fixture.deliver(fixture.event(.mover, "e-1", userName: "uno@acme.example"), from: source)
            try await change(source, by: admin, fixture, status: .paused)
            // Some are mapped while it is paused, some lanes were awake before.
            try await fixture.settle()
            try await fixture.deliver(fixture.event(.joiner, "e-2", userName: "two@acme.example"), from: source)
            try await fixture.deliver(fixture.event(.leaver, "e-1", userName: nil), from: source)
            try await fixture.settle()
            #expect(try await statuses(fixture) == ["applied", "pending", "pending", "pending"])
            #expect(try await fixture.number("SELECT count(*) FROM people") == 1)
            #expect(try await fixture.number("SELECT count(*) FROM lanes WHERE ready_at IS NOT NULL") == 0)

            try await change(source, by: admin, fixture, status: .active)
            try await fixture.settle()
            #expect(try await statuses(fixture) == ["applied", "applied", "applied", "applied"])
            let people = try await fixture.owner.query("SELECT external_id, status FROM people ORDER BY external_id")
            #expect(try people.map { try $0.decode("status", as: String.self) } == ["left", "active"])
        }
    }

    @Test func `an integration's change reaches the persons of a paused source, and none of its events does`()
        async throws
    {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let source = try await fixture.source(in: organization)
            let integration = try await fixture.integration(in: organization)
            try await fixture.deliver(fixture.event(.joiner), from: source)
            try await fixture.settle()
            let ofIntegration: SQL = "SELECT count(*) FROM users WHERE integration_id IS NOT NULL AND status = 'active'"
            #expect(try await fixture.number(ofIntegration) == 1)
            try await change(source, by: admin, fixture, status: .paused)
            try await fixture.deliver(fixture.event(.leaver, userName: nil, department: nil), from: source)
            _ = try await fixture.owner.query("UPDATE integrations SET status = 'disabled' WHERE id = \(integration)")
            _ = try await fixture.owner.query("UPDATE lanes SET reevaluate = true, ready_at = clock_timestamp()")
            try await fixture.settle()
            #expect(try await fixture.number(ofIntegration) == 0)
            #expect(try await statuses(fixture) == ["applied", "pending"])
            #expect(try await fixture.text("SELECT status FROM people") == "active")
        }
    }

    @Test func `what no proof covers is held, until an admin's recorded decision releases it`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let source = try await fixture.source(in: organization)
            try await fixture.deliver(fixture.event(.joiner), from: source, isBodyProved: false)
            try await fixture.settle()
            #expect(try await statuses(fixture) == ["held"])
            #expect(try await fixture.text("SELECT reason FROM events") == DeliveryMapping.unprovedBody)
            #expect(try await fixture.number("SELECT count(*) FROM people") == 0)
            #expect(try await fixture.number("SELECT count(*) FROM lanes WHERE ready_at IS NOT NULL") == 0)

            try await change(source, by: admin, fixture, acceptsUnproved: true)
            try await fixture.settle()
            #expect(try await statuses(fixture) == ["applied"])
            #expect(try await fixture.number("SELECT count(*) FROM people") == 1)
            let entry = try #require(try await fixture.leaves(in: organization.id, action: .sourceUpdated).last)
            #expect(entry["before"] == ["accept_unproved_bodies": false])
            #expect(entry["after"] == ["accept_unproved_bodies": true, "released_events": 1])
            #expect(entry[pointer: "/actor/id"]?.string == admin.user.description)
            let decision = try await fixture.store.read(as: organization.id) { try await $0.source(source.id) }
            #expect(decision?.unprovedDecision?.by == admin.user)

            // Taken back, new ones wait again; what a proof covers never does.
            try await change(source, by: admin, fixture, acceptsUnproved: false)
            try await fixture.deliver(fixture.event(.leaver, userName: nil), from: source, isBodyProved: false)
            try await fixture.deliver(fixture.event(.mover, department: "Sales"), from: source)
            try await fixture.settle()
            #expect(try await statuses(fixture) == ["applied", "held", "applied"])
            #expect(try await fixture.text("SELECT status FROM people") == "active")
        }
    }

    @Test func `a decision waits for who maps, so that no event stays held behind it`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let source = try await fixture.source(in: organization)
            for round in 0..<12 {
                try await change(source, by: admin, fixture, acceptsUnproved: false)
                let event = fixture.event(.joiner, "e-\(round)", userName: "u\(round)@acme.example")
                try await fixture.deliver(event, from: source, isBodyProved: false)
                async let mapped: Void = fixture.settle()
                try await change(source, by: admin, fixture, acceptsUnproved: true)
                try await mapped
            }
            try await fixture.settle()
            #expect(try await fixture.number("SELECT count(*) FROM events WHERE status <> 'applied'") == 0)
        }
    }
}
