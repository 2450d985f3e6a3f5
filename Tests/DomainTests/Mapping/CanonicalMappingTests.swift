import Domain
import Testing
import Transparency

@Suite struct CanonicalMappingTests {
    private func events(_ body: String) throws -> [CanonicalEvent] {
        let mapping = try #require(try Mapping.embedded()["canonical"])
        let reading = try mapping.read(Array(body.utf8))
        if let refusal = reading.refusals.first { throw refusal }
        return reading.events.map(\.event)
    }

    private func refusal(_ body: String) throws -> MappingError? {
        do {
            _ = try events(body)
            return nil
        } catch let error as MappingError {
            return error
        }
    }

    /// The canonical event as outsiders send it.
    private static let joiner = """
        {"type": "joiner", "id": "hr-7", "occurred_at": "2026-11-21T09:00:00Z", "effective_at": "2026-12-01",
         "person": {"externalId": "e-1001", "userName": "ada@acme.example",
          "name": {"givenName": "Ada", "familyName": "Lovelace"},
          "emails": [{"value": "ada@acme.example", "type": "work", "primary": true}], "title": "Analyst", "active": true,
          "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Finance"},
          "urn:rollcall:params:scim:schemas:extension:worker:2.0:Worker": {"startDate": "2026-12-01", "endDate": null}}}
        """

    @Test func `one event is the whole payload`() throws {
        let found = try events(Self.joiner)
        let event = try #require(found.first)
        #expect(found.count == 1)
        #expect(event.kind == .joiner)
        #expect(event.senderID == "hr-7")
        #expect(event.occurredAt == Timestamp("2026-11-21T09:00:00Z"))
        #expect(event.effectiveAt == LocalDate("2026-12-01").map { .date($0) })
        #expect(event.person?.externalID.description == "e-1001")
        #expect(event.person?.userName == "ada@acme.example")
        #expect(event.person?[CanonicalPerson.enterprise]?["department"] == "Finance")
    }

    @Test func `many events keep their order`() throws {
        let found = try events(
            """
            {"events": [{"type": "mover", "person": {"externalId": "b"}}, {"type": "ping"},
              {"type": "leaver", "person": {"externalId": "a"}}]}
            """
        )
        #expect(found.map(\.kind) == [.mover, .ping, .leaver])
        #expect(found.map { $0.person?.externalID.description } == ["b", nil, "a"])
        #expect(try events(#"{"events": []}"#).isEmpty)
    }

    @Test(arguments: EventKind.allCases)
    func `every kind is known by its word`(kind: EventKind) throws {
        let body = #"{"type": "\#(kind.rawValue)", "person": {"externalId": "e"}}"#
        #expect(try events(body).map(\.kind) == [kind])
    }

    @Test func `a ping is about nobody, whatever stands in it`() throws {
        #expect(try events(#"{"type": "ping"}"#).first?.person == nil)
        #expect(try events(#"{"type": "ping", "person": {"externalId": "e"}}"#).first?.person == nil)
        #expect(try events(#"{"type": "ping", "person": 7}"#).count == 1)
    }

    @Test func `what is null is not said`() throws {
        let event = try events(
            #"{"type": "leaver", "id": null, "occurred_at": null, "effective_at": null, "person": {"externalId": "e"}}"#
        ).first
        #expect(event?.kind == .leaver)
        #expect(event?.senderID == nil && event?.occurredAt == nil && event?.effectiveAt == nil)
    }

    @Test func `a sender's number as id is its digits, and a long id is cut`() throws {
        #expect(try events(#"{"type": "ping", "id": 12345678901234567890}"#).first?.senderID == "12345678901234567890")
        let long = String(repeating: "x", count: 300)
        #expect(try events(#"{"type": "ping", "id": "\#(long)"}"#).first?.senderID?.count == 256)
    }

