import Transparency

/// One field of an entry, and where each format has it. The one place in which fields are named.
package struct EntryField: Sendable {
    /// Column of the CSV, and the field's name wherever a format has no place of its own for it.
    package let name: String
    let source: Source
    let form: Form
    /// Dotted path in an OCSF event; nil: under `unmapped`.
    let ocsf: String?
    /// Dotted path in an ECS document; nil: under `rollcall`.
    let ecs: String?
    /// Key of CEF's dictionary; nil: a key of our own, `Rollcall…`.
    let cef: CEFKey?

    /// Where the value comes from.
    enum Source: Sendable {
        case index
        case hash
        /// RFC 6901 pointer into the leaf.
        case leaf(String)
    }

    /// What the value is.
    enum Form: Sendable {
        case text
        case integer
        /// RFC 3339 in the leaf; formats that count have milliseconds since 1970.
        case time
        case address
        /// Mentions of people: their ids.
        case mentions
        /// Any JSON.
        case value
    }

    private init(
        _ name: String,
        _ source: Source,
        _ form: Form = .text,
        ocsf: String? = nil,
        ecs: String? = nil,
        cef: CEFKey? = nil
    ) {
        self.name = name
        self.source = source
        self.form = form
        self.ocsf = ocsf
        self.ecs = ecs
        self.cef = cef
    }

    private init(
        _ name: String,
        _ pointer: String,
        _ form: Form = .text,
        ocsf: String? = nil,
        ecs: String? = nil,
        cef: CEFKey? = nil
    ) {
        self.init(name, .leaf(pointer), form, ocsf: ocsf, ecs: ecs, cef: cef)
    }

    /// Every field, in the order of the CSV's columns. New ones come last.
    package static let all: [EntryField] = [
        .init("index", .index, .integer, ocsf: "metadata.sequence", ecs: "event.sequence", cef: .labelled("cn1")),
        .init("id", "/id", ocsf: "metadata.uid", ecs: "event.id", cef: .plain("externalId")),
        .init("hash", .hash, ecs: "event.hash", cef: .labelled("cs6")),
        .init(
            "organization",
            "/organization",
            ocsf: "metadata.tenant_uid",
            ecs: "organization.id",
            cef: .plain("deviceExternalId")
        ),
        .init("recorded_at", "/recorded_at", .time, ocsf: "time", ecs: "@timestamp", cef: .plain("rt")),
        .init("received_at", "/received_at", .time, ocsf: "metadata.logged_time", ecs: "event.created"),
        .init("occurred_at", "/occurred_at", .time, ocsf: "start_time", ecs: "event.start", cef: .plain("start")),
        .init("actor_kind", "/actor/kind", cef: .plain("spriv")),
        .init("actor_id", "/actor/id", ecs: "user.id", cef: .plain("suid")),
        .init("credential_id", "/credential/id", cef: .labelled("cs4")),
        .init("credential_digest_prefix", "/credential/digest_prefix"),
        .init("on_behalf_of", "/on_behalf_of", .mentions, ecs: "user.effective.id", cef: .labelled("cs2")),
        .init("authority_kind", "/authority/kind"),
        .init("authority_id", "/authority/id", cef: .labelled("cs3")),
        .init("authority_version", "/authority/version", .integer),
        .init("action", "/action", ocsf: "metadata.event_code", ecs: "event.action", cef: .plain("act")),
        .init("target_kind", "/target/kind", cef: .labelled("cs5")),
        .init("target_id", "/target/id", cef: .labelled("cs1")),
        .init("person", "/person", ecs: "user.target.id", cef: .plain("duid")),
        .init("outcome", "/outcome", cef: .plain("outcome")),
        .init("reason", "/reason", ocsf: "status_detail", ecs: "event.reason", cef: .plain("reason")),
        .init("source_delivery", "/source_delivery"),
        .init("source_event", "/source_event"),
        .init("request_id", "/request_id", ocsf: "metadata.correlation_uid", ecs: "http.request.id"),
        .init("trace_id", "/trace_id", ecs: "trace.id"),
        .init("client_ip", "/client_ip", .address, ocsf: "src_endpoint.ip", ecs: "source.ip", cef: .address),
        .init(
            "user_agent",
            "/user_agent",
            ocsf: "http_request.user_agent",
            ecs: "user_agent.original",
            cef: .plain("requestClientApplication")
        ),
        .init("before", "/before", .value),
        .init("after", "/after", .value),
    ]
}

/// The values of an entry's fields, as the formats take them.
struct FieldValues {
    let entry: LoggedEntry
    let members: JSON.Object

    init(_ entry: LoggedEntry) throws(ExportError) {
        self.entry = entry
        members = try entry.members()
    }

    /// Every field that has a value, in order.
    var all: [(field: EntryField, value: JSON)] {
        EntryField.all.compactMap { field in value(of: field).map { (field, $0) } }
    }

    /// nil where it does not apply.
    func value(of field: EntryField) -> JSON? {
        switch field.source {
        case .index: return .integer(entry.index)
        case .hash: return .string(entry.hash)
        case .leaf(let pointer):
            guard let value = JSON.object(members)[pointer: pointer], !value.isNull else { return nil }
            switch field.form {
            case .mentions:
                let ids = (value.array ?? []).compactMap { $0["id"] }
                return ids.isEmpty ? nil : .array(ids)
            case .value: return value.object?.isEmpty == true ? nil : value
            case .text, .integer, .time, .address: return value
            }
        }
    }

    /// Text of the leaf's member at that pointer.
    func text(_ pointer: String) -> String? { JSON.object(members)[pointer: pointer]?.string }

    /// A value on one line: texts as they are, mentions parted by spaces, the rest as JSON.
    static func plain(_ value: JSON, _ form: EntryField.Form) -> String {
        switch form {
        case .mentions: (value.array ?? []).compactMap(\.string).joined(separator: " ")
        case .value: value.text
        case .text, .integer, .time, .address: value.string ?? value.text
        }
    }

    /// A time in milliseconds since 1970, as OCSF and CEF count.
    func milliseconds(_ value: JSON) throws(ExportError) -> Int64 {
        guard let time = value.string.flatMap({ LeafTime($0) }) else { throw .leafUnreadable(index: entry.index) }
        return time.milliseconds
    }
}

extension JSON.Object {
    /// Sets a member at a dotted path, making the objects on the way.
    mutating func set(_ path: String, to value: JSON) {
        guard let dot = path.firstIndex(of: ".") else {
            self[path] = value
            return
        }
        let first = String(path[..<dot])
        var inner = self[first]?.object ?? [:]
        inner.set(String(path[path.index(after: dot)...]), to: value)
        self[first] = .object(inner)
    }
}
