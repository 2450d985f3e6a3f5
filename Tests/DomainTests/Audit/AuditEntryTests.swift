import Crypto
import Domain
import Foundation
import TestSupport
import Testing
import Transparency

@Suite struct AuditEntryTests {
    private static let organization = OrganizationID(high: 1, low: 1)
    private static let person = PersonID(high: 1, low: 2)
    private static let recordedAt = Timestamp(microseconds: 1_795_251_600_000_001)

    private static func attribution() -> Attribution {
        var attribution = Attribution(
            actor: .integrationUser(UserID(high: 1, low: 3)),
            credential: .init(token: TokenID(high: 1, low: 4), digestPrefix: "0a1b2c3d"),
            onBehalfOf: [person],
            delivery: DeliveryID(high: 1, low: 5),
            event: EventID(high: 1, low: 6),
            receivedAt: Timestamp(seconds: 1_795_251_600)
        )
        attribution.origin = Attribution.Origin(
            request: RequestID(high: 1, low: 7),
            trace: "0af7651916cd43dd8448eb211c80319c",
            address: IPAddress("2001:db8::1"),
            userAgent: "curl/8"
        )
        return attribution
    }

    private static func entry(_ draft: AuditDraft, by attribution: Attribution = attribution()) throws -> AuditEntry {
        try draft.entry(
            id: AuditEntryID(high: 1, low: 8),
            organization: organization,
            by: attribution,
            at: recordedAt,
            using: SeededRandomness()
        )
    }

    /// The shape of leaves is final: verifiers of every later release read them. A new member makes a new `v`.
    @Test func `a leaf with everything in it is exactly this`() throws {
        let draft = AuditDraft(
            .grantUpdated,
            .grant(GrantID(high: 1, low: 9)),
            outcome: .refused,
            reason: "address_not_allowed",
            authority: .rule(IntegrationID(high: 1, low: 10), version: 3),
            before: ["status": "active"],
            after: ["status": "suspended"],
            person: Self.person,
            occurredAt: Timestamp(seconds: 1_795_000_000)
        )
        let expected = """
            {"action":"grant.updated","actor":{"id":"usr_\(Self.suffix(3))","kind":"integration_user"},\
            "after":{"status":"suspended"},\
            "authority":{"id":"int_\(Self.suffix(10))","kind":"rule","version":3},\
            "before":{"status":"active"},"client_ip":"2001:db8::1",\
            "credential":{"digest_prefix":"0a1b2c3d","id":"tok_\(Self.suffix(4))"},\
            "id":"ent_\(Self.suffix(8))","occurred_at":"2026-11-18T11:06:40Z",\
            "on_behalf_of":[{"id":"per_\(Self.suffix(2))","kind":"person"}],\
            "organization":"org_\(Self.suffix(1))","outcome":"refused",\
            "person":"per_\(Self.suffix(2))","reason":"address_not_allowed",\
            "received_at":"2026-11-21T09:00:00Z","recorded_at":"2026-11-21T09:00:00.000001Z",\
            "request_id":"req_\(Self.suffix(7))",\
            "source_delivery":"dlv_\(Self.suffix(5))","source_event":"evt_\(Self.suffix(6))",\
            "target":{"id":"grt_\(Self.suffix(9))","kind":"grant"},\
            "trace_id":"0af7651916cd43dd8448eb211c80319c","user_agent":"curl/8","v":1}
            """
        #expect(String(decoding: try Self.entry(draft).leaf, as: UTF8.self) == expected)
    }

    /// The text of the 128 bits (1, low), counted by hand: 64 bits are twelve characters and four bits more.
    private static func suffix(_ low: Int) -> String {
        "0000000000000g00000000000" + String(Array("0123456789abcdefghjkmnpqrstvwxyz")[low])
    }

