import Domain
import Foundation
import TestSupport
import Testing

/// The noun of the TypeID specification's own vectors (v0.3.0, valid.yml and invalid.yml).
private enum SampleKind: IDKind { static let prefix = "prefix" }
private typealias Sample = ID<SampleKind>

@Suite struct IDTests {
    @Test(
        arguments: [
            ("00000000000000000000000000", 0x0, 0x0),
            ("00000000000000000000000001", 0x0, 0x1),
            ("0000000000000000000000000a", 0x0, 0xA),
            ("0000000000000000000000000g", 0x0, 0x10),
            ("00000000000000000000000010", 0x0, 0x20),
            ("7zzzzzzzzzzzzzzzzzzzzzzzzz", UInt64.max, UInt64.max),
            ("0123456789abcdefghjkmnpqrs", 0x0110_C853_1D09_52D8, 0xD73E_1194_E95B_5F19),
            ("01h455vb4pex5vsknk084sn02q", 0x0189_0A5D_AC96_774B, 0xBCCE_B302_099A_8057),
        ] as [(String, UInt64, UInt64)]
    )
    func `vectors of the specification are read and written`(suffix: String, high: UInt64, low: UInt64) throws {
        let id = try #require(Sample("prefix_" + suffix))
        #expect(id == Sample(high: high, low: low))
        #expect(id.description == "prefix_" + suffix)
    }

    @Test(arguments: [
        "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",  // more than 128 bits
        "prefix_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "prefix_0123456789ABCDEFGHJKMNPQRS",
        "PREFIX_00000000000000000000000000",
        "prefix_i23456789ol23456789oi23456",
        "prefix_0000000000000000000000000u",
        "prefix_123456789-123456789-123456",
        "prefix_1234567890123456789012345",
        "prefix_123456789012345678901234567",
        "prefix_ 0000000000000000000000000",
        "prefix-00000000000000000000000000",
        "prefix00000000000000000000000000",
        "other_00000000000000000000000000",
        "_00000000000000000000000000",
        "00000000000000000000000000",
        "prefix_",
        "prefix_0000000000000000000000000\u{E9}",
        "",
    ])
    func `what is not an id of the noun is refused`(text: String) {
        #expect(Sample(text) == nil)
    }

    @Test func `an id of another noun is refused, whatever its bits`() {
        let user = UserID(high: 1, low: 2)
        #expect(UserID(user.description) == user)
        #expect(GrantID(user.description) == nil)
    }

    @Test func `a made id is a UUIDv7 of its millisecond`() {
        let now = Timestamp(microseconds: 1_795_251_600_123_999)
        let id = Sample.make(at: now, using: SeededRandomness())
        #expect(id.high >> 16 == 1_795_251_600_123)
        #expect(id.high >> 12 & 0xF == 7)
        #expect(id.low >> 62 == 0b10)
        #expect(id != Sample.make(at: now, using: SeededRandomness(seed: 2)))
    }

    @Test func `ids of later milliseconds stand behind earlier ones, as text too`() {
        let randomness = SeededRandomness()
        let ids = (0..<50).map { Sample.make(at: Timestamp(microseconds: $0 * 1000), using: randomness) }
        #expect(ids == ids.sorted())
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
    }

    @Test func `an instant before the epoch makes an id of the epoch`() {
        #expect(Sample.make(at: Timestamp(seconds: -1), using: SeededRandomness()).high >> 16 == 0)
    }

    @Test func `an unguessable id has no time in it`() {
        let ids = (0..<64).map { _ in Sample.unguessable(using: SeededRandomness(seed: UInt64.random(in: 0...9999))) }
        #expect(ids.allSatisfy { $0.bytes.count == 16 })
        let randomness = SeededRandomness()
        let versions = Set((0..<200).map { _ in Sample.unguessable(using: randomness).high >> 12 & 0xF })
        #expect(versions.count == 16)
    }

    @Test func `bytes stand most significant first`() {
        let id = Sample(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)
        #expect(id.bytes == Array(0...15))
    }

    @Test func `an id is a text in JSON`() throws {
        let id = UserID(high: 3, low: 4)
        let data = try JSONEncoder().encode([id])
        #expect(String(decoding: data, as: UTF8.self) == #"["\#(id)"]"#)
        #expect(try JSONDecoder().decode([UserID].self, from: data) == [id])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([GrantID].self, from: data)
        }
    }

    @Test func `a query finds the bits of an id of whatever noun`() {
        let id = SourceID(high: 5, low: 6)
        #expect(IDBits(anyID: id.description) == IDBits(high: 5, low: 6))
        #expect(IDBits(anyID: "nothing") == nil)
        #expect(IDBits(anyID: "src_short") == nil)
    }

    @Test(arguments: ["a", "acme", "a-b", "0", "a1-2b", String(repeating: "a", count: 63)])
    func `slugs are taken`(text: String) {
        #expect(Slug(text)?.description == text)
    }

    @Test(arguments: ["", "-a", "a-", "A", "a_b", "a b", "ä", "a.b", String(repeating: "a", count: 64)])
    func `what is not a slug is refused`(text: String) {
        #expect(Slug(text) == nil)
    }

    @Test(arguments: ["a@b", "ada@acme.example", "ada+hr@acme.example"])
    func `contact addresses are taken`(text: String) {
        #expect(ContactEmail(text)?.description == text)
    }

    @Test(arguments: ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a" + String(repeating: "b", count: 252) + "@c"])
    func `what cannot be an address is refused`(text: String) {
        #expect(ContactEmail(text) == nil)
    }
}
