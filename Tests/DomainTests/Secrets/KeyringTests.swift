import Domain
import TestSupport
import Testing
import Transparency

@Suite struct KeyringTests {
    private static let old = "2025 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    private static let new = "2026 Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="
    private let randomness = SeededRandomness()
    private let place = SealedPlace(organization: OrganizationID(high: 1, low: 1), row: "key_1", field: "sealed")

    private func ring(_ lines: String...) throws -> Keyring { try Keyring(parsing: lines.joined(separator: "\n")) }

    @Test func `the first line's key is the primary`() throws {
        let ring = try ring("# keys of production", "", Self.new + "  # since January", Self.old, "")
        #expect(ring.ids == ["2026", "2025"])
    }

    @Test(arguments: [
        ("", KeyringError.empty),
        ("# nothing\n\n", .empty),
        ("2026", .badLine(1)),
        ("# one\n2026 not-base64", .badLine(2)),
        ("2026 AAECAwQ=", .badLine(1)),
        (new + " more", .badLine(1)),
        (String(repeating: "a", count: 33) + " AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", .badLine(1)),
        (new + "\n" + new, .repeatedKey("2026")),
    ])
    func `a file that is no keyring is refused with its line`(file: String, error: KeyringError) {
        #expect(throws: error) { try Keyring(parsing: file) }
        #expect(!error.description.contains("AAEC"))
    }

    @Test func `more keys than the bound are refused`() {
        let lines = (0...Keyring.mostKeys).map { Keyring.line(id: "k\($0)", using: randomness) }
        #expect(throws: Never.self) { try Keyring(parsing: lines.dropLast().joined(separator: "\n")) }
        #expect(throws: KeyringError.badLine(33)) { try Keyring(parsing: lines.joined(separator: "\n")) }
    }

    @Test func `what an older key digested is recognised, and what is new is digested by the primary`() throws {
        let before = try ring(Self.old)
        let after = try ring(Self.new, Self.old)
        let secret = OpaqueSecret.make(.access, using: randomness)
        let stored = before.digest(of: secret)
        #expect(after.digests(of: secret) == [after.digest(of: secret), stored])
        #expect(after.digest(of: secret) != stored)
        #expect(after.matches(secret, stored))
        #expect(!(try ring(Self.new)).matches(secret, stored))
        #expect(!after.matches(.make(.access, using: randomness), stored))
        #expect(!after.matches(secret, []))
    }

    @Test func `each use has a key of its own`() throws {
        let ring = try ring(Self.new)
        let secret = OpaqueSecret.make(.access, using: randomness)
        let digest = Base64.standard.encode(ring.digest(of: secret))
        #expect(ring.headerDigest(of: secret.reveal()) != "hmac-sha256:2026:" + digest)
        #expect(ring.headerDigest(of: "Bearer x") == ring.headerDigest(of: "Bearer x"))
        #expect(ring.headerDigest(of: "Bearer x").hasPrefix("hmac-sha256:2026:"))
    }

    @Test func `what is sealed opens in its place, under that key, also when another is primary`() throws {
        let plain = Array("whsec_secret".utf8)
        let sealed = try ring(Self.old).seal(plain, for: place, using: randomness)
        #expect(try ring(Self.new, Self.old).open(sealed, for: place) == plain)
        #expect(throws: KeyringError.unknownKey("2025")) { try ring(Self.new).open(sealed, for: place) }
        let empty = try ring(Self.old).seal([], for: place, using: randomness)
        #expect(try ring(Self.old).open(empty, for: place) == [])
    }

    @Test func `another key of the same id does not open`() throws {
        let sealed = try ring(Self.old).seal([1, 2, 3], for: place, using: randomness)
        let impostor = try ring("2025" + Self.new.dropFirst(4))
        #expect(throws: KeyringError.notAuthentic) { try impostor.open(sealed, for: place) }
    }

    @Test func `a value moved elsewhere does not open`() throws {
        let ring = try ring(Self.old)
        let sealed = try ring.seal([1, 2, 3], for: place, using: randomness)
        let elsewhere = [
            SealedPlace(organization: OrganizationID(high: 1, low: 2), row: "key_1", field: "sealed"),
            SealedPlace(organization: OrganizationID(high: 1, low: 1), row: "key_2", field: "sealed"),
            SealedPlace(organization: OrganizationID(high: 1, low: 1), row: "key_1", field: "other"),
        ]
        for place in elsewhere {
            #expect(throws: KeyringError.notAuthentic) { try ring.open(sealed, for: place) }
        }
    }

    @Test func `no byte of an envelope can be changed, and none left out`() throws {
        let ring = try ring(Self.old)
        let sealed = try ring.seal(Array("plain".utf8), for: place, using: randomness)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: KeyringError.self, "byte \(index)") { try ring.open(changed, for: place) }
        }
        for count in 0..<sealed.count {
            #expect(throws: KeyringError.self, "\(count) bytes") {
                try ring.open(Array(sealed.prefix(count)), for: place)
            }
        }
    }

    @Test func `the same text is sealed differently each time`() throws {
        let ring = try ring(Self.old)
        let one = try ring.seal([1], for: place, using: randomness)
        #expect(try ring.seal([1], for: place, using: randomness) != one)
    }
}

@Suite struct SubjectKeyTests {
    private let key = SubjectKey(material: [UInt8](repeating: 5, count: SubjectKey.materialBytes))
    private let entry = AuditEntryID(high: 1, low: 1)
    private let randomness = SeededRandomness()

    @Test func `what is disclosed of a person opens with their key alone`() throws {
        let sealed = try key.seal(Array("Ada".utf8), of: entry, using: randomness)
        #expect(try key.open(sealed, of: entry) == Array("Ada".utf8))
        let other = SubjectKey(material: [UInt8](repeating: 6, count: SubjectKey.materialBytes))
        #expect(throws: KeyringError.notAuthentic) { try other.open(sealed, of: entry) }
    }

    @Test func `it does not open at another entry, nor changed`() throws {
        let sealed = try key.seal(Array("Ada".utf8), of: entry, using: randomness)
        #expect(throws: KeyringError.notAuthentic) { try key.open(sealed, of: AuditEntryID(high: 1, low: 2)) }
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 0x80
            #expect(throws: KeyringError.notAuthentic) { try key.open(changed, of: entry) }
        }
        #expect(throws: KeyringError.notAuthentic) { try key.open([], of: entry) }
    }
}
