import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let events: [Operation] = [
        .list(
            "listEvents",
            "/v1/events",
            .scope(.eventsRead),
            .eventRead,
            "Events, newest first",
            of: .event,
            by: EventID.self
        ) { call, step in
            try await call.read { try await $0.events(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .read(
            "getEvent",
            "/v1/events/{id}",
            .scope(.eventsRead),
            .eventRead,
            "One event",
            target: .event,
            answers: .event
        ) { call in
            let id = try call.id(as: EventID.self)
            guard let event = try await call.read({ try await $0.event(id) }) else { throw EdgeError.notFound }
            return .read(event.json, person: event.person)
        },
        .act(
            "retryEvent",
            "/v1/events/{id}/retry",
            .scope(.eventsWrite),
            .eventRetried,
            "Have a dead event tried again",
            target: .event,
            answers: .event
        ) { call in
            let id = try call.id(as: EventID.self)
            return .changed(try await call.perform(EventRetry(of: id, by: call.attribution)).json)
        },
    ]
}

extension EventView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "delivery": .string(delivery.description), "ordinal": .integer(ordinal),
            "source": .string(source.description), "external_id": .string(externalID), "person": .orNull(person),
            "kind": .string(kind.rawValue), "sender_event_id": senderEventID.map(JSON.string) ?? .null,
            "occurred_at": .orNull(occurredAt), "effective_at": .orNull(effectiveAt),
            "status": .string(status.rawValue), "attempts": .integer(attempts), "due_at": .string(dueAt.description),
            "reason": reason.map(JSON.string) ?? .null, "settled_at": .orNull(settledAt),
            "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    static let eventKind = Schema.word(of: EventKind.allCases.map(\.rawValue))
    static let eventStatus = Schema.word(of: EventStatus.allCases.map(\.rawValue))

    fileprivate static let event = Schema.object([
        ("id", .id("evt")), ("delivery", .id("dlv")), ("ordinal", .integer()), ("source", .id("src")),
        ("external_id", .string.described("The person as the source names them; `ping` for a ping.")),
        ("person", .id("per").orNull), ("kind", .eventKind), ("sender_event_id", .string.orNull),
        ("occurred_at", .time.orNull), ("effective_at", .time.orNull), ("status", .eventStatus),
        ("attempts", .integer()), ("due_at", .time), ("reason", .string.orNull), ("settled_at", .time.orNull),
        ("created_at", .time),
    ]).named(
        "Event",
        example: [
            "id": "evt_01k9qyc5qje1qsv9svhrqgc8d8", "delivery": "dlv_01k9qyc5qje1qsv9svhrqgc8d7", "ordinal": 0,
            "source": "src_3v9hd0c2rb6nrzx5w4mqf7y8ae", "external_id": "e-1001",
            "person": "per_01k9qyc5qje1qsv9svhrqgc8d3", "kind": "joiner", "sender_event_id": "1",
            "occurred_at": "2026-11-21T09:00:00Z", "effective_at": "2026-11-30T23:00:00Z", "status": "applied",
            "attempts": 0, "due_at": "2026-11-21T09:00:00Z", "reason": .null, "settled_at": "2026-11-21T09:00:01Z",
            "created_at": "2026-11-21T09:00:00.500000Z",
        ]
    )
}
