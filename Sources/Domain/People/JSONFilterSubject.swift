package import Filter
package import Transparency

/// A SCIM resource in JSON as filters see it.
///
/// Names are compared without regard to case. An attribute of an extension may be named without its URN as long as
/// neither the core nor another extension of this resource has one of that name.
package struct JSONFilterSubject: FilterSubject {
    private let object: JSON.Object

    package init(_ object: JSON.Object) {
        self.object = object
    }

    package func values(at path: AttributePath) -> [FilterOperand] {
        let found: [JSON]
        if let whole = member(path.description, of: object) {
            found = [whole]
        } else if let schema = path.uri {
            found = [member(schema, of: object)?.object].compactMap { $0.flatMap { member(path.attribute, of: $0) } }
        } else if let own = member(path.attribute, of: object) {
            found = [own]
        } else {
            let extended = object.members.filter { $0.key.hasPrefix("urn:") }
                .compactMap { $0.value.object.flatMap { member(path.attribute, of: $0) } }
            found = extended.count == 1 ? extended : []
        }
        let values = found.flatMap(Self.flattened)
        guard let sub = path.subAttribute else { return values.compactMap(Self.operand) }
        return values.compactMap { $0.object.flatMap { member(sub, of: $0) } }.flatMap(Self.flattened)
            .compactMap(Self.operand)
    }

    private func member(_ name: String, of object: JSON.Object) -> JSON? {
        object[name] ?? object.members.first { AttributePath.sameName($0.key, name) }?.value
    }

    private static func flattened(_ value: JSON) -> [JSON] { value.array ?? [value] }

    private static func operand(_ value: JSON) -> FilterOperand? {
        switch value {
        case .null: nil
        case .bool(let bool): .bool(bool)
        case .number(let number): number.double.map(FilterOperand.number)
        case .string(let text): .string(text)
        case .object(let object): object.isEmpty ? nil : .complex(JSONFilterSubject(object))
        case .array: nil  // SCIM has no arrays of arrays (RFC 7643 2.4).
        }
    }
}

/// For whom an integration gets a user: a filter over the canonical person.
package struct IntegrationRule: Sendable, Hashable, LosslessStringConvertible {
    package let filter: Filter
    package let description: String

    /// Keeps the text as it was written.
    package init(parsing text: String) throws(FilterError) {
        filter = try Filter(text)
        description = text
    }

    package init?(_ description: String) {
        do { try self.init(parsing: description) } catch { return nil }
    }

    /// Whether the integration has a user for that person. An attribute that the person lacks matches nothing.
    package func matches(_ person: CanonicalPerson) -> Bool {
        filter.matches(JSONFilterSubject(person.attributes), caseExact: Self.isCaseExact)
    }

    /// RFC 7643: ids are case exact, everything else that rules ask is not.
    private static func isCaseExact(_ path: AttributePath) -> Bool {
        ["externalid", "id"].contains(path.attribute.lowercased()) && path.subAttribute == nil
    }
}
