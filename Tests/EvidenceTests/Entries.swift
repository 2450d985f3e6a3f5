import Evidence
import Foundation
import Transparency

/// Entries as leaves hold them.
enum Entries {
    static let hostile: [String] = [
        "=HYPERLINK(\"http://x\",\"y\")", "+1+1", "-2", "@SUM(A1)", "\tx", "\rx", "\n=1", "a\r\nb,c", "quote\"quote",
        "pipe|pipe", "back\\slash", "key=value", "nul\u{0}x", "esc\u{1B}[31m", "\u{85}\u{2028}\u{2029}", "😀 𝒳 Ω é",
        "\u{202E}abc", "＝1", "a=b\\=c|d\\|e\nCEF:0|x|y|z|1|n|10|", "'quoted'", " ",
    ]

    static func members(
        _ action: String = "grant.suspended",
        userAgent: String = "curl/8",
        address: JSON = "198.51.100.7",
        actor: JSON = ["kind": "member", "id": "usr_01k9qyc5qje1qsv9svhrqgc8da"],
        target: JSON = ["kind": "grant", "id": "grt_01k9qyc5qje1qsv9svhrqgc8d1"],
        person: JSON = "per_01k9qyc5qje1qsv9svhrqgc8d3",
        outcome: JSON = "done",
        after: JSON = ["status": "suspended"]
    ) -> JSON.Object {
        [
            "v": 1, "id": "ent_01k9qyc5qje1qsv9svhrqgc8d4", "organization": "org_01k9qyc5qje1qsv9svhrqgc8d6",
            "actor": actor,
            "credential": ["id": "tok_01k9qyc5qje1qsv9svhrqgc8d7", "digest_prefix": "5f1c09ab"],
            "on_behalf_of": [
                ["kind": "person", "id": "per_01k9qyc5qje1qsv9svhrqgc8d3"],
                ["kind": "person", "id": "per_01k9qyc5qje1qsv9svhrqgc8d8"],
            ],
            "authority": ["kind": "rule", "id": "int_01k9qyc5qje1qsv9svhrqgc8d1", "version": 3],
            "action": .string(action), "target": target, "person": person, "outcome": outcome, "reason": .null,
            "before": ["status": "active"],
            "after": after, "source_delivery": .null, "source_event": .null,
            "request_id": "req_01k9qyc5qje1qsv9svhrqgc8d5", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "client_ip": address, "user_agent": .string(userAgent), "occurred_at": "2026-11-20T23:59:59Z",
            "received_at": "2026-11-21T09:00:00Z", "recorded_at": "2026-11-21T09:00:00.012999Z",
        ]
    }

    static func entry(_ members: JSON.Object = members(), at index: Int = 41) throws -> LoggedEntry {
        LoggedEntry(index: index, leaf: try JSON.object(members).canonical())
    }

    static func text(_ entry: LoggedEntry, as format: ExportFormat) throws -> String {
        var writer = EntryWriter(format, origin: "rollcall.example/v1/audit/log/org_x")
        return String(decoding: try writer.write(entry), as: UTF8.self)
    }

    static func document(_ entry: LoggedEntry, as format: ExportFormat) throws -> JSON {
        try JSON.parse(Array(try text(entry, as: format).utf8))
    }
}
