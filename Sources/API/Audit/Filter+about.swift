import Domain
import Edge
import Filter
import Storage
import Transparency

/// What a search asks of people by their values: `about eq "ada@acme.example"` selects entries about whoever has or had the
/// value. The values themselves stand nowhere in clear: people are found by digests that end with them.
struct AboutPeople: Sendable {
    static let name = "about"
    /// Values of one filter: each is a look-up.
    static let mostValues = 20

    /// Whether the filter asks for values at all, `about` or as they are disclosed.
    let asksForValues: Bool
    private let people: [String: Set<PersonID>]

    /// Refused for whom no personal data is shown, and for comparisons that a digest cannot answer.
    init(_ filter: Filter?, _ call: APICall) async throws {
        guard let filter else {
            (asksForValues, people) = (false, [:])
            return
        }
        asksForValues = !filter.attributes.isDisjoint(with: [Self.name, "disclosed", "display", "text"])
        let asked = filter.root.asked
        guard !asked.isEmpty else {
            people = [:]
            return
        }
        guard call.readsPersonalData else { throw EdgeError.forbidden(needs: nil) }
        guard asked.allSatisfy({ $0 != nil }), asked.count <= Self.mostValues else {
            let detail = "`about` is compared by eq with a text, \(Self.mostValues) times at most."
            throw EdgeError.invalid([.init(parameter: "filter", detail)])
        }
        let values = Set(asked.compactMap(\.self))
        people = try await call.read { try await $0.people(whoHad: values) }
    }

    /// The leaf's members, with those of the values that its person has or had.
    func said(of members: JSON.Object) -> JSON.Object {
        guard !people.isEmpty else { return members }
        var members = members
        let person = members["person"]?.string.flatMap(PersonID.init)
        let values = people.filter { entry in person.map { entry.value.contains($0) } ?? false }
        members[Self.name] = .array(values.keys.sorted().map(JSON.string))
        return members
    }

    /// The person to whom a filter that demands this value narrows a search; nil: several.
    func narrowing(to value: String) -> PersonID? {
        guard let found = people[value] else { return nil }
        // Nobody: an id that no person has.
        return found.count > 1 ? nil : found.first ?? PersonID(high: 0, low: 0)
    }
}

extension Filter.Expression {
    /// What `about` is compared with; nil for a comparison that a digest cannot answer.
    fileprivate var asked: [String?] {
        switch self {
        case .or(let operands), .and(let operands): operands.flatMap(\.asked)
        case .not(let operand): operand.asked
        case .comparison(let path, let comparison, let value):
            if !path.isAbout {
                []
            } else if case (.equal, .string(let text)) = (comparison, value) {
                [text]
            } else {
                [nil]
            }
        case .present(let path), .element(let path, _): path.isAbout ? [nil] : []
        }
    }
}

extension AttributePath {
    fileprivate var isAbout: Bool { uri == nil && AttributePath.sameName(attribute, AboutPeople.name) }
}
