import Domain
import Edge
import Evidence
import Filter
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Storage
import Transparency

extension Operation {
    static let auditExport: [Operation] = [
        Operation(
            id: "exportAuditEntries",
            method: .get,
            path: "/v1/audit/export",
            access: .scope(.auditRead),
            action: .auditExported,
            summary: """
                Entries in the order of their indexes, in the format of another system, as long as the answer lasts. \
                An answer that ends without its last chunk is not whole
                """,
            parameters: AuditExport.parameters,
            answers: AuditExport.answers,
            run: .called(AuditExport.run)
        )
    ]
}

/// What an export was asked for.
struct AuditExport: Sendable {
    private let format: ExportFormat
    private let filter: Filter?
    private let from: LogPlace?
    private let to: LogPlace?
    /// Indexes that are looked at, at most.
    private let limit: Int?
    private let hasHeading: Bool

    /// Entries that one statement reads, and that one piece of the answer is made of.
    static let step = 500

    /// `FROM-TO/END`: the answer covers the indexes from FROM to before TO, of an export that ends before END.
    static let indexes = field("Rollcall-Indexes")

    private static func field(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is a field name") }
        return name
    }

    static let parameters: [Operation.Parameter] = [
        .init(
            "format",
            in: .query,
            .word(of: ExportFormat.allCases.map(\.rawValue)),
            "How an entry is written.",
            isRequired: true
        ),
        .init("filter", in: .query, .someText, "SCIM filter over the members of the leaf, and `index`."),
        .init(
            "from",
            in: .query,
            .logPlace,
            "The first index, or the time from which entries were recorded; 0 if not said."
        ),
        .init(
            "to",
            in: .query,
            .logPlace,
            "The index, or the time of recording, before which it ends; what has an index now if not said."
        ),
        .init(
            "limit",
            in: .query,
            .integer(from: 1, to: TileTree.largestSize),
            "Indexes that the answer covers at most; `Rollcall-Indexes` says where to go on."
        ),
        .init(
            "heading",
            in: .query,
            .word(of: ["true", "false"]),
            "Whether a CSV begins with its heading; it does if not said."
        ),
    ]

    static let answers: Operation.Answers = {
        var answers = Operation.Answers(
            .ok,
            nil,
            "The entries. `Rollcall-Indexes: FROM-TO/END`: from FROM to before TO, of an export that ends before END.",
            fields: [indexes]
        )
        answers.files = Set(ExportFormat.allCases.map(\.mediaType)).sorted()
        return answers
    }()

    init(_ call: APICall) throws(EdgeError) {
        let values = call.parameters
        guard let format = values["format"].flatMap({ ExportFormat(rawValue: $0) }) else {
            let known = ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid([.init(parameter: "format", "One of \(known).")])
        }
        self.format = format
        if let text = values["filter"] {
            do throws(FilterError) {
                filter = try Filter(text)
            } catch {
                throw .invalid([.init(parameter: "filter", "\(error)")])
            }
            // Answered by look-ups that only a search makes; here it would select nothing and say so of nobody.
            guard filter?.attributes.contains(AboutPeople.name) != true else {
                throw .invalid([.init(parameter: "filter", "`about` is for /v1/audit/search.")])
            }
        } else {
            filter = nil
        }
        from = try Self.place(values, "from")
        to = try Self.place(values, "to")
        limit = try values["limit"].map { text throws(EdgeError) in
            guard let limit = Int(text), limit > 0, limit <= TileTree.largestSize, String(limit) == text else {
                throw .invalid([.init(parameter: "limit", "A number, 1 or more.")])
            }
            return limit
        }
        switch values["heading"] {
        case nil, "true": hasHeading = true
        case "false": hasHeading = false
        default: throw .invalid([.init(parameter: "heading", "true or false.")])
        }
    }

    private static func place(_ values: [String: String], _ name: String) throws(EdgeError) -> LogPlace? {
        guard let text = values[name] else { return nil }
        if let index = Int(text), index >= 0, index <= TileTree.largestSize, String(index) == text {
            return .index(index)
        }
        if let time = Timestamp(text) { return .time(time) }
        throw .invalid([.init(parameter: name, "An index, or an RFC 3339 time.")])
    }

    /// The entry is committed before the first byte leaves; each step asks whether the token is good still.
    @Sendable
    static func run(_ call: APICall) async throws -> APIAnswer {
        let export = try AuditExport(call)
        let found = try await call.readLog { try await $0.stretch(from: export.from, to: export.to) }
        let whole = found ?? LogStretch.none
        let stretch = whole.cut(to: export.limit ?? TileTree.largestSize)
        var answer = APIAnswer.stream(type: export.format.mediaType, notes: export.notes(of: stretch, call)) { writer in
            try await export.write(stretch, of: call, to: &writer)
        }
        answer.fields[indexes] = "\(stretch.from)-\(stretch.to)/\(whole.to)"
        answer.fields[.cacheControl] = "no-store"
        return answer
    }

    private func notes(of stretch: LogStretch, _ call: APICall) -> JSON.Object {
        var question = AuditParameters.told(["format": format.rawValue], filter)
        question["from"] = .integer(stretch.from)
        question["to"] = .integer(stretch.to)
        return question
    }

    @concurrent
    private func write(_ stretch: LogStretch, of call: APICall, to body: inout any ResponseBodyWriter) async throws {
        var writer = EntryWriter(format, origin: stretch.origin)
        var bytes = ByteBuffer(bytes: hasHeading ? writer.head : [])
        var place = stretch.from
        while place < stretch.to {
            guard try await call.isStillAdmitted() else { throw ExportEnded.tokenOver }
            let step = LogStretch(from: place, to: stretch.to, origin: stretch.origin).cut(to: Self.step)
            for found in try await call.readLog({ try await $0.entries(of: step) }) {
                if let entry = try selected(found) { bytes.writeBytes(try writer.write(entry)) }
            }
            place = step.to
            if bytes.readableBytes > 0 { try await body.write(bytes) }
            bytes.clear()
        }
        bytes.writeBytes(writer.tail)
        if bytes.readableBytes > 0 { try await body.write(bytes) }
    }

    /// nil for what was not asked for.
    private func selected(_ found: IndexedEntry) throws -> LoggedEntry? {
        if case .time(let time) = from, found.recordedAt < time { return nil }
        if case .time(let time) = to, found.recordedAt >= time { return nil }
        guard let filter else { return LoggedEntry(index: found.index, leaf: found.leaf) }
        let entry = LoggedEntry(index: found.index, leaf: found.leaf)
        let members = try entry.members()
        guard filter.matches(AuditSubject(members, index: found.index), caseExact: AuditSubject.isCaseExact) else {
            return nil
        }
        return LoggedEntry(index: found.index, leaf: found.leaf, members: members)
    }
}

/// Why an export ended in the middle.
enum ExportEnded: Error {
    /// The token that began it is not good any more.
    case tokenOver
}

extension LogStretch {
    /// Of a log that has no entry yet.
    fileprivate static let none = LogStretch(from: 0, to: 0, origin: "")
}

extension Schema {
    fileprivate static let logPlace = either(integer(from: 0, to: TileTree.largestSize), or: time)
}
