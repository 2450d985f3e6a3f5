package import Domain
import Postgres
package import Transparency

/// Which entries are meant. Every member narrows.
package struct AuditQuery: Sendable {
    /// By id, or everybody who has or had the username.
    package var actor: UserReference?
    package var target: IDBits?
    package var action: AuditAction?
    package var person: PersonID?
    /// Recorded at or after.
    package var since: Timestamp?
    /// Recorded before.
    package var until: Timestamp?
    package var outcome: AuditOutcome?

    package init() {}
}

/// Place of an entry in the order of time.
package struct AuditPosition: Sendable, Hashable {
    package let recordedAt: Timestamp
    package let id: AuditEntryID

    package init(recordedAt: Timestamp, id: AuditEntryID) {
        self.recordedAt = recordedAt
        self.id = id
    }
}

/// An entry as it is read.
package struct AuditEntryView: Sendable {
    package let position: AuditPosition
    /// The exact bytes that were hashed.
    package let leaf: [UInt8]
    package internal(set) var members: JSON.Object
    /// Clear text behind the leaf's digests; empty where there is none, none was asked for, or it was erased.
    package var disclosures: [Disclosure] = []

    /// Whether something stood behind the leaf's digests and does no more, where it was asked for: its person was erased.
    package var isErased: Bool {
        disclosures.isEmpty && ["before", "after"].contains { members[$0]?["_sd"]?.array?.isEmpty == false }
    }

    /// The disclosed members of one side of the change (`before`, `after`): those whose digest stands there.
    package func disclosed(_ side: String) -> JSON.Object {
        let digests = Set((members[side]?["_sd"]?.array ?? []).compactMap(\.string))
        var disclosed: JSON.Object = [:]
        for disclosure in disclosures where digests.contains(disclosure.digest) {
            disclosed[disclosure.name] = disclosure.value
        }
        return disclosed
    }
}

extension AuditEntryView {
    /// Of a row of `audit_entries`: `id`, `recorded_at`, `leaf`.
    init(_ row: PostgresRow) throws {
        leaf = try row.decode("leaf", as: [UInt8].self)
        guard let members = try JSON.parse(leaf).object else {
            throw row.refusal(of: "leaf", because: .malformed("not an object"))
        }
        self.members = members
        position = AuditPosition(recordedAt: try row.decode("recorded_at"), id: try row.decode("id"))
    }
}

extension OrganizationTransaction {
    /// The next entries before `position`, newest first, with what stands behind their digests if `disclosing`.
    ///
    /// An entry is searched for where it has its index, and before that among those that wait for one: it is in exactly
    /// one of both.
    package func auditEntries(
        _ wanted: AuditQuery,
        before position: AuditPosition?,
        most: Int,
        disclosing: Bool
    ) async throws -> [AuditEntryView] {
        let condition = wanted.condition(before: position)
        let rows = try await query(
            """
            SELECT e.id, e.recorded_at, e.leaf FROM (
                (SELECT i.entry_id, i.recorded_at FROM audit_index i
                 WHERE i.organization_id = \(organization) AND \(condition)
                 ORDER BY i.recorded_at DESC, i.entry_id DESC LIMIT \(most))
                UNION ALL
                (SELECT p.entry_id, p.recorded_at FROM audit_pending p
                 JOIN LATERAL (SELECT q.actor_id, q.target_id, q.action, q.person_id, q.outcome FROM audit_entries q
                     WHERE (q.organization_id, q.id, q.recorded_at) = (p.organization_id, p.entry_id, p.recorded_at))
                     AS entry ON true
                 WHERE p.organization_id = \(organization) AND \(condition)
                 ORDER BY p.recorded_at DESC, p.entry_id DESC LIMIT \(most))) AS found
            JOIN audit_entries e ON (e.organization_id, e.id, e.recorded_at)
                = (\(organization), found.entry_id, found.recorded_at)
            ORDER BY e.recorded_at DESC, e.id DESC LIMIT \(most)
            """
        )
        return try await entries(rows, disclosing: disclosing)
    }

