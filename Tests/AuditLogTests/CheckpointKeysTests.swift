import AuditLog
import TestSupport
import Testing
import Transparency

@Suite struct CheckpointKeysTests {
    private let randomness = SeededRandomness(seed: 7)
    private let origin = NoteKeyName("rollcall.test/v1/audit/log/org_1")

    @Test func `while a key is replaced both sign, and a former one is believed`() throws {
        let origin = try #require(origin)
        let (old, new) = (try CheckpointKeys.line(using: randomness), try CheckpointKeys.line(using: randomness))
        let before = try CheckpointKeys(parsing: old).keys(of: origin)
        let during = try CheckpointKeys(parsing: "# new\n\(new)\n\(old)\n").keys(of: origin)
        let former = try #require(before.current.first)
        let after = try CheckpointKeys(parsing: new + "\n" + former.text).keys(of: origin)
        #expect(during.current == after.current + before.current)
        #expect(after.believed == during.believed)
        #expect(after.current.count == 1)
    }

    @Test func `names of keys do not count: each log has its origin`() throws {
        let origin = try #require(origin)
        let keys = try CheckpointKeys(parsing: CheckpointKeys.line(using: randomness)).keys(of: origin)
        #expect(keys.believed.allSatisfy { $0.name == origin })
    }

    @Test(arguments: [
        ("", CheckpointKeyError.noSigningKey), ("# nothing\n\n", .noSigningKey),
        ("\n\nPRIVATE+KEY+x", .unreadable(line: 3)),
        ("sesame", .unreadable(line: 1)),
    ])
    func `what is no key is refused by its line`(text: String, error: CheckpointKeyError) {
        #expect(throws: error) { try CheckpointKeys(parsing: text) }
    }

    @Test func `a file of verifier keys alone signs nothing and is refused`() throws {
        let origin = try #require(origin)
        let keys = try CheckpointKeys(parsing: CheckpointKeys.line(using: randomness)).keys(of: origin)
        let verifier = try #require(keys.current.first)
        #expect(throws: CheckpointKeyError.noSigningKey) { try CheckpointKeys(parsing: verifier.text) }
    }
}
