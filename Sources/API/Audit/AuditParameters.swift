import Domain
import Edge
import Filter
import Storage
import Transparency

/// The audit log's own query parameters.
enum AuditParameters {
    static let all: [Operation.Parameter] = [
        .init("actor", in: .query, .username, "Id or username of who acted."),
        .init("target", in: .query, .anyID, "Id of what it was done to."),
        .init("action", in: .query, .auditAction, "What was done or tried, or `ext.` and what an API calls it."),
        .init("person", in: .query, .id("per"), "Whom it is about, or on whose behalf it was done."),
        .init("since", in: .query, .time, "Recorded at or after."),
        .init("until", in: .query, .time, "Recorded before."),
        .init("outcome", in: .query, .word(of: ["done", "refused"]), "Whether it happened."),
    ]

    static func query(_ parameters: [String: String]) throws(EdgeError) -> AuditQuery {
        var query = AuditQuery()
        query.actor = parameters["actor"].map(UserReference.init)
        query.target = try value(parameters, "target", "An id.", IDBits.init(anyID:))
        query.action = try value(parameters, "action", "An action code, such as grant.created.") {
            AuditAction($0)
        }
        query.person = try value(parameters, "person", "An id of a person.", PersonID.init)
        query.since = try value(parameters, "since", "An RFC 3339 time.", Timestamp.init)
        query.until = try value(parameters, "until", "An RFC 3339 time.", Timestamp.init)
        query.outcome = try value(parameters, "outcome", "done or refused.") { AuditOutcome(rawValue: $0) }
        return query
    }

    private static func value<Value>(
        _ parameters: [String: String],
        _ name: String,
        _ wanted: String,
        _ parse: (String) -> Value?
    ) throws(EdgeError) -> Value? {
        guard let text = parameters[name] else { return nil }
        guard let value = parse(text) else { throw .invalid([.init(parameter: name, wanted)]) }
        return value
    }

    /// What the entry of a reading tells of the question. Leaves hold no personal value for ever, and a question may hold
    /// some: a username is told by its being one, and a filter by the attributes that it asks for.
    static func told(_ parameters: [String: String], _ filter: Filter?) -> JSON.Object {
        var query: JSON.Object = [:]
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            query[name] = name == "actor" && UserID(value) == nil ? "username" : .string(value)
        }
        if let filter {
            query["filter"] = .array(Set(attributes(of: filter.root)).sorted().map(JSON.string))
        }
        return ["query": .object(query)]
    }

    private static func attributes(of expression: Filter.Expression) -> [String] {
        switch expression {
        case .or(let operands), .and(let operands): operands.flatMap(attributes)
        case .not(let operand): attributes(of: operand)
        case .comparison(let path, _, _), .present(let path): [path.description]
        case .element(let path, let inner): [path.description] + attributes(of: inner).map { "\(path).\($0)" }
        }
    }
}

extension PathTarget {
    static let auditQuery = PathTarget(AuditTarget.auditQuery)
    static let auditEntry = PathTarget(AuditTarget.auditEntry)
}

extension Schema {
    private static let mention = Schema.object([("kind", .string), ("id", .string)], isOpen: true)
    private static let leafMembers: [(String, Schema)] = [
        ("v", .integer(from: 1)), ("id", .id("ent")), ("organization", .id("org")), ("actor", mention),
        ("credential", Schema.object([("id", .string), ("digest_prefix", .string)]).orNull),
        ("on_behalf_of", .array(of: mention)), ("authority", Schema.object([("kind", .string)], isOpen: true).orNull),
        ("action", .auditAction), ("target", mention),
        ("person", .id("per").orNull), ("outcome", .word(of: ["done", "refused"])), ("reason", .string.orNull),
        ("before", anyObject), ("after", anyObject), ("source_delivery", .id("dlv").orNull),
        ("source_event", .id("evt").orNull), ("request_id", .id("req").orNull), ("trace_id", .string.orNull),
        ("client_ip", .string.orNull), ("user_agent", .string.orNull), ("occurred_at", .time.orNull),
        ("received_at", .time), ("recorded_at", .time),
        (
            "disclosed",
            Schema.object([("before", anyObject), ("after", anyObject)]).orNull.described(
                "Personal values behind the leaf's digests; null for callers that do not read personal data."
            )
        ),
        (
            "erased",
            Schema.boolean.orNull.described(
                "The person was erased: nothing stands behind the digests any more. null for those who read no such data."
            )
        ),
        (
            "display",
            Schema.object([
                ("actor", .string.orNull), ("on_behalf_of", .array(of: .string.orNull)), ("target", .string.orNull),
                ("person", .string.orNull),
            ]).orNull.described("Present names of what the entry mentions by id; no part of the leaf.")
        ),
    ]

    private static let example: JSON.Object = [
        "v": 1, "id": "ent_01k9qyc5qje1qsv9svhrqgc8d4", "organization": "org_01k9qyc5qje1qsv9svhrqgc8d6",
        "actor": ["kind": "member", "id": "usr_01k9qyc5qje1qsv9svhrqgc8da"],
        "credential": ["id": "tok_01k9qyc5qje1qsv9svhrqgc8d7", "digest_prefix": "5f1c09ab"], "on_behalf_of": [],
        "authority": ["kind": "scope", "id": "grants:write"], "action": "grant.suspended",
        "target": ["kind": "grant", "id": "grt_01k9qyc5qje1qsv9svhrqgc8d1"],
        "person": "per_01k9qyc5qje1qsv9svhrqgc8d3", "outcome": "done", "reason": .null,
        "before": ["status": "active"], "after": ["status": "suspended"], "source_delivery": .null,
        "source_event": .null, "request_id": "req_01k9qyc5qje1qsv9svhrqgc8d5",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "client_ip": "198.51.100.7", "user_agent": "rollcall/1",
        "occurred_at": .null, "received_at": "2026-11-21T09:00:00Z", "recorded_at": "2026-11-21T09:00:00.012Z",
        "disclosed": ["before": [:], "after": [:]], "erased": false,
        "display": [
            "actor": "grace@acme.example", "on_behalf_of": [], "target": "Payroll", "person": "ada@acme.example",
        ],
    ]

    static let auditEntry = Schema.object(leafMembers, isOpen: true).named("AuditEntry", example: .object(example))

    static let foundAuditEntry = Schema.object(
        leafMembers + [("index", integer().described("Place in the log."))],
        isOpen: true
    ).named("FoundAuditEntry", example: .object(example.merged(with: ["index": 20_852_162])))

    static let wholeAuditEntry = Schema.object(
        leafMembers + [
            ("leaf", .string.described("RFC 8785 JSON, exactly as hashed.")),
            (
                "disclosures",
                .array(of: .string).orNull.described(
                    """
                    What stands behind the leaf's digests, encoded as it was hashed (RFC 9901 section 4.2); null for callers \
                    that see none.
                    """
                )
            ),
        ],
        isOpen: true
    ).named(
        "WholeAuditEntry",
        example: .object(example.merged(with: ["leaf": "{\"action\":\"grant.suspended\",…}", "disclosures": []]))
    )
}
