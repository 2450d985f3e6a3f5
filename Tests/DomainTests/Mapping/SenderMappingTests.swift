import Domain
import Foundation
import Testing
import Transparency

/// The mappings of senders over the samples in Tests/Vectors/webhooks/mappings.
@Suite struct SenderMappingTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let mappings = root.deletingLastPathComponent().appending(path: "Sources/Domain/Mappings")

    private static func reading(_ sample: String) throws -> Mapping.Reading {
        let name = try #require(sample.split(separator: "/").first.map(String.init))
        let mapping = try #require(try Mapping.embedded()[name])
        let file = root.appending(path: "Vectors/webhooks/mappings/\(sample).json")
        return try mapping.read(Array(Data(contentsOf: file)))
    }

    private static func event(_ sample: String) throws -> CanonicalEvent {
        let reading = try reading(sample)
        #expect(reading.refusals.isEmpty, "\(reading.refusals)")
        #expect(reading.events.count == 1)
        return try #require(reading.events.first?.event)
    }

    private static func person(_ sample: String) throws -> JSON {
        .object(try #require(try event(sample).person).attributes)
    }

    @Test func `every file of Mappings is embedded under its name`() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.mappings.path)
        let names = files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
        #expect(Set(names) == Set(try Mapping.embedded().keys))
        #expect(names.count == files.count)
    }

    @Test func `what is not confirmed says so`() throws {
        for (name, mapping) in try Mapping.embedded() {
            #expect(mapping.unconfirmed.isEmpty == (name == "canonical"), "\(name)")
        }
    }

    @Test(arguments: [
        ("merge/joiner", EventKind.joiner), ("merge/joiner-pending", .joiner), ("merge/mover", .rehire),
        ("merge/leaver-recorded", .leaverRecorded), ("merge/leaver", .leaver), ("merge/returned", .rehire),
        ("merge/deleted", .deleted),
        ("workos/joiner", .joiner), ("workos/mover", .mover), ("workos/leaver", .leaver),
        ("workos/suspended", .revokeNow), ("workos/rehire", .rehire), ("workos/deleted", .deleted),
        ("bamboohr/joiner", .joiner), ("bamboohr/mover", .mover), ("bamboohr/mover-wrapped", .mover),
        ("bamboohr/leaver-recorded", .leaverRecorded), ("bamboohr/leaver-cancelled", .leaverCancelled),
        ("bamboohr/leaver", .leaver), ("bamboohr/rehire", .rehire), ("bamboohr/deleted", .deleted),
    ])
    func `a sample means its kind`(sample: String, kind: EventKind) throws {
        #expect(try Self.event(sample).kind == kind)
    }

    @Test(arguments: ["merge/synced", "workos/group", "bamboohr/created-thin"])
    func `what says nothing about anybody makes no event and is no failure`(sample: String) throws {
        let reading = try Self.reading(sample)
        #expect(reading.events.isEmpty)
        #expect(reading.refusals.isEmpty)
    }

    @Test(arguments: [
        ("merge/unknown-status", "/data/employment_status"), ("merge/missing-id", "/data/remote_id"),
        ("workos/unknown-status", "/data/state"), ("workos/missing-id", "/data/idp_id"),
        ("workos/unknown-event", "/event"),
        ("bamboohr/unknown-status", "/employees/0/fields/Status"), ("bamboohr/missing-id", "/employees/0/id"),
        ("bamboohr/missing-status", "/employees/0/fields/Status"),
    ])
    func `what is unknown or missing holds, with its place and without its value`(
        sample: String,
        pointer: String
    ) throws {
        let reading = try Self.reading(sample)
        #expect(reading.events.isEmpty)
        #expect(reading.refusals.map(\.pointer) == [pointer])
        #expect(!reading.refusals.contains { "\($0)".contains("ON_LEAVE") || "\($0)".contains("On Leave") })
    }

    @Test func `a hook of another kind is refused whole`() throws {
        let error = #expect(throws: MappingError.self) { try Self.reading("bamboohr/event-based") }
        #expect(error?.pointer == "/employees")
    }

    // MARK: Many persons in one delivery

    @Test func `many persons in one delivery are many events`() throws {
        let reading = try Self.reading("bamboohr/many")
        #expect(reading.refusals.isEmpty)
        #expect(reading.events.map(\.event.kind) == [.mover, .leaver, .deleted])
        #expect(reading.events.map { $0.event.person?.externalID.description } == ["1", "2", "3"])
    }

    @Test func `a person who cannot be told loses none of the others`() throws {
        let reading = try Self.reading("bamboohr/many-partly")
        #expect(reading.events.map(\.ordinal) == [0, 3])
        #expect(reading.events.map(\.event.kind) == [.mover, .deleted])
        #expect(reading.refusals.map(\.pointer) == ["/employees/1/fields/Status", "/employees/2/action"])
    }

    // MARK: Attributes

    @Test func `an employee becomes a person under the names of SCIM, and nothing else of them is kept`() throws {
        #expect(
            try Self.person("merge/joiner") == [
                "externalId": "19202938", "userName": "dirna@merge.example", "displayName": "Dirna Emanuel",
                "name": ["givenName": "Dirna", "familyName": "Emanuel", "formatted": "Dirna Emanuel"],
                "emails": [
                    ["value": "dirna@merge.example", "type": "work", "primary": true],
                    ["value": "dirnaemanuel@mail.example", "type": "home"],
                ],
                "active": true,
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": ["employeeNumber": "2"],
                "urn:rollcall:params:scim:schemas:extension:worker:2.0:Worker": [
                    "startDate": "2026-10-12", "endDate": .null, "status": "active",
                ],
            ]
        )
    }

    @Test func `what stands in objects is found, and an address that is gone leaves the list`() throws {
        let person = try Self.person("merge/mover")
        #expect(person["title"] == "Controller")
        #expect(person[CanonicalPerson.enterprise]?["department"] == "Finance")
        #expect(person["emails"]?.array?.count == 1)
    }

    @Test func `a directory user becomes a person`() throws {
        let person = try Self.person("workos/joiner")
        #expect(person["externalId"] == "8931")
        #expect(person["userName"] == "lela.block@example.com")
        #expect(person["emails"] == [["value": "lela.block@example.com", "type": "work", "primary": true]])
        #expect(person["title"] == "Software Engineer")
        #expect(person[CanonicalPerson.enterprise]?["department"] == "Engineering")
        #expect(person[CanonicalPerson.worker]?["status"] == "active")
        #expect(try Self.event("workos/joiner").senderID == "event_07FKJ843CVE8F7BXQSPFH0M53V")
    }

    @Test func `fields are read as values and as objects with a value`() throws {
        let plain = try Self.person("bamboohr/mover")
        #expect(plain == (try Self.person("bamboohr/mover-wrapped")))
        #expect(plain["name"] == ["givenName": "Bryony", "familyName": "Cooper"])
        #expect(plain["emails"]?.array?.count == 1)
        #expect(plain[CanonicalPerson.enterprise]?["department"] == "Legal")
        #expect(plain[CanonicalPerson.worker]?["endDate"] == .null)
    }

    @Test func `a deletion needs no more than the id`() throws {
        #expect(try Self.person("bamboohr/deleted") == ["externalId": "12345"])
    }

    // MARK: Times

    @Test func `times are read as the sender writes them`() throws {
        #expect(try Self.event("bamboohr/mover").occurredAt == Timestamp("2026-11-21T18:42:00Z"))
        #expect(try Self.event("workos/mover").occurredAt == Timestamp("2026-11-22T20:05:31.093Z"))
        #expect(try Self.event("merge/leaver").occurredAt == Timestamp("2027-01-01T03:00:00Z"))
    }

    @Test func `a day that is written as midnight stays a day`() throws {
        #expect(try Self.event("merge/joiner-pending").effectiveAt == LocalDate("2026-12-01").map { .date($0) })
        #expect(try Self.event("merge/leaver-recorded").effectiveAt == LocalDate("2026-12-31").map { .date($0) })
        #expect(try Self.event("bamboohr/leaver-recorded").effectiveAt == LocalDate("2026-12-31").map { .date($0) })
        #expect(try Self.event("merge/leaver").effectiveAt == nil)
    }

    @Test func `a last day that is over does not stand against being active`() throws {
        #expect(try Self.event("merge/returned").kind == .rehire)
    }
}
