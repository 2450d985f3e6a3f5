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
        .read(
            "getSourceKey",
            "/v1/sources/{id}/keys/{key}",
            .scope(.sourcesRead),
            .sourceRead,
            "One key of a source, never its secret",
            target: .source,
            answers: .sourceKey,
            hasTag: true
        ) { call in
            let key = try await call.source().key(try call.id("key"))
            return .read(key.json, version: key.version)
        },
        .change(
            "changeSourceKey",
            "/v1/sources/{id}/keys/{key}",
            .scope(.sourcesWrite),
            .sourceKeyUpdated,
            "Change what a key is called and when it counts, as to let an old one run out while the new one signs already",
            target: .source,
            body: .sourceKeyChange,
            answers: .sourceKey
        ) { call in
            let version = try call.expectedVersion()
            let source = try await call.source()
            let current = try source.key(try call.id("key"))
            let wanted: SourceKeyTerms = try call.patched(current.terms)
            let update = SourceKeyUpdate(
                of: current.id,
                from: source.id,
                version: version,
                to: try wanted.checked(),
                by: call.attribution
            )
            let changed = try await call.perform(update)
            return .changed(changed.json, version: changed.version)
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
            "revealPendingKey",
            "/v1/sources/{id}/pending-keys/{key}/reveal",
            .scope(.sourcesWrite),
            .sourceKeyRevealed,
            "Show a key that a handshake brought, once, to compare it with the sender's before it is confirmed",
            target: .source,
            answers: .revealedKey
        ) { call in
            let source = try call.id(as: SourceID.self)
            let key = try call.id("key", as: SourceKeyID.self)
            let revealed = try await call.perform(PendingKeyReveal(of: key, from: source, by: call.attribution))
            var json = revealed.key.json
            json["secret"] = .string(revealed.secret.reveal())
            return .changed(json)
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
            "client_ip": clientAddress.map(JSON.string) ?? .null, "fingerprint": .string(fingerprint),
            "revealed_at": .orNull(revealedAt),
        ]
    }
}

extension SourceView {
    /// One of its keys; any other id is answered like an unknown one.
    fileprivate func key(_ id: SourceKeyID) throws(EdgeError) -> SourceKeyView {
        guard let key = keys.first(where: { $0.id == id }) else { throw .notFound }
        return key
    }
}

extension SourceKeyView {
    fileprivate var terms: JSON.Object {
        [
            "label": label.map(JSON.string) ?? .null, "not_before": .orNull(notBefore), "not_after": .orNull(notAfter),
        ]
    }
}

/// What a PATCH may change.
private struct SourceKeyTerms: Decodable {
    var label: String?
    var notBefore: Timestamp?
    var notAfter: Timestamp?

    enum CodingKeys: String, CodingKey {
        case label
        case notBefore = "not_before"
        case notAfter = "not_after"
    }

    func checked() throws(EdgeError) -> SourceKeyUpdate.Terms {
        if let notBefore, let notAfter, notAfter <= notBefore {
            throw .invalid([.init("/not_after", "The key would end before it begins.")])
        }
        return SourceKeyUpdate.Terms(
            label: try label.map { text throws(EdgeError) in try Texts.name(text, at: "/label") },
            notBefore: notBefore,
            notAfter: notAfter
        )
    }
}
