import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let sourceKeys: [Operation] = [
        .create(
            "addSourceKey",
            "/v1/sources/{id}/keys",
            .scope(.sourcesWrite),
            .sourceKeyAdded,
            "Add a key to a source, to rotate without a pause",
            target: .source,
            body: .newSourceKey,
            answers: .sourceKey,
            hasLocation: false
        ) { call in
            let new: NewKey = try call.decode()
            let source = try await call.source()
            guard let profile = call.door.profiles[source.profile] else {
                throw EdgeError.conflict(detail: "The source's profile \(source.profile) is not installed here.")
            }
            let key = try new.checked(for: profile, at: "")
            return try await call.create(SourceKeyAddition(key, to: source.id, by: call.attribution), \.json)
        },
        .remove(
            "removeSourceKey",
            "/v1/sources/{id}/keys/{key}",
            .scope(.sourcesWrite),
            .sourceKeyRemoved,
            "Remove a key of a source, never its last one",
            target: .source
        ) { call in
            let source = try call.id(as: SourceID.self)
            let key = try call.id("key", as: SourceKeyID.self)
            try await call.perform(SourceKeyRemoval(of: key, from: source, by: call.attribution))
            return .removed
        },
        .read(
            "listPendingKeys",
            "/v1/sources/{id}/pending-keys",
            .scope(.sourcesRead),
            .sourceRead,
            "Keys that a handshake brought and nobody has confirmed",
            target: .source,
            answers: .page(of: .pendingKey)
        ) { call in
            let source = try await call.source()
            let pending = try await call.read { try await $0.pendingKeys(of: source.id) }
            return .read(["items": .array(pending.map { .object($0.json) }), "next_cursor": .null])
        },
        .act(
            "confirmPendingKey",
            "/v1/sources/{id}/pending-keys/{key}/confirm",
            .scope(.sourcesWrite),
            .sourceKeyConfirmed,
            "Have a key that a handshake brought count, and show it this once",
            target: .source,
            answers: .confirmedKey
        ) { call in
            let source = try call.id(as: SourceID.self)
            let key = try call.id("key", as: SourceKeyID.self)
            let confirmed = try await call.perform(PendingKeyConfirmation(of: key, from: source, by: call.attribution))
            var json = confirmed.key.json
            json["secret"] = .string(confirmed.secret.reveal())
            return .changed(json)
        },
        .remove(
            "dismissPendingKey",
            "/v1/sources/{id}/pending-keys/{key}",
            .scope(.sourcesWrite),
            .sourceKeyDismissed,
            "Dismiss a key that a handshake brought",
            target: .source
        ) { call in
            let source = try call.id(as: SourceID.self)
            let key = try call.id("key", as: SourceKeyID.self)
            try await call.perform(PendingKeyDismissal(of: key, from: source, by: call.attribution))
            return .removed
        },
    ]
}

extension PendingKeyView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "received_at": .string(receivedAt.description),
            "client_ip": clientAddress.map(JSON.string) ?? .null,
        ]
    }
}
