package import Domain
import Postgres
import Transparency

/// Changing what may change of a source. Refused when it is another version than the caller has seen.
package struct SourceUpdate: SingleChange {
    package typealias Output = SourceView

    private let id: SourceID
    private let expectedVersion: Int64
    private let terms: Terms
    private let attribution: Attribution

    /// What may change.
    package struct Terms: Sendable {
        package let slug: Slug
        package let mapping: String
        package let timeZone: String
        package let status: SourceStatus

        package init(slug: Slug, mapping: String, timeZone: String, status: SourceStatus) {
            self.slug = slug
            self.mapping = mapping
            self.timeZone = timeZone
            self.status = status
        }

        var json: JSON.Object {
            [
                "slug": .string(slug.description), "mapping": .string(mapping), "time_zone": .string(timeZone),
                "status": .string(status.rawValue),
            ]
        }
    }

    /// Refused where the source was changed since `version` was read.
    package init(of id: SourceID, version: Int64, to terms: Terms, by attribution: Attribution) {
        self.id = id
        expectedVersion = version
        self.terms = terms
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (SourceView, [Recorded]) {
        _ = try await transaction.query("SELECT id FROM sources WHERE id = \(id) FOR UPDATE")
        guard let before = try await transaction.source(id) else { throw ChangeRefusal.notFound }
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        let former = Terms(
            slug: before.slug,
            mapping: before.mapping,
            timeZone: before.timeZone,
            status: before.status
        ).json
        guard former != terms.json else {
            let draft = AuditDraft(
                .sourceUpdated,
                .source(id),
                reason: "unchanged",
                authority: .scope(.sourcesWrite)
            )
            return (before, [Recorded(draft, by: attribution)])
        }
        _ = try await transaction.pipeline([
            """
            UPDATE sources SET slug = \(terms.slug.description), mapping = \(terms.mapping),
                time_zone = \(terms.timeZone), status = \(terms.status.rawValue), version = version + 1,
                updated_at = \(transaction.startedAt)
            WHERE id = \(id)
            """,
            // The name of its user follows, so that the old slug is free for another source.
            """
            UPDATE users SET username = \(SourceCreation.username(of: terms.slug)),
                updated_at = \(transaction.startedAt)
            WHERE id = \(before.user) AND username = \(SourceCreation.username(of: before.slug))
            """,
        ])
        guard let after = try await transaction.source(id) else { throw ChangeRefusal.notFound }
        let draft = AuditDraft(
            .sourceUpdated,
            .source(id),
            authority: .scope(.sourcesWrite),
            before: former.differing(from: terms.json),
            after: terms.json.differing(from: former)
        )
        return (after, [Recorded(draft, by: attribution)])
    }
}

extension JSON.Object {
    /// Members that the other does not have, or has with another value: what an entry of a change tells.
    func differing(from other: JSON.Object) -> JSON.Object {
        var differing: JSON.Object = [:]
        for (name, value) in members where other[name] != value { differing[name] = value }
        return differing
    }
}

/// Adding a key to a source, so that keys rotate without a pause.
package struct SourceKeyAddition: SingleChange {
    package typealias Output = SourceKeyView

    private let source: SourceID
    private let key: NewSourceKey
    private let attribution: Attribution

    /// Keys of one source at most: every delivery is tried against each.
    package static let mostKeys = SignatureVerifier.mostKeys

    /// `key` fits the source's profile.
    package init(_ key: NewSourceKey, to source: SourceID, by attribution: Attribution) {
        self.source = source
        self.key = key
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (SourceKeyView, [Recorded]) {
        let keys = try await transaction.lockedKeys(of: source)
        guard keys.count < Self.mostKeys else {
            throw ChangeRefusal.conflict("A source has at most \(Self.mostKeys) keys; remove one that is over.")
        }
        let sealed = try SealedSourceKey(key, in: transaction.store, of: transaction.organization)
        _ = try await transaction.query(SealedSourceKey.insert([sealed], of: source, in: transaction))
        let recorded = Recorded(sealed.draft(of: source), by: attribution)
        return (sealed.view(at: transaction.startedAt), [recorded])
    }
}

/// Removing a key of a source, never its last one: a source without a key would verify nothing.
package struct SourceKeyRemoval: SingleChange {
    package typealias Output = Void

    private let key: SourceKeyID
    private let source: SourceID
    private let attribution: Attribution

    package init(of key: SourceKeyID, from source: SourceID, by attribution: Attribution) {
        self.key = key
        self.source = source
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Void, [Recorded]) {
        let keys = try await transaction.lockedKeys(of: source)
        guard keys.contains(key) else { throw ChangeRefusal.notFound }
        guard keys.count > 1 else {
            throw ChangeRefusal.conflict("This is the source's last key; add another first, or pause the source.")
        }
        _ = try await transaction.query("DELETE FROM source_keys WHERE id = \(key)")
        let draft = AuditDraft(
            .sourceKeyRemoved,
            .sourceKey(key),
            authority: .scope(.sourcesWrite),
            before: ["source": .string(source.description)]
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}

extension OrganizationTransaction {
    /// Ids of a source's keys, the source locked so that two removals cannot take the last two.
    fileprivate func lockedKeys(of source: SourceID) async throws -> [SourceKeyID] {
        let results = try await pipeline([
            "SELECT id FROM sources WHERE id = \(source) FOR UPDATE",
            "SELECT id FROM source_keys WHERE source_id = \(source)",
        ])
        guard !results[0].isEmpty else { throw ChangeRefusal.notFound }
        return try results[1].map { try $0.decode("id") }
    }
}
