import Evidence
import Foundation
import Testing
import Transparency

@Suite struct ExportFormatTests {
    private static let id = "ent_01k9qyc5qje1qsv9svhrqgc8d4"

    @Test(arguments: ExportFormat.allCases)
    func `every format carries the entry's id and its index`(_ format: ExportFormat) throws {
        let text = try Entries.text(try Entries.entry(at: 7_654_321), as: format)
        #expect(text.contains(Self.id))
        #expect(text.contains("7654321"))
        #expect(text.contains("grt_01k9qyc5qje1qsv9svhrqgc8d1"))
    }

    @Test(arguments: ExportFormat.allCases.filter { $0 != .csv })
    func `whatever stands in an entry, it stays on one line`(_ format: ExportFormat) throws {
        for hostile in Entries.hostile {
            let entry = try Entries.entry(Entries.members(userAgent: hostile, after: ["text": .string(hostile)]))
            let text = try Entries.text(entry, as: format)
            // The batch parts its elements in front of each.
            let line = format == .cloudeventsBatch ? text.dropFirst() : text.dropLast()
            #expect(!line.unicodeScalars.contains { $0 == "\n" || $0 == "\r" || $0 == "\u{0}" || $0 == "\u{1B}" })
        }
    }

    @Test func `a line of NDJSON holds the leaf byte for byte`() throws {
        let entry = try Entries.entry(Entries.members(userAgent: "a\n\"b\"\u{1F600}"))
        let text = try Entries.text(entry, as: .ndjson)
        #expect(text.hasSuffix("\"entry\":" + String(decoding: entry.leaf, as: UTF8.self) + "}\n"))
        let line = try JSON.parse(Array(text.utf8))
        #expect(line["index"] == 41)
        #expect(line["hash"] == .string(MerkleHash.leaf(entry.leaf).base64))
        #expect(try line["entry"]?.canonical() == entry.leaf)
    }

    @Test func `bytes that are no leaf are refused with their index`() throws {
        for leaf in ["", "[]", "{", "{\"recorded_at\":\"yesterday\"}"] {
            let entry = LoggedEntry(index: 3, leaf: Array(leaf.utf8))
            #expect(throws: ExportError.leafUnreadable(index: 3)) { try Entries.text(entry, as: .ocsf) }
        }
    }

    // MARK: CSV

