import Domain
import Testing
import Transparency

/// The payloads that mappings bring for trying a source.
@Suite struct SampleTests {
    private static let values: [MappingSample.Place: String] = [
        .id: "ev-1", .now: "2026-11-21T09:00:00Z", .today: "2026-11-21", .externalID: "e-7",
        .userName: "ada@acme.example", .givenName: "Ada", .familyName: "Lovelace", .email: "ada@acme.example",
        .title: "Analyst", .department: "Finance",
    ]

    @Test(arguments: ["merge", "workos", "bamboohr"])
    func `each sample that is called like a kind makes one event of it, about the person given`(name: String) throws {
        let mapping = try #require(try Mapping.embedded()[name])
        #expect(Set(mapping.samples.map(\.name)).isSuperset(of: ["joiner", "mover", "leaver"]))
        for sample in mapping.samples {
            guard let kind = EventKind(rawValue: sample.name) else { continue }
            let reading = try mapping.read(sample.filled(with: Self.values))
            #expect(reading.refusals.isEmpty, "\(sample.name)")
            // Merge does not say what was before: a mover is told as a rehire, which to who is there is the same.
            let told = name == "merge" && kind == .mover ? EventKind.rehire : kind
            #expect(reading.events.map(\.event.kind) == [told], "\(sample.name)")
            let person = reading.events.first?.event.person
            #expect(person?.externalID.description == "e-7", "\(sample.name)")
        }
    }

    @Test func `a field hook of many persons makes an event of each, an event hook makes none`() throws {
        let mapping = try #require(try Mapping.embedded()["bamboohr"])
        let samples = Dictionary(uniqueKeysWithValues: mapping.samples.map { ($0.name, $0) })
        let many = try mapping.read(try #require(samples["many"]).filled(with: Self.values))
        #expect(many.events.map(\.event.kind) == [.mover, .leaver, .deleted] && many.refusals.isEmpty)
        let hook = try #require(samples["event-hook"]).filled(with: Self.values)
        #expect(throws: MappingError.self) { try mapping.read(hook) }
    }

    @Test(arguments: [
        (#"samples: {a: '{"x": "$nobody"}'}"#, "samples.a"), ("samples: {a: '{'}", "samples.a"),
        ("samples: []", "samples"),
    ])
    func `a sample that is no JSON, or has a place that nobody knows, is refused`(line: String, field: String) throws {
        let yaml = "name: x\nevents: [\"\"]\nkind: {pointer: /type}\nkinds: {a: mover}\nperson: /person\n\(line)\n"
        let error = #expect(throws: MappingFileError.self) { try Mapping(yaml: yaml, file: "x.yaml") }
        #expect(error?.field == field)
    }
}
