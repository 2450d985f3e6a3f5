import Domain
import Edge
import Filter
import Storage
import Transparency

extension Operation {
    static let savedQueries: [Operation] = [
        .list(
            "listAuditQueries",
            "/v1/audit/queries",
            .scope(.auditRead),
            .auditQueryRead,
            "Saved queries of the log",
            of: .savedQuery,
            by: AuditQueryID.self
        ) { call, step in
            try call.requireReader()
            return try await call.read { try await $0.savedQueries(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "saveAuditQuery",
            "/v1/audit/queries",
            .scope(.auditRead),
            .auditQuerySaved,
            "Save a query of the log, for every auditor and security admin of the organization",
            body: .newSavedQuery,
            answers: .savedQuery
        ) { call in
            try call.requireReader()
            let new: NewSavedQuery = try call.decode()
            guard let mode = SearchMode(rawValue: new.mode) else {
                throw EdgeError.invalid([.init("/mode", "tail or range.")])
            }
            let filter: Filter?
            do throws(FilterError) {
                filter = if let text = new.filter { try Filter(text) } else { nil }
            } catch {
                throw EdgeError.invalid([.init("/filter", "\(error)")])
            }
            let saving = QuerySaving(
                try Texts.name(new.name, at: "/name"),
                mode: mode,
                filter: new.filter,
                attributes: (filter?.attributes ?? []).sorted(),
                by: call.caller,
                call.attribution,
                in: call.store
            )
            return try await call.create(saving) { $0.json }
        },
        .read(
            "getAuditQuery",
            "/v1/audit/queries/{id}",
            .scope(.auditRead),
            .auditQueryRead,
            "One saved query",
            target: .auditQuery,
            answers: .savedQuery
        ) { call in
            try call.requireReader()
            let id = try call.id(as: AuditQueryID.self)
            guard let saved = try await call.read({ try await $0.savedQuery(id) }) else { throw EdgeError.notFound }
            return .read(saved.json)
        },
        .remove(
            "removeAuditQuery",
            "/v1/audit/queries/{id}",
            .scope(.auditRead),
            .auditQueryRemoved,
            "Forget a saved query",
            target: .auditQuery
        ) { call in
            try call.requireReader()
            try await call.perform(QueryRemoval(of: try call.id(), by: call.attribution))
            return .removed
        },
    ]
}

extension APICall {
    /// Saved queries are those of people: their filters may hold personal values.
    func requireReader() throws(EdgeError) {
        guard readsPersonalData else { throw .forbidden(needs: nil) }
    }
}

private struct NewSavedQuery: Decodable {
    var name: String
    var mode: String
    var filter: String?
}

extension SavedQuery {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "name": .string(name), "mode": .string(mode.rawValue),
            "filter": filter.map(JSON.string) ?? .null, "created_by": .string(createdBy.description),
            "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    fileprivate static let savedQuery = Schema.object([
        ("id", .id("qry")), ("name", .name), ("mode", .searchMode), ("filter", filter.orNull),
        ("created_by", .id("usr")), ("created_at", .time),
    ]).named(
        "SavedAuditQuery",
        example: [
            "id": "qry_01k9qyc5qje1qsv9svhrqgc8d2", "name": "Refusals", "mode": "range",
            "filter": "outcome eq \"refused\"", "created_by": "usr_01k9qyc5qje1qsv9svhrqgc8da",
            "created_at": "2026-11-21T09:00:00Z",
        ]
    )

    fileprivate static let newSavedQuery = Schema.object(
        [("name", .name), ("mode", .searchMode)],
        optional: [("filter", filter.orNull)]
    ).named("NewSavedAuditQuery", example: ["name": "Refusals", "mode": "range", "filter": "outcome eq \"refused\""])
}