    @Test func `the columns of the CSV are these, and new ones come last`() throws {
        let head = String(decoding: EntryWriter(.csv, origin: "o").head, as: UTF8.self)
        #expect(
            head == """
                index,id,hash,organization,recorded_at,received_at,occurred_at,actor_kind,actor_id,credential_id,\
                credential_digest_prefix,on_behalf_of,authority_kind,authority_id,authority_version,action,target_kind,\
                target_id,person,outcome,reason,source_delivery,source_event,request_id,trace_id,client_ip,user_agent,\
                before,after\r\n
                """
        )
    }

    @Test func `a line of the CSV is exactly this`() throws {
        let entry = try Entries.entry()
        #expect(
            try Entries.text(entry, as: .csv) == """
                41,\(Self.id),\(entry.hash.hasPrefix("+") ? "'" + entry.hash : entry.hash),\
                org_01k9qyc5qje1qsv9svhrqgc8d6,2026-11-21T09:00:00.012999Z,2026-11-21T09:00:00Z,2026-11-20T23:59:59Z,\
                member,usr_01k9qyc5qje1qsv9svhrqgc8da,tok_01k9qyc5qje1qsv9svhrqgc8d7,5f1c09ab,\
                per_01k9qyc5qje1qsv9svhrqgc8d3 per_01k9qyc5qje1qsv9svhrqgc8d8,rule,int_01k9qyc5qje1qsv9svhrqgc8d1,3,\
                grant.suspended,grant,grt_01k9qyc5qje1qsv9svhrqgc8d1,per_01k9qyc5qje1qsv9svhrqgc8d3,done,,,,\
                req_01k9qyc5qje1qsv9svhrqgc8d5,4bf92f3577b34da6a3ce929d0e0e4736,198.51.100.7,curl/8,\
                "{""status"":""active""}","{""status"":""suspended""}"\r\n
                """
        )
    }

    @Test func `no field of the CSV is a formula, and each is read back as it was`() throws {
        for hostile in Entries.hostile {
            let entry = try Entries.entry(Entries.members(userAgent: hostile))
            let text = try Entries.text(entry, as: .csv)
            let fields = try #require(Self.fields(text))
            #expect(fields.count == EntryField.all.count)
            let field = fields[26]
            if "=+-@\t\r\n＝".unicodeScalars.contains(hostile.unicodeScalars.first ?? " ") {
                #expect(field == "'" + hostile)
            } else {
                #expect(field == hostile)
            }
        }
    }

    /// A reader of RFC 4180 for one line; nil where it is none.
    private static func fields(_ line: String) -> [String]? {
        var fields: [String] = []
        var field = String.UnicodeScalarView()
        var isQuoted = false
        var scalars = Array(line.unicodeScalars)
        guard scalars.suffix(2) == ["\r", "\n"] else { return nil }
        scalars.removeLast(2)
        var place = 0
        while place < scalars.count {
            let scalar = scalars[place]
            switch (isQuoted, scalar) {
            case (true, "\""):
                if place + 1 < scalars.count, scalars[place + 1] == "\"" {
                    field.append("\"")
                    place += 1
                } else {
                    isQuoted = false
                }
            case (true, _): field.append(scalar)
            case (false, "\""):
                guard field.isEmpty else { return nil }
                isQuoted = true
            case (false, ","):
                fields.append(String(field))
                field = String.UnicodeScalarView()
            case (false, "\r"), (false, "\n"): return nil
            case (false, _): field.append(scalar)
            }
            place += 1
        }
        return isQuoted ? nil : fields + [String(field)]
    }

    // MARK: ECS

    @Test func `an ECS document has its fields where the schema has them`() throws {
        let document = try Entries.document(try Entries.entry(), as: .ecs)
        let expected: [(String, JSON)] = [
            ("/@timestamp", "2026-11-21T09:00:00.012999Z"), ("/event/id", .string(Self.id)), ("/event/sequence", 41),
            ("/event/action", "grant.suspended"), ("/event/kind", "event"), ("/event/category", ["iam"]),
            ("/event/type", ["user", "change"]), ("/event/outcome", "success"), ("/ecs/version", "8.17.0"),
            ("/user/id", "usr_01k9qyc5qje1qsv9svhrqgc8da"),
            ("/user/effective/id", "per_01k9qyc5qje1qsv9svhrqgc8d3"),
            ("/user/target/id", "per_01k9qyc5qje1qsv9svhrqgc8d3"), ("/source/ip", "198.51.100.7"),
            ("/user_agent/original", "curl/8"), ("/trace/id", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("/http/request/id", "req_01k9qyc5qje1qsv9svhrqgc8d5"), ("/event/start", "2026-11-20T23:59:59Z"),
            ("/organization/id", "org_01k9qyc5qje1qsv9svhrqgc8d6"), ("/rollcall/after", ["status": "suspended"]),
            ("/rollcall/target_id", "grt_01k9qyc5qje1qsv9svhrqgc8d1"), ("/rollcall/authority_version", 3),
        ]
        for (pointer, value) in expected { #expect(document[pointer: pointer] == value, "\(pointer)") }
        let refused = try Entries.document(try Entries.entry(Entries.members(outcome: "refused")), as: .ecs)
        #expect(refused[pointer: "/event/outcome"] == "failure")
    }

    // MARK: CEF

    @Test func `a line of CEF is exactly this`() throws {
        let entry = try Entries.entry(Entries.members(userAgent: "a=b|c\\d\ne"))
        #expect(
            try Entries.text(entry, as: .cef) == """
                CEF:0|Rollcall|Rollcall|1|grant.suspended|grant suspended|1|cn1Label=index cn1=41 \
                externalId=\(Self.id) cs6Label=hash cs6=\(entry.hash.replacing("=", with: "\\=")) \
                deviceExternalId=org_01k9qyc5qje1qsv9svhrqgc8d6 rt=1795251600012 \
                RollcallReceivedAt=1795251600000 start=1795219199000 \
                spriv=member suid=usr_01k9qyc5qje1qsv9svhrqgc8da cs4Label=credential_id \
                cs4=tok_01k9qyc5qje1qsv9svhrqgc8d7 RollcallCredentialDigestPrefix=5f1c09ab cs2Label=on_behalf_of \
                cs2=per_01k9qyc5qje1qsv9svhrqgc8d3 per_01k9qyc5qje1qsv9svhrqgc8d8 RollcallAuthorityKind=rule \
                cs3Label=authority_id cs3=int_01k9qyc5qje1qsv9svhrqgc8d1 RollcallAuthorityVersion=3 \
                act=grant.suspended cs5Label=target_kind cs5=grant cs1Label=target_id \
                cs1=grt_01k9qyc5qje1qsv9svhrqgc8d1 duid=per_01k9qyc5qje1qsv9svhrqgc8d3 outcome=done \
                RollcallRequestId=req_01k9qyc5qje1qsv9svhrqgc8d5 RollcallTraceId=4bf92f3577b34da6a3ce929d0e0e4736 \
                src=198.51.100.7 requestClientApplication=a\\=b|c\\\\d\\ne RollcallBefore={"status":"active"} \
                RollcallAfter={"status":"suspended"}\n
                """
        )
    }

    @Test func `an address of six goes where CEF has it`() throws {
        let text = try Entries.text(try Entries.entry(Entries.members(address: "2001:db8::1")), as: .cef)
        #expect(text.contains(" c6a2Label=client_ip c6a2=2001:db8::1 "))
        #expect(!text.contains(" src="))
    }

    @Test func `the header of CEF cannot be forged`() throws {
        let text = try Entries.text(try Entries.entry(Entries.members("ext.a|b\\c\nd")), as: .cef)
        #expect(text.hasPrefix("CEF:0|Rollcall|Rollcall|1|ext.a\\|b\\\\c d|ext a\\|b\\\\c d|1|cn1Label="))
    }

    // MARK: CloudEvents

    @Test func `a CloudEvent has what the specification demands`() throws {
        let event = try Entries.document(try Entries.entry(), as: .cloudevents)
        #expect(event["specversion"] == "1.0")
        #expect(event["id"] == .string(Self.id))
        #expect(event["source"] == "//rollcall.example/v1/audit/log/org_x")
        #expect(event["type"] == "rollcall.audit.grant.suspended")
        #expect(event["subject"] == "grt_01k9qyc5qje1qsv9svhrqgc8d1")
        #expect(event["time"] == "2026-11-21T09:00:00.012999Z")
        #expect(event["datacontenttype"] == "application/json")
        #expect(event["sequence"] == "0000000000000000041")
        #expect(try event["data"]?.canonical() == (try Entries.entry()).leaf)
        // CloudEvents 3.1: names of attributes are lower-case letters and digits.
        let names = try #require(event.object).keys
        #expect(names.allSatisfy { $0.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) } })
    }

    @Test func `a batch of CloudEvents is one array, also one of none`() throws {
        let whole = EntryWriter(.cloudeventsBatch, origin: "o")
        #expect(try JSON.parse(whole.head + whole.tail) == [])
        var writer = whole
        var bytes = writer.head
        for index in 0..<3 { bytes += try writer.write(try Entries.entry(at: index)) }
        bytes += writer.tail
        let events = try #require(try JSON.parse(bytes).array)
        #expect(events.compactMap { $0["sequence"]?.string.flatMap { Int($0) } } == [0, 1, 2])
    }
}
