package import Domain
import Postgres
import Transparency

extension OrganizationTransaction {
    /// Has the entries of changes written with the COMMIT of the changes, and puts them before the sequencer.
    func record(_ recorded: [Recorded]) async throws {
        guard !recorded.isEmpty else { return }
        let entries = try recorded.map { recorded in
            try recorded.draft.entry(
                id: store.newID(),
                organization: organization,
                by: recorded.attribution,
                at: startedAt,
                using: store.randomness
            )
        }
        let disclosures = try await sealedDisclosures(of: entries)
        atCommit([insert(entries), insertPending(entries)] + insertBlobs(entries) + disclosures)
    }

    private func insertBlobs(_ entries: [AuditEntry]) -> [SQL] {
        // In the order of digests: two transactions that keep the same ones wait for each other in one direction.
        let blobs = Set(entries.flatMap(\.blobs)).sorted { $0.digest.lexicographicallyPrecedes($1.digest) }
        guard !blobs.isEmpty else { return [] }
        return [
            """
            INSERT INTO audit_blobs (organization_id, digest, bytes, created_at)
            SELECT \(organization), b.digest, b.bytes, \(startedAt)
            FROM unnest(\(blobs.map(\.digest)), \(blobs.map(\.bytes))) AS b(digest, bytes)
            ON CONFLICT DO NOTHING
            """
        ]
    }

    private func insert(_ entries: [AuditEntry]) -> SQL {
        """
        INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, actor_id, action, target_id, person_id,
            outcome)
        SELECT \(organization), e.id, \(startedAt), e.leaf, e.actor_id, e.action, e.target_id, e.person_id, e.outcome
        FROM unnest(\(entries.map(\.id)), \(entries.map(\.leaf)), \(entries.map(\.actor)),
            \(entries.map(\.action.description)), \(entries.map(\.target)), \(entries.map(\.person)),
            \(entries.map(\.outcome.rawValue)))
            AS e(id, leaf, actor_id, action, target_id, person_id, outcome)
        """
    }

    private func insertPending(_ entries: [AuditEntry]) -> SQL {
        """
        INSERT INTO audit_pending (organization_id, entry_id, recorded_at, leaf_hash)
        SELECT \(organization), e.id, \(startedAt), e.leaf_hash
        FROM unnest(\(entries.map(\.id)), \(entries.map { MerkleHash.leaf($0.leaf).bytes })) AS e(id, leaf_hash)
        """
    }

    /// Clear text of the entries' digests, under the key of each subject.
    private func sealedDisclosures(of entries: [AuditEntry]) async throws -> [SQL] {
        let disclosed = entries.compactMap { entry in entry.disclosed.map { (entry, $0.subject, $0.disclosures) } }
        guard !disclosed.isEmpty else { return [] }
        let keys = try await subjectKeys(of: Set(disclosed.map(\.1)).sorted())
        var places: [(entry: AuditEntryID, subject: PersonID)] = []
        var values: Set<PersonValue> = []
        var sealed: [[UInt8]] = []
        for (entry, subject, disclosures) in disclosed {
            // Who was erased has no key and gets none: nothing stands behind these digests.
            guard let key = keys[subject] else { continue }
            let text = JSON.array(disclosures.map { .string($0.encoded) }).bytes
            places.append((entry.id, subject))
            sealed.append(try key.seal(text, of: entry.id, using: store.randomness))
            let said = IdentifyingValues(disclosed: disclosures.map { ($0.name, $0.value) })
            for text in Set(said.texts.map { $0.lowercased() }) {
                let digest = store.keyring.digests(ofPersonValue: text, in: organization)[0]
                values.insert(PersonValue(person: subject, digest: digest))
            }
        }
        guard !sealed.isEmpty else { return [] }
        return [
            """
            INSERT INTO audit_disclosures (organization_id, entry_id, subject_id, sealed)
            SELECT \(organization), d.entry_id, d.subject_id, d.sealed
            FROM unnest(\(places.map(\.entry)), \(places.map(\.subject)), \(sealed)) AS d(entry_id, subject_id, sealed)
            """
        ] + insertValues(values)
    }

    private struct PersonValue: Hashable {
        let person: PersonID
        let digest: [UInt8]
    }

    /// In one order, so that two transactions that keep the same ones wait for each other in one direction.
    private func insertValues(_ values: Set<PersonValue>) -> [SQL] {
        guard !values.isEmpty else { return [] }
        let ordered = values.sorted { one, other in
            one.person == other.person
                ? one.digest.lexicographicallyPrecedes(other.digest) : one.person < other.person
        }
        return [
            """
            INSERT INTO person_values (organization_id, digest, person_id)
            SELECT \(organization), v.digest, v.person_id
            FROM unnest(\(ordered.map(\.digest)), \(ordered.map(\.person))) AS v(digest, person_id)
            ON CONFLICT DO NOTHING
            """
        ]
    }

    /// The key of each subject, made where there is none yet, but for those who were erased.
    private func subjectKeys(of subjects: [PersonID]) async throws -> [PersonID: SubjectKey] {
        let proposals = try subjects.map { subject in
            try store.keyring.seal(
                store.randomness.bytes(SubjectKey.materialBytes),
                for: place(of: subject),
                using: store.randomness
            )
        }
        let results = try await pipeline([
            """
            INSERT INTO audit_subject_keys (organization_id, subject_id, sealed, created_at)
            SELECT \(organization), k.subject_id, k.sealed, \(startedAt)
            FROM unnest(\(subjects), \(proposals)) AS k(subject_id, sealed)
            WHERE NOT EXISTS (
                SELECT FROM erasures e WHERE (e.organization_id, e.person_id) = (\(organization), k.subject_id)
                    AND e.status = 'executed')
            ON CONFLICT DO NOTHING
            """,
            "SELECT subject_id, sealed FROM audit_subject_keys WHERE subject_id = ANY(\(subjects))",
        ])
        var keys: [PersonID: SubjectKey] = [:]
        for row in results[1] {
            let subject = try row.decode("subject_id", as: PersonID.self)
            let material = try store.keyring.open(try row.decode("sealed"), for: place(of: subject))
            keys[subject] = SubjectKey(material: material)
        }
        return keys
    }

    func place(of subject: PersonID) -> SealedPlace {
        SealedPlace(organization: organization, row: subject.description, field: "audit_subject_keys.sealed")
    }
}

/// An entry of something that changed nothing else: a read, a refusal, a question. Committed before the answer.
package struct Observation: Change {
    package let recorded: Recorded

    /// Changes nothing but the log: for reads, and for refusals of callers who proved who they are.
    package init(_ draft: AuditDraft, by attribution: Attribution) {
        recorded = Recorded(draft, by: attribution)
    }

    /// The same, of an entry that is whole already.
    package init(_ recorded: Recorded) { self.recorded = recorded }

    package static func make(
        _ changes: [Observation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Void>] {
        changes.map { .done((), [$0.recorded]) }
    }
}
