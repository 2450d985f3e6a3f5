import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let sources: [Operation] = [
        .list(
            "listSources",
            "/v1/sources",
            .scope(.sourcesRead),
            .sourceRead,
            "Sources, in the order of their ids",
            of: .source,
            by: SourceID.self
        ) { call, step in
            try await call.read { try await $0.sources(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json(at: call.door.publicURL)) }
        },
        .create(
            "createSource",
            "/v1/sources",
            .scope(.sourcesWrite),
            .sourceCreated,
            "Connect an HR system",
            body: .newSource,
            answers: .source
        ) { call in
            let new: NewSource = try call.decode()
            let profile = try new.profile(in: call.door)
            let creation = SourceCreation(
                slug: new.slug,
                profile: profile.name,
                mapping: try SourceMembers.mapping(new.mapping, in: call.door),
                timeZone: try SourceMembers.timeZone(new.timeZone ?? SourceMembers.standardTimeZone),
                keys: try new.checkedKeys(for: profile),
                by: call.attribution,
                in: call.store
            )
            let url = call.door.publicURL
            return try await call.create(creation) { $0.json(at: url) }
        },
        .read(
            "getSource",
            "/v1/sources/{id}",
            .scope(.sourcesRead),
            .sourceRead,
            "One source, never the secrets of its keys",
            target: .source,
            answers: .source,
            hasTag: true
        ) { call in
            let source = try await call.source()
            return .read(source.json(at: call.door.publicURL), version: source.version)
        },
        .change(
            "changeSource",
            "/v1/sources/{id}",
            .scope(.sourcesWrite),
            .sourceUpdated,
            "Change slug, mapping, time zone or status of a source",
            target: .source,
            body: .sourceChange,
            answers: .source
        ) { call in
            let version = try call.expectedVersion()
            let current = try await call.source()
            let wanted: SourceTerms = try call.patched(current.terms)
            let update = SourceUpdate(
                of: current.id,
                version: version,
                to: SourceUpdate.Terms(
                    slug: wanted.slug,
                    mapping: try SourceMembers.mapping(wanted.mapping, in: call.door),
                    timeZone: try SourceMembers.timeZone(wanted.timeZone),
                    status: wanted.status
                ),
                by: call.attribution
            )
            let changed = try await call.perform(update)
            return .changed(changed.json(at: call.door.publicURL), version: changed.version)
        },
    ]
}

extension APICall {
    /// The source that the path names.
    func source() async throws -> SourceView {
        let id = try id(as: SourceID.self)
        guard let source = try await read({ try await $0.source(id) }) else { throw EdgeError.notFound }
        return source
    }
}

private struct NewSource: Decodable {
    var slug: Slug
    var profile: String
    var mapping: String
    var keys: [NewKey]
    var timeZone: String?

    enum CodingKeys: String, CodingKey {
        case slug, profile, mapping, keys
        case timeZone = "time_zone"
    }

    func profile(in door: APIDoor) throws(EdgeError) -> SigningProfile {
        guard let found = door.profiles[profile] else {
            throw .invalid([.init("/profile", "One of: \(door.profiles.keys.sorted().joined(separator: ", ")).")])
        }
        return found
    }

    func checkedKeys(for profile: SigningProfile) throws -> [NewSourceKey] {
        guard (1...SourceKeyAddition.mostKeys).contains(keys.count) else {
            throw EdgeError.invalid([.init("/keys", "1 to \(SourceKeyAddition.mostKeys) keys.")])
        }
        return try keys.enumerated().map { place, key in try key.checked(for: profile, at: "/keys/\(place)") }
    }
}

/// What a PATCH may change.
private struct SourceTerms: Decodable {
    var slug: Slug
    var mapping: String
    var timeZone: String
    var status: SourceStatus

    enum CodingKeys: String, CodingKey {
        case slug, mapping, status
        case timeZone = "time_zone"
    }
}

extension SourceStatus: Decodable {}

extension SourceView {
    fileprivate var terms: JSON.Object {
        [
            "slug": .string(slug.description), "mapping": .string(mapping), "time_zone": .string(timeZone),
            "status": .string(status.rawValue),
        ]
    }

    func json(at publicURL: String) -> JSON.Object {
        [
            "id": .string(id.description), "url": .string("\(publicURL)/hooks/\(id)"),
            "slug": .string(slug.description), "profile": .string(profile), "mapping": .string(mapping),
            "time_zone": .string(timeZone), "status": .string(status.rawValue), "user": .string(user.description),
            "keys": .array(keys.map { .object($0.json) }), "created_at": .string(createdAt.description),
            "updated_at": .string(updatedAt.description),
        ]
    }
}
