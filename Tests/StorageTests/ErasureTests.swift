import Domain
import Foundation
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct ErasureTests {
    /// Texts that stand nowhere by chance.
    static let canaries = [
        "ada.qx@acme.example", "Adaline-Qx", "Lovelace-Qx", "+41 44 555 01 99", "EMP-774411", "e-qx-1001",
        "Chief Qx Officer",
    ]

    static func person(_ more: JSON.Object = [:]) -> JSON {
        let person: JSON.Object = [
            "externalId": "e-qx-1001", "userName": "ada.qx@acme.example", "displayName": "Adaline-Qx Lovelace-Qx",
            "name": ["givenName": "Adaline-Qx", "familyName": "Lovelace-Qx"], "title": "Chief Qx Officer",
            "emails": [["value": "ada.qx@acme.example", "type": "work", "primary": true]],
            "phoneNumbers": [["value": "+41 44 555 01 99"]],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": [
                "employeeNumber": "EMP-774411", "department": "Finance",
            ],
        ]
        return .object(person.merged(with: more))
    }

    static func event(_ kind: EventKind, _ person: JSON) -> JSON { ["type": .string(kind.rawValue), "person": person] }

    private static let bob: JSON = [
        "externalId": "e-2", "userName": "bob@acme.example",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": [
            "department": "Sales", "manager": ["value": "e-qx-1001", "displayName": "Adaline-Qx Lovelace-Qx"],
        ],
    ]

    /// Ada, who came and left, and Bob, whose manager she was, in one delivery.
    struct Left {
        let organization: TestOrganization
        let admin: TestAccount
        let source: TestSource
        let ada: PersonID
    }

    static func left(_ fixture: StoreFixture) async throws -> Left {
        let organization = try await fixture.organization()
        let admin = try await fixture.securityAdmin(in: organization)
        let source = try await fixture.source(in: organization)
        _ = try await fixture.integration(in: organization)
        let both: JSON = ["events": [event(.joiner, person()), event(.joiner, bob)]]
        try await fixture.deliver(both, from: source)
        try await fixture.settle()
        fixture.clock.advance(by: .seconds(1))
        try await fixture.deliver(event(.mover, person(["title": "Chief Qx Officer II"])), from: source)
        try await fixture.settle()
        fixture.clock.advance(by: .seconds(1))
        try await fixture.deliver(event(.leaver, ["externalId": "e-qx-1001"]), from: source)
        try await fixture.settle()
        let row = try await fixture.owner.query("SELECT id FROM people WHERE external_id = 'e-qx-1001'").first
        return Left(
            organization: organization,
            admin: admin,
            source: source,
            ada: try #require(row).decode("id", as: PersonID.self)
        )
    }

    static func erase(_ person: PersonID, by admin: TestAccount, _ fixture: StoreFixture) async throws -> ErasureView {
        let request = PersonErasureRequest(
            of: person,
            by: admin.caller,
            confirmation: person.description,
            fixture.attribution(of: admin)
        )
        guard case .done(let done) = try await fixture.store.perform(request, in: admin.caller.organization) else {
            throw Waits()
        }
        return done
    }

    private struct Waits: Error {}

    /// All data of the database as text, bytes in hexadecimal.
    private static func dump(_ fixture: StoreFixture) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "\(fixture.store.newID(Domain.RequestID.self)).sql"
        )
        defer { try? FileManager.default.removeItem(at: file) }
        let run = try await Program.shell(
            "pg_dump --data-only --file '\(file.path)' '\(fixture.superuserConnectionString)'"
        )
        #expect(run.status == 0, "\(run.stderr)")
        return try String(contentsOf: file, encoding: .utf8)
    }

    /// The canaries that a dump has, in any form.
    private static func found(in dump: String) -> [String] {
        let lower = dump.lowercased()
        return canaries.filter { canary in
            let bytes = Array(canary.utf8)
            let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            let base64 = (0..<3).map { before in
                let text = Base64.standard.encode([UInt8](repeating: 0, count: before) + bytes)
                return String(text.dropFirst((before * 8 + 5) / 6).prefix(bytes.count * 8 / 6 - 2))
            }
            let inHex = base64.map { $0.utf8.map { String($0, radix: 16) }.joined() }
            return lower.contains(canary.lowercased()) || lower.contains(hex)
                || (base64 + base64.map { $0.replacing("+", with: "-").replacing("/", with: "_") })
                    .contains { dump.contains($0) }
                || inHex.contains { lower.contains($0) }
        }
    }

    @Test func `a dump after an erasure holds none of the person's values`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            #expect(Self.found(in: try await Self.dump(fixture)) == Self.canaries)

            let erased = try await Self.erase(left.ada, by: left.admin, fixture)
            #expect(erased.status == .executed)
            #expect(Self.found(in: try await Self.dump(fixture)) == [])
            // What others are, they are as before.
            let rows = try await fixture.owner.query(
                "SELECT attributes::text AS said FROM people WHERE external_id = 'e-2'"
            )
            let said = try #require(try rows.first?.decode("said", as: String.self))
            #expect(said.contains("bob@acme.example"))
            #expect(said.contains("erased.\(left.ada)"))
            #expect(fixture.erasures.people == [left.organization.id: [left.ada]])
        }
    }

    @Test func `an erasure is an entry, and what was disclosed of the person opens no more`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let before = try await fixture.leaves(in: left.organization.id)
            _ = try await Self.erase(left.ada, by: left.admin, fixture)
            let leaves = try await fixture.leaves(in: left.organization.id)
            // The leaves that were there are the same bytes.
            #expect(leaves.prefix(before.count).map(\.text) == before.map(\.text))
            let entry = try #require(leaves.last)
            #expect(entry["action"]?.string == "person.erased")
            #expect(entry["target"]?["id"]?.string == left.ada.description)
            #expect(entry["actor"]?["id"]?.string == left.admin.user.description)
            #expect(entry["after"]?["deliveries"]?.int64 == 3)
            #expect(entry["after"]?["users"]?.int64 == 2)
            let found = try await fixture.store.read(as: left.organization.id) { transaction in
                var wanted = AuditQuery()
                wanted.person = left.ada
                return try await transaction.auditEntries(wanted, before: nil, most: 50, disclosing: true)
            }
            #expect(!found.isEmpty)
            #expect(found.allSatisfy { $0.disclosures.isEmpty })
            #expect(try await fixture.number("SELECT count(*) FROM audit_subject_keys") == 1)
        }
    }

    @Test func `erasing twice changes nothing more`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let first = try await Self.erase(left.ada, by: left.admin, fixture)
            let again = try await Self.erase(left.ada, by: left.admin, fixture)
            #expect(again.executedAt == first.executedAt)
            let entries = try await fixture.leaves(in: left.organization.id, action: .personErased)
            #expect(entries.map { $0["reason"]?.string } == [nil, "unchanged"])
        }
    }

    @Test func `who has access is not erased, nor whom a text of an admin names`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let rows = try await fixture.owner.query("SELECT id FROM people WHERE external_id = 'e-2'")
            let bob = try #require(try rows.first?.decode("id", as: PersonID.self))
            await #expect(throws: ErasureObstacle.hasAccess.refusal) {
                _ = try await Self.erase(bob, by: left.admin, fixture)
            }
            _ = try await fixture.owner.query("UPDATE integrations SET contact_email = 'Ada.Qx@acme.example'")
            await #expect(throws: ErasureObstacle.namedElsewhere.refusal) {
                _ = try await Self.erase(left.ada, by: left.admin, fixture)
            }
            #expect(fixture.erasures.people.isEmpty)
            #expect(try await fixture.leaves(in: left.organization.id, action: .personErased).isEmpty)
        }
    }

    @Test func `without the person's id sent back nothing is erased`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let request = PersonErasureRequest(
                of: left.ada,
                by: left.admin.caller,
                confirmation: nil,
                fixture.attribution(of: left.admin)
            )
            let refusal = await #expect(throws: ChangeRefusal.self) {
                _ = try await fixture.store.perform(request, in: left.organization.id)
            }
            guard case .confirmationRequired(let value, _) = refusal else { return #expect(refusal == nil) }
            #expect(value == left.ada.description)
        }
    }

    @Test func `whoever comes back after their erasure is somebody new`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            _ = try await Self.erase(left.ada, by: left.admin, fixture)
            fixture.clock.advance(by: .seconds(1))
            try await fixture.deliver(Self.event(.rehire, Self.person()), from: left.source)
            try await fixture.settle()
            let rows = try await fixture.owner.query("SELECT id FROM people WHERE external_id = 'e-qx-1001'")
            let back = try #require(try rows.first?.decode("id", as: PersonID.self))
            #expect(back != left.ada)
            #expect(try await fixture.number("SELECT count(*) FROM people WHERE erased_at IS NOT NULL") == 1)
        }
    }

    @Test func `a hold queues an erasure, and its end executes it`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let scopes: [HoldScope] = [
                .person(left.ada), .organization,
                .time(Timestamp(seconds: 0), Timestamp(seconds: 4_000_000_000)),
                .query(#"action eq "person.ended""#),
            ]
            var holds: [HoldID] = []
            for scope in scopes {
                let creation = HoldCreation(
                    scope,
                    matter: "Case",
                    by: left.admin.caller,
                    fixture.attribution(of: left.admin),
                    in: fixture.store
                )
                holds.append(try await fixture.store.perform(creation, in: left.organization.id).id)
            }
            let queued = try await Self.erase(left.ada, by: left.admin, fixture)
            #expect(queued.status == .queued)
            #expect(queued.reason == .held)
            // Each of the four alone is enough.
            for (place, hold) in holds.enumerated() {
                let lift = HoldLift(of: hold, by: left.admin.caller, fixture.attribution(of: left.admin))
                _ = try await fixture.store.perform(lift, in: left.organization.id)
                while try await fixture.store.performNext(QueuedErasures(), most: 1) > 0 {}
                let now = try await fixture.store.read(as: left.organization.id) { try await $0.erasure(of: left.ada) }
                #expect(now?.status == (place == holds.count - 1 ? .executed : .queued), "\(place)")
            }
            #expect(Self.found(in: try await Self.dump(fixture)) == [])
            let actions = try await fixture.actions(in: left.organization.id)
            #expect(actions.filter { $0 == "hold.created" || $0 == "hold.lifted" }.count == 8)
            #expect(actions.filter { $0 == "person.erasure_queued" }.count == 1)
            #expect(actions.filter { $0 == "person.erased" }.count == 1)
        }
    }

    @Test func `a restored database erases again before it serves`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let erasures = fixture.erasures
            let rowsBefore = try await Self.dump(fixture)
            #expect(Self.found(in: rowsBefore) == Self.canaries)
            try await StoreFixture.with { restored in
                let into = "psql --quiet --set ON_ERROR_STOP=1 '\(restored.superuserConnectionString)'"
                let empty =
                    "DROP SCHEMA public, migration CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC"
                let load = """
                    \(into) -c '\(empty)' 2>/dev/null \
                    && pg_dump '\(fixture.superuserConnectionString)' | \(into) >/dev/null
                    """
                let run = try await Program.shell(load)
                #expect(run.status == 0, "\(run.stderr)")
                _ = try await Self.erase(left.ada, by: left.admin, fixture)
                // The restored one knows nothing of it, and in it she came back meanwhile.
                let store = Store(
                    pool: restored.pool,
                    keyring: fixture.keyring,
                    clock: restored.clock,
                    randomness: restored.randomness,
                    logger: restored.store.logger,
                    erasures: erasures.register
                )
                _ = try await restored.owner.query("UPDATE people SET status = 'active'")
                #expect(try await store.repeatErasures() == 1)
                #expect(Self.found(in: try await Self.dump(restored)) == [])
                let entry = try await restored.leaves(in: left.organization.id, action: .personErased).last
                #expect(entry?["reason"]?.string == "restored")
                #expect(entry?["target"]?["id"]?.string == left.ada.description)
                #expect(try await store.repeatErasures() == 0)
                // A process that cannot reach the list does not serve.
                let blind = Store(
                    pool: restored.pool,
                    keyring: fixture.keyring,
                    clock: restored.clock,
                    randomness: restored.randomness,
                    logger: restored.store.logger
                )
                await #expect(throws: ErasuresUnlisted.self) { _ = try await blind.repeatErasures() }
            }
        }
    }

    @Test func `bodies go after their time, with what settled events say, and their hash stays`() async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let bodies = try await fixture.owner.query(
                "SELECT sha256(body) AS digest FROM deliveries ORDER BY sequence"
            )
            // One that waits keeps what it says.
            fixture.clock.advance(by: .seconds(1))
            var later = try #require(Self.event(.leaver, ["externalId": "e-2"]).object)
            later["effective_at"] = "2127-01-01T00:00:00Z"
            try await fixture.deliver(.object(later), from: left.source)
            try await fixture.settle()
            while try await fixture.store.performNext(BodyExpiry(after: .seconds(86_400)), most: 10) > 0 {}
            #expect(try await fixture.number("SELECT count(*) FROM deliveries WHERE body IS NULL") == 0)
            _ = try await fixture.owner.query("UPDATE deliveries SET stored_at = stored_at - interval '2 days'")
            while try await fixture.store.performNext(BodyExpiry(after: .seconds(86_400)), most: 2) > 0 {}
            #expect(try await fixture.number("SELECT count(*) FROM deliveries WHERE body IS NOT NULL") == 0)
            let digests = try await fixture.owner.query(
                "SELECT body_digest AS digest FROM deliveries ORDER BY sequence"
            )
            #expect(
                try digests.prefix(bodies.count).map { try $0.decode("digest", as: [UInt8].self) }
                    == bodies.map { try $0.decode("digest", as: [UInt8].self) }
            )
            #expect(
                try await fixture.text("SELECT string_agg(status, ' ') FROM events WHERE person IS NOT NULL")
                    == "pending"
            )
            let entries = try await fixture.leaves(in: left.organization.id, action: .deliveryExpired)
            #expect(entries.compactMap { $0["after"]?["count"]?.int64 }.reduce(0, +) == 4)
            _ = try await fixture.owner.query(
                "UPDATE events SET status = 'superseded', settled_at = now() WHERE status = 'pending'"
            )
            while try await fixture.store.performNext(BodyExpiry(after: .seconds(86_400)), most: 2) > 0 {}
            #expect(try await fixture.number("SELECT count(*) FROM events WHERE person IS NOT NULL") == 0)
        }
    }

    @Test(arguments: ["person", "organization", "time", "query"])
    func `a hold keeps bodies`(kind: String) async throws {
        try await StoreFixture.with { fixture in
            let left = try await Self.left(fixture)
            let scope: HoldScope =
                switch kind {
                case "person": .person(left.ada)
                case "time": .time(Timestamp(seconds: 0), Timestamp(seconds: 4_000_000_000))
                case "query": .query(#"action eq "nothing""#)
                default: .organization
                }
            let creation = HoldCreation(
                scope,
                matter: "Case",
                by: left.admin.caller,
                fixture.attribution(of: left.admin),
                in: fixture.store
            )
            let hold = try await fixture.store.perform(creation, in: left.organization.id)
            _ = try await fixture.owner.query("UPDATE deliveries SET stored_at = stored_at - interval '2 days'")
            #expect(try await fixture.store.performNext(BodyExpiry(after: .seconds(86_400)), most: 10) == 0)
            let lift = HoldLift(of: hold.id, by: left.admin.caller, fixture.attribution(of: left.admin))
            _ = try await fixture.store.perform(lift, in: left.organization.id)
            #expect(try await fixture.store.performNext(BodyExpiry(after: .seconds(86_400)), most: 10) == 3)
        }
    }
}
