import Domain
import Edge
import Filter
import HTTPTypes
import HummingbirdCore
import Storage
import Transparency

extension Operation {
    static let auditSearch: [Operation] = [
        Operation(
            id: "searchAuditEntries",
            method: .get,
            path: "/v1/audit/search",
            access: .scope(.auditRead),
            action: .auditRead,
            summary:
                "Entries of the log that a filter selects, in one of two modes; a question of one's own or a saved one",
            parameters: [
                .init("mode", in: .query, .searchMode, "`tail` or `range`; that of `query` if not said."),
                .init("query", in: .query, .id("qry"), "A saved query, in place of `mode` and `filter`."),
                .init(
                    "filter",
                    in: .query,
                    .someText,
                    "SCIM filter over the items' members, `index`, `text`, and `about eq` a value that the person has or had."
                ),
                .init("limit", in: .query, .integer(from: 1, to: ListQuery.mostLimit), "At most; 50 if not said."),
                .init("cursor", in: .query, .cursor, "`next_cursor` of the answer before, with the same question."),
            ],
            answers: Answers(.ok, .auditSearchPage, "What was found. It may be less than `limit`, and nothing."),
            run: .called(AuditSearch.run)
        )
    ]
}

/// One page of a search.
struct AuditSearch: Sendable {
    private let call: APICall
    private let mode: SearchMode
    private let filter: Filter?
    private let narrowing: SearchNarrowing
    private let about: AboutPeople
    /// Whether the filter asks for what is no part of the leaf.
    private let needsNames: Bool

    @Sendable
    static func run(_ call: APICall) async throws -> APIAnswer {
        let query = try ListQuery(call.request.uri, also: ["mode", "query"])
        let search = try await AuditSearch(call, query)
        let list = "\(call.operation.id)\n\(call.caller.organization)"
        let key = call.store.keyring.cursorKey
        let size = try await call.readLog { try await $0.logSize() }
        var place = SearchPlace(mode: search.mode, size: size, at: .start)
        if let bytes = try query.position(of: list, key: key) {
            guard let found = SearchPlace(bytes: bytes), found.mode == search.mode else {
                throw EdgeError.invalid([.init(parameter: "cursor", "This is not a cursor of this search.")])
            }
            // Another node may have answered from a copy that is further.
            guard found.size <= size || found.mode == .tail else {
                throw EdgeError.unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds)
            }
            place = found
        }
        // A tail goes on with the log; a range stays with the size with which it began.
        if search.mode == .tail { place.size = size }
        let (items, isEnd) = try await search.page(from: &place, limit: query.limit)
        let erased = search.about.asksForValues ? try await call.read { try await $0.erasedCount() } : nil
        let next: JSON =
            search.mode == .range && isEnd ? .null : .string(query.next(place.bytes, of: list, key: key).description)
        var answer = APIAnswer.read(
            [
                "items": .array(items.map(JSON.object)), "next_cursor": next, "mode": .string(search.mode.rawValue),
                "tree_size": .integer(place.size), "has_more": .bool(!isEnd),
                "erased_people": erased.map { .integer($0) } ?? .null,
            ],
            notes: AuditParameters.told(["mode": search.mode.rawValue].merging(query.more) { $1 }, search.filter)
                .merged(with: ["items": .integer(items.count), "tree_size": .integer(place.size)])
        )
        if search.mode == .tail, query.cursor != nil { search.coalesce(&answer, query) }
        return answer
    }

    /// Somebody who waits at the end of the log asks the same again and again, and would find nothing but the entries of
    /// that: within the minute one of them speaks for all.
    private func coalesce(_ answer: inout APIAnswer, _ query: ListQuery) {
        let (reads, token, now) = (call.door.logReads, call.caller.credential.token, call.context.receivedAt)
        let question = "tail\n\(query.more["query"] ?? "")\n\(filter?.description ?? "")"
        guard reads.needsEntry(of: token, question, at: now) else {
            answer.notes = nil
            return
        }
        answer.notes?["seconds"] = .integer(LogReads.seconds)
        answer.whenTold = { reads.note(token, question, at: now) }
    }

    private init(_ call: APICall, _ query: ListQuery) async throws {
        self.call = call
        let said = try query.more["mode"].map { text throws(EdgeError) in
            guard let mode = SearchMode(rawValue: text) else {
                throw .invalid([.init(parameter: "mode", "tail or range.")])
            }
            return mode
        }
        if let text = query.more["query"] {
            guard query.filter == nil, said == nil else {
                throw EdgeError.invalid([.init(parameter: "query", "A saved query has its own mode and filter.")])
            }
            guard let id = AuditQueryID(text), let saved = try await call.read({ try await $0.savedQuery(id) }) else {
                throw EdgeError.invalid([.init(parameter: "query", "There is no such saved query.")])
            }
            (mode, filter) = (saved.mode, try saved.filter.map { try Filter($0) })
        } else {
            guard let said else { throw EdgeError.invalid([.init(parameter: "mode", "tail or range.")]) }
            (mode, filter) = (said, query.filter)
        }
        about = try await AboutPeople(filter, call)
        narrowing = filter?.narrowing(about) ?? SearchNarrowing()
        needsNames = filter.map { !$0.attributes.isDisjoint(with: ["disclosed", "display", "text"]) } ?? false
    }

    /// Items until there are `limit`, the log's end is reached, or so much was read that somebody else should have a turn.
    private func page(from place: inout SearchPlace, limit: Int) async throws -> (items: [JSON.Object], isEnd: Bool) {
        var items: [JSON.Object] = []
        for _ in 0..<Self.mostSteps {
            let start = place
            let (step, shown) = try await call.readLog { transaction in
                try await transaction.boundSearch()
                let step = try await start.step(in: transaction, narrowing)
                return (step, try await show(step.found, in: transaction))
            }
            for (found, json) in zip(step.found, shown) {
                place.at = start.mode == .tail ? .index(found.index + 1) : .entry(found.view.position)
                if let json { items.append(json) }
                if items.count == limit {
                    return (items, step.isEnd && found.view.position == step.found.last?.view.position)
                }
            }
            if start.mode == .tail { place.at = .index(step.next) }
            if step.isEnd { return (items, true) }
        }
        return (items, false)
    }

    /// Statements of one request; with ``OrganizationTransaction/rangeStep`` and ``OrganizationTransaction/tailWindow``
    /// what a request costs at most.
    private static let mostSteps = 10

    /// Each entry as it is shown; nil for what the filter does not select.
    private func show(
        _ found: [FoundEntry],
        in transaction: OrganizationTransaction
    ) async throws -> [JSON.Object?] {
        let disclosing = call.readsPersonalData
        // Names cost; they are looked up for what is selected, unless the filter asks for them.
        let isWanted = found.map { entry in
            needsNames || selects(entry.view.members, index: entry.index)
        }
        var views = zip(found, isWanted).filter(\.1).map(\.0.view)
        if disclosing { views = try await transaction.disclosed(views) }
        let names = disclosing ? try await transaction.names(mentionedIn: views) : nil
        var rest = views[...]
        return zip(found, isWanted).map { entry, isWanted in
            guard isWanted, let view = rest.popFirst() else { return nil }
            var json = view.json(names)
            json["index"] = .integer(entry.index)
            return !needsNames || selects(json, index: entry.index) ? json : nil
        }
    }

    private func selects(_ object: JSON.Object, index: Int) -> Bool {
        filter?.matches(AuditSubject(about.said(of: object), index: index), caseExact: AuditSubject.isCaseExact) ?? true
    }
}

