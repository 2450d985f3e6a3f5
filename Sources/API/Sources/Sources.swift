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
                .map { ListedItem($0.id, $0.json(in: call.door)) }
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
                ipAllowList: try AccessMembers.ranges(new.ipAllowList),
                tokenParties: try SourceMembers.tokenParties(new.tokenIssuers, new.tokenAudiences, of: profile),
                keys: try new.checkedKeys(for: profile),
                by: call.attribution,
                in: call.store
            )
            let door = call.door
            return try await call.create(creation) { $0.json(in: door) }
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
            return .read(source.json(in: call.door), version: source.version)
        },
        .change(
            "changeSource",
            "/v1/sources/{id}",
            .scope(.sourcesWrite),
            .sourceUpdated,
            "Change a source: what it is called, how it is read, from where it may post, whether it is paused",
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
                    status: wanted.status,
                    ipAllowList: try AccessMembers.ranges(wanted.ipAllowList),
                    tokenParties: try SourceMembers.tokenParties(
                        wanted.tokenIssuers,
                        wanted.tokenAudiences,
                        of: call.door.profiles[current.profile]
                    ),
                    acceptsUnproved: try SourceMembers.acceptsUnproved(wanted.acceptsUnproved, current, in: call.door)
                ),
                by: call.attribution
            )
            let changed = try await call.perform(update)
            return .changed(changed.json(in: call.door), version: changed.version)
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
    var keys: [NewKey]?
    var timeZone: String?
    var ipAllowList: [String]?
    var tokenIssuers: [String]?
    var tokenAudiences: [String]?

    enum CodingKeys: String, CodingKey {
        case slug, profile, mapping, keys
        case timeZone = "time_zone"
        case ipAllowList = "ip_allow_list"
        case tokenIssuers = "token_issuers"
        case tokenAudiences = "token_audiences"
    }

    func profile(in door: APIDoor) throws(EdgeError) -> SigningProfile {
        guard let found = door.profiles[profile] else {
            throw .invalid([.init("/profile", "One of: \(door.profiles.keys.sorted().joined(separator: ", ")).")])
        }
        return found
    }

    func checkedKeys(for profile: SigningProfile) throws -> [NewSourceKey] {
        let keys = keys ?? []
        let least = profile.bringsItsKey ? 0 : 1
        guard (least...SourceKeyAddition.mostKeys).contains(keys.count) else {
            throw EdgeError.invalid([.init("/keys", "\(least) to \(SourceKeyAddition.mostKeys) keys.")])
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
    var ipAllowList: [String]?
    var tokenIssuers: [String]?
    var tokenAudiences: [String]?
    var acceptsUnproved: Bool

    enum CodingKeys: String, CodingKey {
        case slug, mapping, status
        case timeZone = "time_zone"
        case ipAllowList = "ip_allow_list"
        case tokenIssuers = "token_issuers"
        case tokenAudiences = "token_audiences"
        case acceptsUnproved = "accept_unproved_bodies"
    }
}

extension SourceStatus: Decodable {}

extension SourceView {
    fileprivate var terms: JSON.Object {
        [
            "slug": .string(slug.description), "mapping": .string(mapping), "time_zone": .string(timeZone),
            "status": .string(status.rawValue), "ip_allow_list": AccessMembers.json(ipAllowList),
            "accept_unproved_bodies": .bool(unprovedDecision != nil),
            "token_issuers": SourceMembers.json(tokenParties.issuers),
            "token_audiences": SourceMembers.json(tokenParties.audiences),
        ]
    }

    /// What an admin should know of how it is set up.
    private func cautions(by profile: SigningProfile) -> [String] {
        profile.carriesTokens ? tokenParties.cautions : []
    }

    func json(in door: APIDoor) -> JSON.Object {
        [
            "id": .string(id.description), "url": .string("\(door.publicURL)/hooks/\(id)"),
            "slug": .string(slug.description), "profile": .string(profile),
            "expects": door.profiles[profile].map { .object($0.expectations) } ?? .null,
            "mapping": .string(mapping), "time_zone": .string(timeZone), "status": .string(status.rawValue),
            "ip_allow_list": AccessMembers.json(ipAllowList),
            "accept_unproved_bodies": .bool(unprovedDecision != nil),
            "unproved_bodies_accepted_by": .orNull(unprovedDecision?.by),
            "unproved_bodies_accepted_at": .orNull(unprovedDecision?.at),
            "token_issuers": SourceMembers.json(tokenParties.issuers),
            "token_audiences": SourceMembers.json(tokenParties.audiences),
            "cautions": SourceMembers.json(door.profiles[profile].map(cautions) ?? []),
            "user": .string(user.description), "keys": .array(keys.map { .object($0.json) }),
            "key_used_last": .orNull(keyUsedLast?.id),
            "created_at": .string(createdAt.description), "updated_at": .string(updatedAt.description),
        ]
    }
}
