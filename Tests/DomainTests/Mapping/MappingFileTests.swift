import Domain
import Testing
import Transparency

/// What a mapping's file may say, and what refuses to load.
@Suite struct MappingFileTests {
    private static let plain = """
        name: sample
        unconfirmed: [one fact]
        events: [/data]
        names:
          event: {pointer: /event, known: [hired, fired]}
          odd: /a.b~1c d
          until: {pointer: /until, form: date}
        rules:
          - {when: event eq "hired" and not (odd pr), kind: joiner}
          - {when: event eq "hired", ahead: until, kind: leaver-recorded}
          - {when: event eq "fired", kind: leaver, effective_at: {pointer: /until, form: date}}
        occurred_at: {pointer: /at, form: seconds}
        person: /who
        attributes:
          externalId: {pointer: /id, form: text}
          name:
            givenName: /first
          roles:
            - {value: /role, type: {constant: job}}
        """

    private static func mapping(_ old: String = "", _ new: String = "") throws(MappingFileError) -> Mapping {
        precondition(plain.contains(old) || old.isEmpty, "the sample has no \(old)")
        let yaml = old.isEmpty ? plain : plain.split(separator: old).joined(separator: new)
        return try Mapping(yaml: yaml, file: "sample.yaml")
    }

    private static func reading(_ data: String, _ old: String = "", _ new: String = "") throws -> Mapping.Reading {
        try mapping(old, new).read(Array(#"{"data": \#(data)}"#.utf8))
    }

    @Test func `rules are asked in order, by names that lead to any member`() throws {
        let who = #""who": {"id": 7, "first": "Ada", "role": "analyst"}"#
        let joiner = try Self.reading(#"{"event": "hired", "at": 1700000000, \#(who)}"#)
        #expect(joiner.events.map(\.event.kind) == [.joiner])
        #expect(joiner.events.first?.event.occurredAt == Timestamp(seconds: 1_700_000_000))
        #expect(
            joiner.events.first?.event.person?.attributes == [
                "externalId": "7", "name": ["givenName": "Ada"], "roles": [["value": "analyst", "type": "job"]],
            ]
        )
        let odd = #"{"event": "hired", "at": 1700000000, "a.b/c d": 1, "until": "2023-12-01", \#(who)}"#
        #expect(try Self.reading(odd).events.map(\.event.kind) == [.leaverRecorded])
        let past = #"{"event": "hired", "at": 1700000000, "a.b/c d": 1, "until": "2023-11-01", \#(who)}"#
        #expect(try Self.reading(past).refusals.map(\.pointer) == ["/data/event"])
        let timeless = #"{"event": "hired", "a.b/c d": 1, "until": "2023-12-01", \#(who)}"#
        #expect(try Self.reading(timeless).refusals.map(\.pointer) == ["/data/until"])
        let leaver = try Self.reading(#"{"event": "fired", "until": "2023-12-01", \#(who)}"#)
        #expect(leaver.events.first?.event.effectiveAt == LocalDate("2023-12-01").map { .date($0) })
    }

    @Test func `a filter asks members of the event itself too`() throws {
        let data = #"{"event": "fired", "nested": {"state": "Y"}, "who": {"id": "1"}}"#
        let rule = #"{when: event eq "fired", kind: leaver, effective_at: {pointer: /until, form: date}}"#
        let other = #"{when: event eq "fired" and nested.state eq "Y", kind: revoke-now}"#
        #expect(try Self.reading(data, rule, other).events.map(\.event.kind) == [.revokeNow])
        #expect(try Self.reading(data.replacing("\"Y\"", with: "\"y\""), rule, other).events.isEmpty)
    }

    @Test(arguments: [
        (#"{"event": "promoted", "who": {"id": "1"}}"#, "/data/event"), (#"{"who": {"id": "1"}}"#, "/data/event"),
        (#"{"event": ["hired"], "who": {"id": "1"}}"#, "/data/event"),
        (#"{"event": "hired", "at": "soon", "who": {"id": "1"}}"#, "/data/at"),
        (#"{"event": "hired", "at": 1.5, "who": {"id": "1"}}"#, "/data/at"),
        (#"{"event": "hired", "at": 99999999999999999, "who": {"id": "1"}}"#, "/data/at"),
        (#"{"event": "fired", "until": "soon", "who": {"id": "1"}}"#, "/data/until"),
        (#"{"event": "fired", "who": {"id": {}}}"#, "/data/who/id"),
        (#"{"event": "fired", "who": {}}"#, "/data/who/id"),
        (#"{"event": "fired", "who": []}"#, "/data/who"), (#"{"event": "fired"}"#, "/data/who"),
        ("7", "/data"),
    ])
    func `what is wrong is named by its place in the payload`(data: String, pointer: String) throws {
        #expect(try Self.reading(data).refusals.map(\.pointer) == [pointer])
    }

    @Test(arguments: [
        ("unconfirmed: [one fact]", "unconfirmed: one fact", "unconfirmed"),
        ("[one fact]", "[{one: fact}]", "unconfirmed[0]"),
        ("events: [/data]", "events: []", "events"),
        ("events: [/data]", "events: [data]", "events[0]"),
        ("events: [/data]", "events: [/da~ta]", "events[0]"),
        ("{pointer: /event, known", "{pointer: /event, unknown", "names.event.unknown"),
        ("odd: /a.b", "odd: a.b", "names.odd"),
        ("  odd:", "  od.d:", "names.od.d"),
        (#"{when: event eq "fired","#, #"{when: event is "fired","#, "rules[2].when"),
        (#"{when: event eq "fired","#, #"{wenn: event eq "fired","#, "rules[2].wenn"),
        ("kind: joiner", "kind: promoted", "rules[0].kind"),
        ("ahead: until", "ahead: later", "rules[1].ahead"),
        ("leaver, effective_at: {pointer:", "leaver, effective_at: {at:", "rules[2].effective_at.pointer"),
        ("{pointer: /at, form: seconds}", "{pointer: /at, form: date}", "occurred_at.form"),
        ("{pointer: /at, form: seconds}", "{pointer: at}", "occurred_at.pointer"),
        ("givenName: /first", "givenName: first", "attributes.name.givenName"),
        ("givenName: /first", "givenName: {pointer: /first, fallback: x}", "attributes.name.givenName.fallback"),
        ("{value: /role, type", "{value: role, type", "attributes.roles[0].value"),
        ("{constant: job}", "{constant: [job]}", "attributes.roles[0].type.constant"),
        ("person: /who", "person: who", "person"),
        ("person: /who", "persona: /who", "person"),
        ("person: /who", "person: /who\nextra: 1", "extra"),
        ("occurred_at: {pointer: /at, form: seconds}", "id: /id", "occurred_at"),
        ("name: sample", "name: other", "name"),
    ])
    func `a file with a mistake is refused by the path of the mistake`(old: String, new: String, path: String) throws {
        _ = try Self.mapping()
        let error = #expect(throws: MappingFileError.self) { try Self.mapping(old, new) }
        #expect(error?.file == "sample.yaml")
        #expect(error?.field == path)
    }

    @Test(arguments: [
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z"), ("2026-11-21T09:00:00+0100", "2026-11-21T08:00:00Z"),
        ("2026-11-21T09:00:00-01:00", "2026-11-21T10:00:00Z"), ("2026-11-21 09:00:00.5", "2026-11-21T09:00:00.5Z"),
        ("2026-11-21T09:00:00", "2026-11-21T09:00:00Z"), ("2026-11-21", nil), ("2026-11-21T09:00", nil),
        ("2026-11-21T09:00:00+1", nil), ("2026-11-21T09:00:00 UTC", nil), ("", nil),
    ])
    func `times of ISO 8601 are read, and nothing that only looks like one`(text: String, means: String?) throws {
        let reading = try Self.reading(
            #"{"event": "fired", "at": "\#(text)", "who": {"id": "1"}}"#,
            "form: seconds",
            "form: iso8601"
        )
        #expect(reading.events.first?.event.occurredAt == means.flatMap { Timestamp($0) })
        #expect(reading.refusals.map(\.pointer) == (means == nil ? ["/data/at"] : []))
    }
}
