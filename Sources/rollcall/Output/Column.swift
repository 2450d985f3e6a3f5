import Transparency

/// A heading, and where in an item its value stands.
struct Column: Sendable {
    let heading: String
    let pointers: [String]

    /// The first of the RFC 6901 pointers (without their leading slash) that leads to a value that is not null is shown.
    init(_ heading: String, _ pointers: String...) {
        self.heading = heading
        self.pointers = pointers
    }

    func value(in item: JSON) -> JSON? {
        for pointer in pointers {
            if let value = item[pointer: "/" + pointer], !value.isNull { return value }
        }
        return nil
    }
}

extension JSON {
    /// The value on one line for a human. Things are shown by what one calls them.
    var cell: String {
        switch self {
        case .null: ""
        case .bool(let value): value ? "yes" : "no"
        case .number(let number): number.literal
        case .string(let text): text
        case .array(let elements): elements.map(\.cell).joined(separator: ", ")
        case .object(let object):
            Self.names.lazy.compactMap { object[$0]?.string }.first ?? object.personalName
                ?? object.placedReason ?? text
        }
    }

    private static let names = ["username", "slug", "name", "display_name", "code", "id", "value"]
}

extension JSON.Object {
    /// A SCIM `name` as one says it.
    fileprivate var personalName: String? {
        let parts = [self["givenName"]?.string, self["familyName"]?.string].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: " ")
    }

    /// What is wrong, and where.
    fileprivate var placedReason: String? {
        guard let pointer = self["pointer"]?.string, let reason = self["reason"]?.string else { return nil }
        return (pointer.isEmpty ? "the body" : pointer) + " " + reason
    }
}
