import Domain
import Filter
import Storage

extension Filter {
    /// What an index can answer of the filter: comparisons that have to hold whatever else does. Everything that the filter
    /// selects is within; that it selects nothing more is for the filter itself to say.
    func narrowing(_ about: AboutPeople) -> SearchNarrowing {
        var narrowing = SearchNarrowing()
        for (path, comparison, value) in root.demanded {
            switch (path.description.lowercased(), comparison, value) {
            case ("target.id", .equal, .string(let text)): narrowing.target = narrowing.target ?? IDBits(anyID: text)
            // Rollcall's own parts have no account, and an id of no user has no column.
            case ("actor.id", .equal, .string(let text)): narrowing.actor = narrowing.actor ?? UserID(text)
            case (AboutPeople.name, .equal, .string(let text)):
                narrowing.person = narrowing.person ?? about.narrowing(to: text)
            case ("person", .equal, .string(let text)): narrowing.person = narrowing.person ?? PersonID(text)
            case ("action", .equal, .string(let text)):
                narrowing.action = narrowing.action ?? AuditAction(text)
            case ("recorded_at", .greaterOrEqual, .string(let text)), ("recorded_at", .greater, .string(let text)):
                narrowing.since = [narrowing.since, Timestamp(text)].compactMap(\.self).max()
            case ("recorded_at", .lessOrEqual, .string(let text)), ("recorded_at", .less, .string(let text)):
                narrowing.until = [narrowing.until, Timestamp(text)].compactMap(\.self).min()
            default: break
            }
        }
        return narrowing
    }

    /// The first names in the paths that the filter asks for, in lower case.
    var attributes: Set<String> { root.attributes }
}

extension Filter.Expression {
    /// The comparisons of which each has to hold.
    fileprivate var demanded: [(AttributePath, Filter.Comparison, FilterValue)] {
        switch self {
        case .comparison(let path, let comparison, let value): path.uri == nil ? [(path, comparison, value)] : []
        case .and(let operands): operands.flatMap(\.demanded)
        case .or, .not, .present, .element: []
        }
    }

    fileprivate var attributes: Set<String> {
        switch self {
        case .or(let operands), .and(let operands): operands.reduce(into: []) { $0.formUnion($1.attributes) }
        case .not(let operand): operand.attributes
        case .comparison(let path, _, _), .present(let path), .element(let path, _): [path.attribute.lowercased()]
        }
    }
}