    @Test func `what does not apply is null, never missing`() throws {
        let attribution = Attribution(actor: .system("sequencer"), receivedAt: Timestamp(seconds: 1_795_251_600))
        let bare = try Self.entry(AuditDraft(.auditRead, .organization(Self.organization)), by: attribution)
        let leaf = try JSON.parse(bare.leaf)
        let full = try JSON.parse(try Self.entry(AuditDraft(.auditRead, .organization(Self.organization))).leaf)
        #expect(leaf.object?.keys.sorted() == full.object?.keys.sorted())
        #expect(leaf.object?.count == 23)
        let nulls = leaf.object?.members.filter(\.value.isNull).map(\.key).sorted()
        #expect(
            nulls == [
                "authority", "client_ip", "credential", "occurred_at", "person", "reason", "request_id",
                "source_delivery", "source_event", "trace_id", "user_agent",
            ]
        )
        #expect(leaf["actor"] == ["kind": "system", "id": "sequencer"])
        #expect(bare.actor == nil && bare.person == nil && bare.disclosed == nil)
    }

    @Test func `search columns say what the leaf says`() throws {
        let entry = try Self.entry(AuditDraft(.personRead, .person(Self.person)))
        #expect(entry.actor == UserID(high: 1, low: 3))
        #expect(entry.action == .own(.personRead) && entry.outcome == .done)
        #expect(entry.target == IDBits(high: 1, low: 2))
        #expect(entry.person == Self.person)
    }

    // MARK: Personal values

    private static let personal = AuditDraft.PersonalChange(
        subject: person,
        before: [("title", "Analyst")],
        after: [("title", "Analyst"), ("userName", "ada@acme.example"), ("urn:x:department", .null)]
    )

    @Test func `personal values stand in the leaf as salted digests only`() throws {
        let draft = AuditDraft(
            .personUpdated,
            .person(Self.person),
            after: ["status": "active"],
            personal: Self.personal
        )
        let entry = try Self.entry(draft)
        let text = String(decoding: entry.leaf, as: UTF8.self)
        #expect(!text.contains("Analyst") && !text.contains("ada@acme") && !text.contains("userName"))
        let leaf = try JSON.parse(entry.leaf)
        #expect(leaf["after"]?["status"] == "active")
        #expect(leaf["before"]?["_sd"]?.array?.count == 1)
        #expect(leaf["after"]?["_sd"]?.array?.count == 3)
        #expect(entry.disclosed?.subject == Self.person)
    }

    /// RFC 9901 4.2.1 and 4.2.3, done anew with nothing of ours: base64url of the JSON array, SHA-256 of that text.
    @Test func `each disclosure leads to a digest of the leaf, and each digest to one disclosure`() throws {
        let entry = try Self.entry(AuditDraft(.personUpdated, .person(Self.person), personal: Self.personal))
        let leaf = try JSON.parse(entry.leaf)
        let held = ["before", "after"].flatMap { leaf[$0]?["_sd"]?.array ?? [] }.compactMap(\.string)
        let disclosures = try #require(entry.disclosed?.disclosures)
        var digests: [String] = []
        for disclosure in disclosures {
            let digest = Self.base64url(Data(SHA256.hash(data: Data(disclosure.encoded.utf8))))
            digests.append(digest)
            let padded = disclosure.encoded.replacing("-", with: "+").replacing("_", with: "/")
            let data = Data(base64Encoded: padded + String(repeating: "=", count: (4 - padded.count % 4) % 4))
            let parts = try JSON.parse(Array(try #require(data))).array
            #expect(parts?.count == 3)
            #expect(parts?.first?.string?.count == 22)
            #expect(parts?.dropFirst().first?.string == disclosure.name)
            #expect(parts?.last == disclosure.value)
        }
        #expect(digests.sorted() == held.sorted())
        #expect(Set(digests).count == disclosures.count)
    }

    @Test func `the order of digests tells nothing, and equal values have unequal ones`() throws {
        let entry = try Self.entry(AuditDraft(.personUpdated, .person(Self.person), personal: Self.personal))
        let leaf = try JSON.parse(entry.leaf)
        let after = leaf["after"]?["_sd"]?.array?.compactMap(\.string) ?? []
        let before = leaf["before"]?["_sd"]?.array?.compactMap(\.string) ?? []
        #expect(after == after.sorted())
        #expect(Set(after).isDisjoint(with: before))
    }

    private static func base64url(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    // MARK: Bounds

    @Test func `a leaf may be as long as the log takes, and not a byte longer`() throws {
        let empty = try Self.entry(AuditDraft(.grantUpdated, .person(Self.person), after: ["note": ""])).leaf.count
        let room = AuditEntry.mostLeafBytes - empty
        let full = AuditDraft(
            .grantUpdated,
            .person(Self.person),
            after: ["note": .string(String(repeating: "x", count: room))]
        )
        #expect(try Self.entry(full).leaf.count == 65_535)
        #expect(try Self.entry(full).blobs.isEmpty)
        var over = full
        over.before = ["small": "stays"]
        over.after["note"] = .string(String(repeating: "x", count: room + 1))
        let entry = try Self.entry(over)
        let leaf = try JSON.parse(entry.leaf)
        #expect(leaf["before"] == ["small": "stays"])
        let blob = try #require(entry.blobs.first)
        #expect(entry.blobs.count == 1 && LeafBlob.digest(namedBy: leaf["after"]) == blob.digest)
        #expect(blob.bytes == (try JSON.object(over.after).canonical()))
        #expect(leaf[pointer: "/after/_blob/bytes"] == .number(JSON.Number(Int64(blob.bytes.count))))
        #expect(Array(SHA256.hash(data: blob.bytes)) == blob.digest)
    }

    @Test func `both sides may stand beside the leaf, each up to its bound`() throws {
        let large: JSON.Object = ["note": .string(String(repeating: "x", count: 70_000))]
        let other: JSON.Object = ["note": .string(String(repeating: "y", count: 80_000))]
        let both = try Self.entry(AuditDraft(.grantUpdated, .person(Self.person), before: large, after: other))
        #expect(both.blobs.count == 2 && both.leaf.count < 2_000)
        let most = LeafBlob.mostBytes - (try JSON.object(["note": ""]).canonical().count)
        func entry(_ count: Int) throws -> AuditEntry {
            let after: JSON.Object = ["note": .string(String(repeating: "z", count: count))]
            return try Self.entry(AuditDraft(.grantUpdated, .person(Self.person), after: after))
        }
        #expect(try entry(most).blobs.first?.bytes.count == LeafBlob.mostBytes)
        #expect(throws: AuditLeafError.self) { try entry(most + 1) }
    }

    @Test(arguments: [
        JSON.null, "_blob", [:], ["_blob": "x"], ["_blob": ["sha256": "AAAA"]],
        ["_blob": ["sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="], "other": 1],
    ])
    func `a side that is not exactly a name is none`(side: JSON) {
        #expect(LeafBlob.digest(namedBy: side) == nil)
    }

    @Test func `search columns are what the leaf says`() throws {
        let draft = AuditDraft(.grantUpdated, .grant(GrantID(high: 1, low: 9)))
        let entry = try Self.entry(draft)
        let columns = LeafColumns(
            id: entry.id,
            recordedAt: entry.recordedAt,
            actor: entry.actor,
            action: entry.action.description,
            target: entry.target,
            person: entry.person,
            outcome: entry.outcome.rawValue
        )
        #expect(LeafColumns(try JSON.parse(entry.leaf)) == columns)
        #expect(columns.person == Self.person && columns.actor != nil)
        #expect(LeafColumns(["id": "ent_"]) == nil)
    }

    @Test func `a user agent is cut, so that no caller can overfill a leaf`() {
        let origin = Attribution.Origin(userAgent: String(repeating: "é", count: 5000))
        #expect(origin.userAgent?.count == Attribution.Origin.mostUserAgentCharacters)
    }

    @Test func `a number that RFC 8785 cannot write refuses the entry`() throws {
        let number = try JSON.parse(Array("9007199254740993".utf8))
        #expect(throws: AuditLeafError.self) {
            try Self.entry(AuditDraft(.grantUpdated, .person(Self.person), after: ["n": number]))
        }
        let personal = AuditDraft.PersonalChange(subject: Self.person, after: [("n", number)])
        #expect(throws: AuditLeafError.self) {
            try Self.entry(AuditDraft(.personUpdated, .person(Self.person), personal: personal))
        }
    }

    @Test func `action codes are nouns and what was done, each once`() {
        let codes = ActionCode.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(codes.allSatisfy { $0.wholeMatch(of: /[a-z_]+\.[a-z_]+/) != nil })
    }
}
