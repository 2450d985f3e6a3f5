package import Domain
import Postgres
import Transparency

/// A key as it came: checked against the source's profile by whoever made it, and never kept in the clear.
package struct NewSourceKey: Sendable {
    package let secret: HiddenText
    package let label: String?
    package let notBefore: Timestamp?
    package let notAfter: Timestamp?

    package init(secret: HiddenText, label: String?, notBefore: Timestamp?, notAfter: Timestamp?) {
        self.secret = secret
        self.label = label
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// A key on its way into its row.
struct SealedSourceKey: Sendable {
    let id: SourceKeyID
    let sealed: [UInt8]
    let key: NewSourceKey

    init(_ key: NewSourceKey, in store: Store, of organization: OrganizationID) throws {
        id = store.newID()
        self.key = key
        sealed = try store.keyring.seal(
            Array(key.secret.reveal().utf8),
            for: Self.place(of: id, in: organization),
            using: store.randomness
        )
    }

    /// Where a key is sealed for, also while it is pending.
    static func place(of id: SourceKeyID, in organization: OrganizationID) -> SealedPlace {
        SealedPlace(organization: organization, row: id.description, field: "source_keys.sealed")
    }

    func view(at now: Timestamp) -> SourceKeyView {
        SourceKeyView(
            id: id,
            label: key.label,
            notBefore: key.notBefore,
            notAfter: key.notAfter,
            lastUsedAt: nil,
            version: 1,
            createdAt: now
        )
    }

    static func insert(
        _ keys: [SealedSourceKey],
        of source: SourceID,
        in transaction: OrganizationTransaction
    ) -> SQL {
        """
        INSERT INTO source_keys (organization_id, id, source_id, label, sealed, not_before, not_after, created_at)
        SELECT \(transaction.organization), k.id, \(source), k.label, k.sealed, k.not_before, k.not_after,
            \(transaction.startedAt)
        FROM unnest(\(keys.map(\.id)), \(keys.map(\.key.label)), \(keys.map(\.sealed)), \(keys.map(\.key.notBefore)),
            \(keys.map(\.key.notAfter))) AS k(id, label, sealed, not_before, not_after)
        """
    }

    func draft(of source: SourceID) -> AuditDraft {
        AuditDraft(
            .sourceKeyAdded,
            .sourceKey(id),
            authority: .scope(.sourcesWrite),
            after: [
                "source": .string(source.description), "label": key.label.map(JSON.string) ?? .null,
                "not_before": .orNull(key.notBefore), "not_after": .orNull(key.notAfter),
            ]
        )
    }
}

/// Connecting an HR system: the source, its keys, and the integration user that its changes are attributed to.
package struct SourceCreation: SingleChange {
    package typealias Output = SourceView

    /// The path of its hook, hard to guess.
    private let id: SourceID
    private let user: UserID
    private let slug: Slug
    private let profile: String
    private let mapping: String
    private let timeZone: String
    private let ipAllowList: [NetworkRange]?
    private let tokenParties: TokenParties
    private let keys: [NewSourceKey]
    private let attribution: Attribution

    /// Each key fit for the profile. No key at all is for profiles whose sender brings it by a handshake.
    package init(
        slug: Slug,
        profile: String,
        mapping: String,
        timeZone: String,
        ipAllowList: [NetworkRange]? = nil,
        tokenParties: TokenParties = .any,
        keys: [NewSourceKey],
        by attribution: Attribution,
        in store: Store
    ) {
        id = .unguessable(using: store.randomness)
        user = store.newID()
        self.slug = slug
        self.profile = profile
        self.mapping = mapping
        self.timeZone = timeZone
        self.ipAllowList = ipAllowList
        self.tokenParties = tokenParties
        self.keys = keys
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (SourceView, [Recorded]) {
        let now = transaction.startedAt
        let organization = transaction.organization
        let sealed = try keys.map { try SealedSourceKey($0, in: transaction.store, of: organization) }
        // The user names the source before it is there; that reference is checked at the commit.
        _ = try await transaction.pipeline([
            """
            INSERT INTO users (organization_id, id, kind, role, username, source_id, status, created_at, updated_at)
            VALUES (\(organization), \(user), \(UserKind.integration.rawValue), \(Role.source.rawValue), \(username),
                \(id), 'active', \(now), \(now))
            """,
            """
            INSERT INTO sources (organization_id, id, slug, profile, mapping, time_zone, ip_allow_list, token_issuers,
                token_audiences, user_id, status, created_at, updated_at)
            VALUES (\(organization), \(id), \(slug.description), \(profile), \(mapping), \(timeZone),
                \(ipAllowList?.map(\.description) as [String]?), \(tokenParties.issuers as [String]?),
                \(tokenParties.audiences as [String]?), \(user), 'active', \(now), \(now))
            """,
            SealedSourceKey.insert(sealed, of: id, in: transaction),
        ])
        let view = SourceView(
            id: id,
            slug: slug,
            profile: profile,
            mapping: mapping,
            timeZone: timeZone,
            status: .active,
            ipAllowList: ipAllowList,
            tokenParties: tokenParties,
            unprovedDecision: nil,
            user: user,
            keys: sealed.map { $0.view(at: now) },
            version: 1,
            createdAt: now,
            updatedAt: now
        )
        let drafts = entries + sealed.map { $0.draft(of: id) }
        return (view, drafts.map { Recorded($0, by: attribution) })
    }

    private var username: String { Self.username(of: slug) }

    static func username(of slug: Slug) -> String { "source.\(slug)" }

    private var entries: [AuditDraft] {
        [
            AuditDraft(
                .sourceCreated,
                .source(id),
                authority: .scope(.sourcesWrite),
                after: [
                    "slug": .string(slug.description), "profile": .string(profile), "mapping": .string(mapping),
                    "time_zone": .string(timeZone), "status": "active",
                    "ip_allow_list": SourceUpdate.Terms.json(ipAllowList),
                    "token_issuers": tokenParties.json["token_issuers"] ?? .null,
                    "token_audiences": tokenParties.json["token_audiences"] ?? .null, "user": .string(user.description),
                ]
            ),
            AuditDraft(
                .userCreated,
                .user(user),
                authority: .scope(.sourcesWrite),
                after: [
                    "kind": "integration", "role": "source", "username": .string(username), "status": "active",
                    "source": .string(id.description),
                ]
            ),
        ]
    }
}
