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
