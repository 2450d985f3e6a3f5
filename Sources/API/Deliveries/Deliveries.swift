import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let deliveries: [Operation] = [
        .list(
            "listDeliveries",
            "/v1/deliveries",
            .scope(.eventsRead),
            .deliveryRead,
            "Verified deliveries, newest first",
            of: .delivery,
            by: DeliveryID.self
        ) { call, step in
            try await call.read { try await $0.deliveries(of: step.source, after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .read(
            "getDelivery",
            "/v1/deliveries/{id}",
            .scope(.eventsRead),
            .deliveryRead,
            "One delivery with its verdict and events",
            target: .delivery,
            parameters: [
                Parameter("include", in: .query, .word(of: ["body"]), "`body`: with the bytes as they came, in base64.")
            ],
            answers: .delivery
        ) { call in
            let id = try call.id(as: DeliveryID.self)
            let include = call.parameters["include"]
            guard include == nil || include == "body" else {
                throw EdgeError.invalid([.init(parameter: "include", "Only body can be included.")])
            }
            let found = try await call.read { try await $0.delivery(id, withBody: include != nil) }
            guard let delivery = found else { throw EdgeError.notFound }
            return .read(delivery.json, notes: ["body": .bool(include != nil)])
        },
    ]
}

extension DeliveryView {
    fileprivate var json: JSON.Object {
        var json: JSON.Object = [
            "id": .string(id.description), "source": .string(source.description),
            // What was refused is not kept; it is counted in the audit log.
            "verdict": "verified", "status": .string(status.rawValue),
            "reasons": .array(reasons.map { .object($0.json) }), "repeated": .integer(repeated),
            "last_repeated_at": .orNull(repeatedAt),
            "signed_at": .orNull(signedAt), "received_at": .string(receivedAt.description), "key": .orNull(key),
            "headers": .object(headers), "bytes": .integer(bytes), "request_id": .string(request.description),
            "client_ip": clientAddress.map(JSON.string) ?? .null, "user_agent": userAgent.map(JSON.string) ?? .null,
            "event_count": .integer(events.count), "events": .array(events.map { .object($0.json) }),
        ]
        json["body_removed"] =
            removed.map { removed in
                [
                    "sha256": .string(Base64.standard.encode(removed.sha256)), "at": .string(removed.at.description),
                    "by": .string(removed.by.rawValue),
                ]
            } ?? .null
        if let body { json["body"] = .string(Base64.standard.encode(body)) }
        return json
    }
}

extension DeliveryView.Event {
    fileprivate var json: JSON.Object {
        ["id": .string(id.description), "kind": .string(kind.rawValue), "status": .string(status.rawValue)]
    }
}

extension Schema {
    private static let reason = Schema.object([
        ("pointer", .string.described("RFC 6901, into the payload; empty for the whole.")),
        ("reason", .string.described("Holds no value of the payload.")),
    ])

    fileprivate static let delivery = Schema.object(
        [
            ("id", .id("dlv")), ("source", .id("src")),
            ("verdict", .constant("verified").described("Only deliveries whose proof held are kept.")),
            ("status", .word(of: DeliveryStatus.allCases.map(\.rawValue))),
            (
                "reasons",
                .array(of: reason).described(
                    "Why it, or parts of it, could not be mapped; empty where all of it could."
                )
            ),
            (
                "repeated",
                .integer().described(
                    "How often one came that cannot be told from it, of a sender that signs neither an id nor a time."
                )
            ), ("last_repeated_at", .time.orNull.described("To the second.")),
            ("signed_at", .time.orNull), ("received_at", .time), ("key", .id("key").orNull),
            ("headers", .anyObject.described("Lower-case names. Credentials are keyed digests.")),
            ("bytes", .integer()), ("request_id", .id("req")), ("client_ip", .string.orNull),
            ("user_agent", .string.orNull), ("event_count", .integer()),
            (
                "body_removed",
                Schema.object([
                    ("sha256", .string), ("at", .time),
                    ("by", .word(of: DeliveryView.RemovedBody.Cause.allCases.map(\.rawValue))),
                ]).orNull.described("The body is no longer kept: its SHA-256 in base64, since when, and why.")
            ),
            (
                "events",
                .array(of: .object([("id", .id("evt")), ("kind", .eventKind), ("status", .eventStatus)]))
            ),
        ],
        optional: [("body", .string.described("base64; with `include=body` only, and as long as it is kept."))]
    ).named(
        "Delivery",
        example: [
            "id": "dlv_01k9qyc5qje1qsv9svhrqgc8d7", "source": "src_3v9hd0c2rb6nrzx5w4mqf7y8ae", "verdict": "verified",
            "status": "mapped", "reasons": [], "repeated": 0, "last_repeated_at": .null,
            "signed_at": "2026-11-21T09:00:00Z",
            "received_at": "2026-11-21T09:00:00.250000Z", "key": "key_01k9qyc5qje1qsv9svhrqgc8d6",
            "headers": ["webhook-id": "msg_1"], "bytes": 512, "request_id": "req_01k9qyc5qje1qsv9svhrqgc8d5",
            "client_ip": "192.0.2.7", "user_agent": .null, "event_count": 1,
            "body_removed": .null,
            "events": [["id": "evt_01k9qyc5qje1qsv9svhrqgc8d8", "kind": "joiner", "status": "applied"]],
        ]
    )
}
