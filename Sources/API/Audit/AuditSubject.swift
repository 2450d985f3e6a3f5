import Domain
import Filter
import Transparency

/// An entry as filters see it: the members of its leaf, and besides `index`, and `text`, which stands for every text in
/// it: `text co "payroll"`.
struct AuditSubject: FilterSubject {
    private let object: JSON.Object
    private let members: JSONFilterSubject

    /// `object`: the leaf's members, and what else is shown of the entry.
    init(_ object: JSON.Object, index: Int? = nil) {
        var object = object
        if let index { object["index"] = .integer(index) }
        self.object = object
        members = JSONFilterSubject(object)
    }

    func values(at path: AttributePath) -> [FilterOperand] {
        guard path.uri == nil, path.subAttribute == nil, AttributePath.sameName(path.attribute, Self.text) else {
            return members.values(at: path)
        }
        var texts: [FilterOperand] = []
        Self.collect(.object(object), into: &texts)
        return texts
    }

    /// Depth is bounded by the JSON reader.
    private static func collect(_ value: JSON, into texts: inout [FilterOperand]) {
        switch value {
        case .string(let text): texts.append(.string(text))
        case .array(let elements): for element in elements { collect(element, into: &texts) }
        case .object(let object): for member in object.members { collect(member.value, into: &texts) }
        case .null, .bool, .number: break
        }
    }

    private static let text = "text"

    /// Ids are case exact, everything else is not (RFC 7643 2.2).
    static func isCaseExact(_ path: AttributePath) -> Bool {
        path.subAttribute == nil && path.attribute.lowercased() == "id"
    }
}
