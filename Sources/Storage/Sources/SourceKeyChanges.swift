package import Domain
import Postgres
import Transparency

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
        guard keys.count < Self.mostKeys else { throw ChangeRefusal.tooManyKeys }
        let sealed = try SealedSourceKey(key, in: transaction.store, of: transaction.organization)
        _ = try await transaction.pipeline(
            [SealedSourceKey.insert([sealed], of: source, in: transaction)] + SourceKeyChange.following(on: source)
        )
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
            throw ChangeRefusal.conflict("This is the source's last key; add another first, or disable the source.")
        }
        _ = try await transaction.pipeline(
            ["DELETE FROM source_keys WHERE id = \(key)"] + SourceKeyChange.following(on: source)
        )
        let draft = AuditDraft(
            .sourceKeyRemoved,
            .sourceKey(key),
            authority: .scope(.sourcesWrite),
            before: ["source": .string(source.description)]
        )
        return ((), [Recorded(draft, by: attribution)])
    }
}

/// Changing what a key is called and when it counts. Refused when it is another version than the caller has seen.
///
/// What was refused because the key's time was over, or had not begun, is verified again.
package struct SourceKeyUpdate: SingleChange {
    package typealias Output = SourceKeyView

    /// What may change.
    package struct Terms: Sendable {
        package let label: String?
        package let notBefore: Timestamp?
        package let notAfter: Timestamp?

        package init(label: String?, notBefore: Timestamp?, notAfter: Timestamp?) {
            self.label = label
            self.notBefore = notBefore
            self.notAfter = notAfter
        }

        var json: JSON.Object {
            [
                "label": label.map(JSON.string) ?? .null, "not_before": .orNull(notBefore),
                "not_after": .orNull(notAfter),
            ]
        }
    }

    private let key: SourceKeyID
    private let source: SourceID
    private let expectedVersion: Int64
    private let terms: Terms
    private let attribution: Attribution

    /// The window of `terms` is not empty. Refused where the key was changed since `version` was read.
    package init(
        of key: SourceKeyID,
        from source: SourceID,
        version: Int64,
        to terms: Terms,
        by attribution: Attribution
    ) {
        self.key = key
        self.source = source
        expectedVersion = version
        self.terms = terms
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (SourceKeyView, [Recorded]) {
        _ = try await transaction.lockedKeys(of: source)
        guard let before = try await found(in: transaction) else { throw ChangeRefusal.notFound }
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        let former = Terms(label: before.label, notBefore: before.notBefore, notAfter: before.notAfter)
        guard former.json != terms.json else {
            let draft = AuditDraft(
                .sourceKeyUpdated,
                .sourceKey(key),
                reason: "unchanged",
                authority: .scope(.sourcesWrite)
            )
            return (before, [Recorded(draft, by: attribution)])
        }
        let update: SQL = """
            UPDATE source_keys SET label = \(terms.label as String?), not_before = \(terms.notBefore as Timestamp?),
                not_after = \(terms.notAfter as Timestamp?), version = version + 1
            WHERE id = \(key)
            """
        _ = try await transaction.pipeline([update] + SourceKeyChange.following(on: source))
        guard let after = try await found(in: transaction) else { throw ChangeRefusal.notFound }
        var told = terms.json.differing(from: former.json)
        told["source"] = .string(source.description)
        let draft = AuditDraft(
            .sourceKeyUpdated,
            .sourceKey(key),
            authority: .scope(.sourcesWrite),
            before: former.json.differing(from: terms.json),
            after: told
        )
        return (after, [Recorded(draft, by: attribution)])
    }

    private func found(in transaction: OrganizationTransaction) async throws -> SourceKeyView? {
        try await transaction.source(source)?.keys.first { $0.id == key }
    }
}

extension ChangeRefusal {
    static let tooManyKeys = ChangeRefusal.conflict(
        "A source has at most \(SourceKeyAddition.mostKeys) keys; remove one that is over."
    )
}

/// What every change of a source's keys brings with it, and of whose tokens it expects.
enum SourceKeyChange {
    /// Requests that were refused under the former keys are verified again with those of now.
    static func following(on source: SourceID) -> [SQL] {
        [
            "UPDATE sources SET keys_version = keys_version + 1 WHERE id = \(source)",
            "UPDATE rejected_requests SET review = true WHERE source_id = \(source)",
        ]
    }
}

extension OrganizationTransaction {
    /// Ids of a source's keys, the source locked so that two removals cannot take the last two.
    func lockedKeys(of source: SourceID) async throws -> [SourceKeyID] {
        let results = try await pipeline([
            "SELECT id FROM sources WHERE id = \(source) FOR NO KEY UPDATE",
            "SELECT id FROM source_keys WHERE source_id = \(source)",
        ])
        guard !results[0].isEmpty else { throw ChangeRefusal.notFound }
        return try results[1].map { try $0.decode("id") }
    }
}
