import Domain
import Edge
import Storage
import Transparency

// What was rejected is shown in two steps. That it came, and why it was refused, concerns whoever reads sources. What it
// said is personal data that nobody has proved anything of; it is for those who can do something about it, who change
// keys, and each look is an entry of its own.

extension Operation {
    static let rejectedRequests: [Operation] = [
        .list(
            "listRejectedRequests",
            "/v1/rejected-requests",
            .scope(.sourcesRead),
            .rejectedRead,
            "Requests whose proof did not hold, newest first",
            of: .rejectedRequest,
            by: RejectedRequestID.self
        ) { call, step in
            try await call.read { try await $0.rejectedRequests(of: step.source, after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .read(
            "getRejectedRequest",
            "/v1/rejected-requests/{id}",
            .scope(.sourcesRead),
            .rejectedRead,
            "One rejected request, without what it said",
            target: .rejectedRequest,
            answers: .rejectedRequest
        ) { call in
            let id = try call.id(as: RejectedRequestID.self)
            guard let found = try await call.read({ try await $0.rejectedRequest(id) }) else {
                throw EdgeError.notFound
            }
            return .read(found.json)
        },
        .read(
            "getRejectedContent",
            "/v1/rejected-requests/{id}/content",
            .scope(.sourcesWrite),
            .rejectedRead,
            "What a rejected request said",
            target: .rejectedRequest,
            answers: .rejectedContent
        ) { call in
            let id = try call.id(as: RejectedRequestID.self)
            guard let found = try await call.read({ try await $0.rejectedContent(id) }) else {
                throw EdgeError.notFound
            }
            return .read(found.json, notes: ["content": true])
        },
    ]
}

extension RejectedRequestView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "source": .string(source.description), "reason": .string(reason),
            "received_at": .string(receivedAt.description), "expires_at": .string(expiresAt.description),
            "under_review": .bool(isUnderReview), "bytes": .integer(bytes), "request_id": .string(request.description),
            "client_ip": clientAddress.map(JSON.string) ?? .null, "user_agent": userAgent.map(JSON.string) ?? .null,
        ]
    }
}

extension RejectedContent {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "method": .string(method), "url": .string(url), "headers": .object(headers),
            "body": .string(Base64.standard.encode(body)),
        ]
    }
}

extension Schema {
    fileprivate static let rejectedRequest = Schema.object([
        ("id", .id("rej")), ("source", .id("src")),
        ("reason", .string.described("Of the latest verdict.")), ("received_at", .time),
        ("expires_at", .time.described("When it is removed, unless it becomes a delivery before.")),
        ("under_review", .boolean.described("Keys changed; it is verified again within seconds.")),
        ("bytes", .integer()), ("request_id", .id("req")), ("client_ip", .string.orNull),
        ("user_agent", .string.orNull),
    ]).named(
        "RejectedRequest",
        example: [
            "id": "rej_01k9qyc5qje1qsv9svhrqgc8d9", "source": "src_3v9hd0c2rb6nrzx5w4mqf7y8ae",
            "reason": "signature-wrong", "received_at": "2026-11-21T09:00:00Z", "expires_at": "2026-11-28T09:00:00Z",
            "under_review": false, "bytes": 812, "request_id": "req_01k9qyc5qje1qsv9svhrqgc8d5",
            "client_ip": "192.0.2.7", "user_agent": .null,
        ]
    )

    fileprivate static let rejectedContent = Schema.object([
        ("id", .id("rej")), ("method", .string), ("url", .string),
        ("headers", .anyObject.described("Lower-case names. Credentials are keyed digests.")),
        ("body", .string.described("base64.")),
    ]).named(
        "RejectedContent",
        example: [
            "id": "rej_01k9qyc5qje1qsv9svhrqgc8d9", "method": "POST",
            "url": "https://rollcall.example/hooks/src_3v9hd0c2rb6nrzx5w4mqf7y8ae",
            "headers": ["webhook-id": ["msg_1"]], "body": "e30=",
        ]
    )
}
