import Transparency

/// The attributes that a mapping makes of a person, under SCIM's names: values, objects of values, and lists.
indirect enum MappedAttribute: Sendable {
    case value(MappedValue)
    case object([(name: String, attribute: MappedAttribute)])
    case list([MappedAttribute])

    /// nil where the payload says nothing of it, null where it says that there is nothing, which takes away what was
    /// known (RFC 7396). An object or element of constants alone is nothing: what it describes is not there.
    func made(of part: PayloadPart) throws(MappingError) -> JSON? {
        switch self {
        case .value(let value): return try value.value(in: part)
        case .object(let members): return try Self.object(members, of: part)
        case .list(let elements):
            var made: [JSON] = []
            var isSaid = false
            for element in elements {
                let value = try element.made(of: part)
                isSaid = isSaid || value != nil
                if let value = value.flatMap(element.substance(of:)) { made.append(value) }
            }
            return made.isEmpty ? (isSaid ? .null : nil) : .array(made)
        }
    }

    /// An element of a list without its nulls; nil where nothing is left but constants, which describe nothing.
    private func substance(of value: JSON) -> JSON? {
        guard case .object(let members) = self, let object = value.object else { return value.isNull ? nil : value }
        var kept = JSON.Object()
        var isSaid = false
        for (name, attribute) in members {
            guard let value = object[name], !value.isNull else { continue }
            kept[name] = value
            isSaid = isSaid || !attribute.isConstant
        }
        return isSaid ? .object(kept) : nil
    }

    /// The members that the payload says something of.
    static func object(
        _ members: [(name: String, attribute: MappedAttribute)],
        of part: PayloadPart
    ) throws(MappingError) -> JSON? {
        var object = JSON.Object()
        var isSaid = false
        for (name, attribute) in members {
            guard let value = try attribute.made(of: part) else { continue }
            object[name] = value
            isSaid = isSaid || !attribute.isConstant
        }
        return isSaid ? .object(object) : nil
    }

    /// Where a member of a person is taken from, to be named in a refusal.
    func place(_ names: some Sequence<String>) -> PayloadPointer? {
        var here = self
        for name in names {
            guard case .object(let members) = here, let next = members.first(where: { $0.name == name }) else {
                break
            }
            here = next.attribute
        }
        guard case .value(let value) = here else { return nil }
        return value.pointers.first
    }

    private var isConstant: Bool {
        if case .value(let value) = self { value.constant != nil } else { false }
    }
}