/// Where a search stands: what its cursor says.
struct SearchPlace: Sendable {
    let mode: SearchMode
    /// Of the log, as of the page that the cursor came with; of a range, of all its pages.
    var size: Int
    var at: At

    enum At: Sendable {
        case start
        /// Everything before was looked at.
        case index(Int)
        /// Everything up to it was looked at.
        case entry(AuditPosition)
    }

    func step(in transaction: OrganizationTransaction, _ narrowing: SearchNarrowing) async throws -> SearchStep {
        switch (mode, at) {
        case (.tail, .index(let index)): try await transaction.tail(from: index, narrowing, size: size)
        case (.tail, _): try await transaction.tail(from: 0, narrowing, size: size)
        case (.range, .entry(let position)): try await transaction.range(before: position, narrowing, size: size)
        case (.range, _): try await transaction.range(before: nil, narrowing, size: size)
        }
    }
}

extension SearchPlace: ListPosition {
    /// The mode's letter, the size in eight bytes, and the place: nothing, an index in eight, or a time and an id.
    var bytes: [UInt8] {
        let place: [UInt8] =
            switch at {
            case .start: []
            case .index(let index): Self.bytes(UInt64(index))
            case .entry(let position): position.bytes
            }
        return [mode.letter] + Self.bytes(UInt64(size)) + place
    }

    /// Refuses what is not of that form.
    init?(bytes: [UInt8]) {
        guard bytes.count >= 9, let mode = SearchMode.allCases.first(where: { $0.letter == bytes[0] }),
            let size = Self.number(bytes[1..<9])
        else { return nil }
        let rest = Array(bytes[9...])
        switch (mode, rest.count) {
        case (_, 0): at = .start
        case (.tail, 8):
            guard let index = Self.number(rest[...]) else { return nil }
            at = .index(index)
        case (.range, _):
            guard let position = AuditPosition(bytes: rest) else { return nil }
            at = .entry(position)
        default: return nil
        }
        (self.mode, self.size) = (mode, size)
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        Int(exactly: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}

extension SearchMode {
    fileprivate var letter: UInt8 { self == .tail ? UInt8(ascii: "t") : UInt8(ascii: "r") }
}

extension Schema {
    static let searchMode = Schema.word(of: SearchMode.allCases.map(\.rawValue))

    fileprivate static let auditSearchPage = object([
        ("items", array(of: foundAuditEntry)),
        ("next_cursor", string.orNull.described("Of a tail never null: ask again later for what came since.")),
        ("mode", searchMode), ("tree_size", integer().described("Entries of the log that were searched.")),
        ("has_more", boolean.described("Whether there is more to look at now.")),
        (
            "erased_people",
            integer().orNull.described(
                "The filter asks for personal values, and so many people were erased: whether it would select entries about "
                    + "them cannot be known any more. null where it asks for none."
            )
        ),
    ])
}
