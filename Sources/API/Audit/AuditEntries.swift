import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let auditEntries: [Operation] = [
        .list(
            "listAuditEntries",
            "/v1/audit/entries",
            .scope(.auditRead),
            .auditRead,
            "The audit log, newest entry first",
            of: .auditEntry,
            by: AuditPosition.self,
            parameters: AuditParameters.all,
            notes: { query in AuditParameters.told(query.more, query.filter) },
            { call, step in
                let wanted = try AuditParameters.query(step.parameters)
                let disclosing = call.readsPersonalData
                return try await call.readLog { transaction in
                    let entries = try await transaction.auditEntries(
                        wanted,
                        before: step.after,
                        most: step.most,
                        disclosing: disclosing
                    )
                    let names = disclosing ? try await transaction.names(mentionedIn: entries) : nil
                    return entries.map { ListedItem($0.position, $0.json(names)) }
                }
            }
        ),
        .read(
            "getAuditEntry",
            "/v1/audit/entries/{id}",
            .scope(.auditRead),
            .auditRead,
            "One entry, with the exact text that the log's hashes are made of",
            target: .auditEntry,
            answers: .wholeAuditEntry
        ) { call in
            let id = try call.id(as: AuditEntryID.self)
            let disclosing = call.readsPersonalData
            let found = try await call.read { transaction -> (AuditEntryView, [String: String]?)? in
                guard let entry = try await transaction.auditEntry(id, disclosing: disclosing) else { return nil }
                return (entry, disclosing ? try await transaction.names(mentionedIn: [entry]) : nil)
            }
            guard let (entry, names) = found else { throw EdgeError.notFound }
            var json = entry.json(names)
            json["leaf"] = .string(String(decoding: entry.leaf, as: UTF8.self))
            json["disclosures"] = disclosing ? .array(entry.disclosures.map { .string($0.encoded) }) : .null
            return .read(json, person: entry.members["person"]?.string.flatMap(PersonID.init))
        },
    ]
}

extension APICall {
    /// Whether what stands behind digests is shown. Integration users see the leaves as they are, whatever their scopes.
    var readsPersonalData: Bool {
        switch caller.role {
        case .securityAdmin, .auditor: true
        case .member, .integration, .source: false
        }
    }
}

extension AuditPosition: ListPosition {
    package var bytes: [UInt8] {
        let time = UInt64(bitPattern: recordedAt.microseconds)
        return (0..<8).map { UInt8(truncatingIfNeeded: time >> (56 - 8 * UInt64($0))) } + id.bytes
    }

    /// Refuses what is not the 24 bytes of a position.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 24, let id = AuditEntryID(bytes: Array(bytes[8...])) else { return nil }
        let time = bytes[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.init(recordedAt: Timestamp(microseconds: Int64(bitPattern: time)), id: id)
    }
}

extension AuditEntryView {
    /// The leaf's members, what stands behind its digests, and names for people. `names` nil: neither.
    func json(_ names: [String: String]?) -> JSON.Object {
        var json = members
        guard let names else {
            json["disclosed"] = .null
            json["erased"] = .null
            json["display"] = .null
            return json
        }
        json["disclosed"] = ["before": .object(disclosed("before")), "after": .object(disclosed("after"))]
        json["erased"] = .bool(isErased)
        func name(_ id: JSON?) -> JSON { (id?.string.flatMap { names[$0] }).map(JSON.string) ?? .null }
        json["display"] = [
            // Rollcall's own parts have no account; their id is their name.
            "actor": members["actor"]?["kind"]?.string == "system"
                ? members["actor"]?["id"] ?? .null : name(members["actor"]?["id"]),
            "on_behalf_of": .array((members["on_behalf_of"]?.array ?? []).map { name($0["id"]) }),
            "target": name(members["target"]?["id"]),
            "person": name(members["person"]),
        ]
        return json
    }
}