    /// nil where the organization has none of that id. What its leaf only names stands in its members here: lists show the
    /// name alone.
    package func auditEntry(_ id: AuditEntryID, disclosing: Bool) async throws -> AuditEntryView? {
        let rows = try await query("SELECT id, recorded_at, leaf FROM audit_entries WHERE id = \(id)")
        guard var entry = try await entries(rows, disclosing: disclosing).first else { return nil }
        for side in ["before", "after"] {
            guard let digest = LeafBlob.digest(namedBy: entry.members[side]) else { continue }
            entry.members[side] = try await blob(digest, of: id)
        }
        return entry
    }

    private func blob(_ digest: [UInt8], of entry: AuditEntryID) async throws -> JSON {
        let rows = try await query(
            "SELECT bytes FROM audit_blobs WHERE organization_id = \(organization) AND digest = \(digest)"
        )
        guard let row = rows.first, let blob = LeafBlob(digest: digest, bytes: try row.decode("bytes")) else {
            throw ImpossibleRows(description: "audit_blobs has not what the leaf of \(entry) names, or has it altered")
        }
        return try JSON.parse(blob.bytes)
    }

    private func entries(_ rows: PostgresRows, disclosing: Bool) async throws -> [AuditEntryView] {
        let entries = try rows.map { try AuditEntryView($0) }
        return disclosing ? try await disclosed(entries) : entries
    }

    /// The same with what stands behind their digests.
    package func disclosed(_ entries: [AuditEntryView]) async throws -> [AuditEntryView] {
        guard !entries.isEmpty else { return [] }
        var entries = entries
        let disclosures = try await disclosures(of: entries.map(\.position.id))
        for place in entries.indices { entries[place].disclosures = disclosures[entries[place].position.id] ?? [] }
        return entries
    }

    private func disclosures(of entries: [AuditEntryID]) async throws -> [AuditEntryID: [Disclosure]] {
        let rows = try await query(
            """
            SELECT d.entry_id, d.subject_id, d.sealed, k.sealed AS key FROM audit_disclosures d
            JOIN audit_subject_keys k ON (k.organization_id, k.subject_id) = (d.organization_id, d.subject_id)
            WHERE d.entry_id = ANY(\(entries))
            """
        )
        var disclosures: [AuditEntryID: [Disclosure]] = [:]
        for row in rows {
            let entry = try row.decode("entry_id", as: AuditEntryID.self)
            let place = place(of: try row.decode("subject_id"))
            let key = SubjectKey(material: try store.keyring.open(try row.decode("key"), for: place))
            let text = try key.open(try row.decode("sealed"), of: entry)
            disclosures[entry, default: []] += try (try JSON.parse(text).array ?? []).compactMap(\.string).map {
                try Disclosure(encoded: $0)
            }
        }
        return disclosures
    }
}

extension AuditQuery {
    fileprivate func condition(before position: AuditPosition?) -> SQL {
        var conditions: [SQL] = ["true"]
        if let position { conditions.append("(recorded_at, entry_id) < (\(position.recordedAt), \(position.id))") }
        switch actor {
        case .id(let id): conditions.append("actor_id = \(id)")
        case .username(let name):
            conditions.append("actor_id IN (SELECT u.id FROM users u WHERE lower(u.username) = lower(\(name)))")
        case nil: break
        }
        if let target { conditions.append("target_id = \(target)") }
        if let action { conditions.append("action = \(action.description)") }
        if let person { conditions.append("person_id = \(person)") }
        if let since { conditions.append("recorded_at >= \(since)") }
        if let until { conditions.append("recorded_at < \(until)") }
        if let outcome { conditions.append("outcome = \(outcome.rawValue)") }
        return SQL.join(conditions, separator: " AND ")
    }
}
