package import Domain
package import Edge
package import Filter
import HTTPTypes
import HummingbirdCore
import Storage
package import Transparency

/// Where a list stands: the key by which its rows are ordered, as bytes in a cursor.
package protocol ListPosition: Sendable {
    var bytes: [UInt8] { get }
    init?(bytes: [UInt8])
}

extension ID: ListPosition {
    /// Refuses anything but the 16 bytes of an id, most significant first.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        let words = [bytes[..<8], bytes[8...]].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        self.init(high: words[0], low: words[1])
    }
}

/// What a list asks its rows for: the next `most` behind `after`, in the list's order.
package struct ListStep<Position: ListPosition>: Sendable {
    package let after: Position?
    package let most: Int
    /// The list's own parameters, as sent.
    package let parameters: [String: String]
    /// Already applied by the framework; for SQL that can narrow by part of it.
    package let filter: Filter?
}

/// A row of a list.
package struct ListedItem<Position: ListPosition>: Sendable {
    package let position: Position
    package let json: JSON.Object

    package init(_ position: Position, _ json: JSON.Object) {
        self.position = position
        self.json = json
    }
}

extension Operation {
    /// Rows that one request reads at most. A filter that selects little gives short, even empty pages whose
    /// `next_cursor` goes on, so that no request costs more than this.
    package static let mostScanned = 5_000
    /// Rows of one statement while a filter searches.
    private static let scanStep = 500

    /// GET of a list: `limit`, `cursor`, `filter`, and an entry with the number of items and what `notes` tells of the
    /// question, which may hold no personal value.
    ///
    /// `rows` gives at most so many rows of the organization in keyset order; the filter is asked over the JSON that the
    /// list shows.
    package static func list<Position: ListPosition>(
        _ id: String,
        _ path: String,
        _ access: Access,
        _ action: ActionCode,
        _ summary: String,
        of item: Schema,
        by position: Position.Type,
        parameters: [Parameter] = [],
        notes: @escaping @Sendable (ListQuery) -> JSON.Object = { _ in [:] },
        _ rows: @escaping @Sendable (APICall, ListStep<Position>) async throws -> [ListedItem<Position>]
    ) -> Operation {
        let own = Set(parameters.map(\.name))
        return Operation(
            id: id,
            method: .get,
            path: path,
            access: access,
            action: action,
            summary: summary,
            parameters: listParameters + parameters,
            answers: Answers(
                .ok,
                .page(of: item),
                "A page. It may hold fewer items than `limit`, even none: the list ends where `next_cursor` is null."
            ),
            run: .called { call in
                let query = try ListQuery(call.request.uri, also: own)
                var answer = try await page(of: call, query, rows)
                for (name, value) in notes(query).members { answer.notes?[name] = value }
                return answer
            }
        )
    }

    private static func page<Position: ListPosition>(
        of call: APICall,
        _ query: ListQuery,
        _ rows: @Sendable (APICall, ListStep<Position>) async throws -> [ListedItem<Position>]
    ) async throws -> APIAnswer {
        let name = "\(call.operation.id)\n\(call.caller.organization)"
        let key = call.store.keyring.cursorKey
        var after: Position?
        if let bytes = try query.position(of: name, key: key) {
            guard let position = Position(bytes: bytes) else {
                throw EdgeError.invalid([.init(parameter: "cursor", "This is not a cursor of this list.")])
            }
            after = position
        }
        var items: [JSON] = []
        var scanned = 0
        var isEnd = false
        scan: while !isEnd, items.count < query.limit, scanned < mostScanned {
            // One more than the page holds, so that the last page says that it is the last.
            let most = query.filter == nil ? query.limit + 1 : scanStep
            let step = ListStep(after: after, most: most, parameters: query.more, filter: query.filter)
            let found = try await rows(call, step)
            for (place, row) in found.enumerated() {
                scanned += 1
                after = row.position
                if query.filter?.selects(row.json) ?? true { items.append(.object(row.json)) }
                guard items.count < query.limit else {
                    isEnd = place == found.count - 1 && found.count < most
                    break scan
                }
            }
            isEnd = found.count < most
        }
        let next = isEnd ? nil : after.map { query.next($0.bytes, of: name, key: key) }
        var answer = APIAnswer(.page(items, next: next))
        answer.notes = ["items": .integer(items.count), "filtered": .bool(query.filter != nil)]
        return answer
    }

    private static var listParameters: [Parameter] {
        [
            Parameter(
                "limit",
                in: .query,
                .integer(from: 1, to: ListQuery.mostLimit),
                "Items at most; 50 if not said."
            ),
            Parameter("cursor", in: .query, .cursor, "`next_cursor` of the page before, with the same filter."),
            Parameter(
                "filter",
                in: .query,
                // Without its bound, which is in bytes before they are encoded: a text of that many characters need not fit
                // into an address.
                .someText,
                "SCIM filter (RFC 7644 3.4.2.2) over the names of the items' members, of 8,192 bytes at most."
            ),
        ]
    }
}

extension ListStep {
    /// The source that the filter demands by `source eq "…"`, alone or as one of several conditions that all have to
    /// hold: no row of another is ever selected, so none has to be read.
    var source: SourceID? { demanded("source") }

    /// The id that the filter demands of a member in that way.
    func demanded<Kind>(_ member: String, as: ID<Kind>.Type = ID<Kind>.self) -> ID<Kind>? {
        filter?.root.demanded(member).flatMap { ID<Kind>($0) }
    }
}

extension Filter.Expression {
    /// The text to which the attribute has to be equal, where the whole selects nothing else.
    fileprivate func demanded(_ attribute: String) -> String? {
        switch self {
        case .comparison(let path, .equal, .string(let text)):
            let isIt = path.uri == nil && path.subAttribute == nil && path.attribute.lowercased() == attribute
            return isIt ? text : nil
        case .and(let operands):
            return operands.lazy.compactMap { $0.demanded(attribute) }.first
        default: return nil
        }
    }
}

extension Filter {
    /// Ids are case exact, everything else is not (RFC 7643 2.2).
    fileprivate func selects(_ item: JSON.Object) -> Bool {
        matches(JSONFilterSubject(item)) { path in path.subAttribute == nil && path.attribute.lowercased() == "id" }
    }
}
