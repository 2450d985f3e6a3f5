import Foundation
import Testing

/// The corpus of Tests/Fuzz as regression tests: seeds, and what a fuzzer once found.
@Suite struct CorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz/corpus")

    private static func files() throws -> [(name: String, input: [UInt8])] {
        try FileManager.default.contentsOfDirectory(at: corpus, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }

    @Test func `nothing in the corpus breaks what has to hold`() async throws {
        let properties = try DeliveryProperties()
        let files = try Self.files()
        #expect(files.count > 20)
        for (name, input) in try files + properties.seeds() {
            let found = await properties.violations(of: input)
            #expect(found == [], "\(name)")
        }
    }

    @Test func `every profile has a seed that it accepts`() async throws {
        let properties = try DeliveryProperties()
        for (name, input) in try properties.seeds() {
            #expect(await properties.accepting(input).contains(name), "\(name)")
        }
    }

    /// So that the properties can fail at all.
    @Test func `a seed with another body is accepted by nobody`() async throws {
        let properties = try DeliveryProperties()
        for (name, input) in try properties.seeds() where !["set"].contains(name) {
            let changed = input.dropLast() + [UInt8(ascii: " ")]
            let accepting = await properties.accepting(Array(changed))
            #expect(await properties.violations(of: Array(changed)) == [], "\(name)")
            #expect(accepting.isEmpty || accepting.contains(name), "\(name)")
        }
    }
}
