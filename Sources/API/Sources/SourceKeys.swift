import Domain
import Edge
import Storage

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
    ]
}