    @Test(arguments: [
        ("", ""),
        ("nonsense", ""),
        ("[]", ""),
        (#"{"type": "ping", "type": "leaver"}"#, ""),
        ("{}", "/type"),
        (#"{"type": "fired", "person": {"externalId": "e"}}"#, "/type"),
        (#"{"type": "Joiner", "person": {"externalId": "e"}}"#, "/type"),
        (#"{"type": {"a": 1}}"#, "/type"),
        (#"{"type": "mover"}"#, "/person"),
        (#"{"type": "mover", "person": []}"#, "/person"),
        (#"{"type": "mover", "person": {}}"#, "/person/externalId"),
        (#"{"type": "mover", "person": {"externalId": 7}}"#, "/person/externalId"),
        (#"{"type": "mover", "person": {"externalId": ""}}"#, "/person/externalId"),
        (#"{"type": "mover", "person": {"externalId": "a\u0000"}}"#, "/person/externalId"),
        (#"{"type": "mover", "person": {"externalId": "e", "userName": "a b"}}"#, "/person/userName"),
        (#"{"type": "mover", "person": {"externalId": "e", "active": "yes"}}"#, "/person/active"),
        (#"{"type": "mover", "person": {"externalId": "e", "urn:x:y": 7}}"#, "/person/urn:x:y"),
        (#"{"type": "mover", "occurred_at": "yesterday", "person": {"externalId": "e"}}"#, "/occurred_at"),
        (#"{"type": "mover", "occurred_at": "2026-11-21", "person": {"externalId": "e"}}"#, "/occurred_at"),
        (#"{"type": "leaver", "effective_at": "soon", "person": {"externalId": "e"}}"#, "/effective_at"),
        (#"{"events": 7}"#, "/events"),
        (#"{"events": [{"type": "ping"}, 7]}"#, "/events/1"),
        (#"{"events": [{"type": "ping"}, {"type": "fired"}]}"#, "/events/1/type"),
        (#"{"events": [{"type": "leaver", "person": {"externalId": ""}}]}"#, "/events/0/person/externalId"),
    ])
    func `what is wrong is named by its place`(body: String, pointer: String) throws {
        #expect(try refusal(body)?.pointer == pointer)
    }

    @Test func `an error holds nothing of the payload`() throws {
        let error = try #require(try refusal(#"{"type": "secret-word", "person": {"externalId": "e"}}"#))
        #expect(!"\(error)".contains("secret-word"))
    }

    @Test func `more events than the bound are refused`() throws {
        let event = #"{"type": "ping"}"#
        let most = [String](repeating: event, count: CanonicalEvent.mostPerDelivery)
        #expect(try events(#"{"events": [\#(most.joined(separator: ","))]}"#).count == most.count)
        #expect(try refusal(#"{"events": [\#((most + [event]).joined(separator: ","))]}"#)?.pointer == "")
    }

    @Test func `more attributes than the bound are refused, those of extensions counted`() throws {
        let many = (0..<150).map { #""a\#($0)": 1"# }.joined(separator: ",")
        let body = #"{"type": "mover", "person": {"externalId": "e", \#(many), "urn:x:y": {\#(many)}}}"#
        #expect(try refusal(body)?.pointer == "/person")
    }

    @Test(arguments: [
        "name: [",
        "name: x\nunknown: y",
        "name: x\nevents: [\"\"]\nkind: {pointer: /t}\nkinds: {a: promoted}\nperson: /p",
        "name: x",
    ])
    func `a file that is no mapping is refused with its name`(yaml: String) {
        let error = #expect(throws: MappingFileError.self) { try Mapping(yaml: yaml, file: "x.yaml") }
        #expect(error?.file == "x.yaml")
    }

    @Test func `what is wrong with one event costs the others nothing`() throws {
        let mapping = try #require(try Mapping.embedded()["canonical"])
        let leaver = #"{"type": "leaver", "person": {"externalId": "a"}}"#
        let body = #"{"events": [{"type": "ping"}, {"type": "fired"}, 7, \#(leaver)]}"#
        let reading = try mapping.read(Array(body.utf8))
        #expect(reading.events.map(\.ordinal) == [0, 3])
        #expect(reading.refusals.map(\.pointer) == ["/events/1/type", "/events/2"])
    }

    @Test func `a file can choose attributes by pointer`() throws {
        let mapping = try Mapping(
            yaml: """
                name: sample
                events: [/data]
                kind: {pointer: /event}
                kinds: {hired: joiner}
                person: /employee
                attributes: {externalId: /id, userName: /contact/login}
                """,
            file: "sample.yaml"
        )
        let body = #"{"data": {"event": "hired", "employee": {"id": "7", "contact": {"login": "ada"}, "salary": 1}}}"#
        let person = try #require(try mapping.read(Array(body.utf8)).events.first?.event.person)
        #expect(person.attributes == ["externalId": "7", "userName": "ada"])
    }
}
