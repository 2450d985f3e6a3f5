import Transparency

/// A payload as its sender writes it, with places to fill in: for trying a source without its sender. Its shape is the
/// documented one; it was captured from nobody.
package struct MappingSample: Sendable {
    /// The kind of event that it makes, or what else it is.
    package let name: String
    private let payload: JSON

    /// What can be filled in. A text of the payload that is `$` and one of these names is such a place.
    package enum Place: String, CaseIterable, Sendable {
        /// Another for each payload.
        case id
        /// An instant, RFC 3339.
        case now
        /// A date.
        case today
        case externalID = "external_id"
        case userName = "user_name"
        case givenName = "given_name"
        case familyName = "family_name"
        case email, title, department
    }

    /// Refuses a text with a place that nobody knows.
    init(_ element: ProfileElement, name: String) throws(SigningProfileError) {
        self.name = name
        do {
            payload = try JSON.parse(text: try element.text())
        } catch let error as SigningProfileError {
            throw error
        } catch {
            throw element.error("is no JSON: \(error)")
        }
        if let unknown = Self.texts(payload).first(where: { $0.hasPrefix("$") && Self.place($0) == nil }) {
            throw element.error("has \(unknown), which is no place that can be filled in")
        }
    }

    /// The payload's bytes. A place without a value stays empty.
    package func filled(with values: [Place: String]) -> [UInt8] {
        Self.fill(payload, values).bytes
    }

    private static func place(_ text: String) -> Place? {
        text.hasPrefix("$") ? Place(rawValue: String(text.dropFirst())) : nil
    }

    private static func fill(_ value: JSON, _ values: [Place: String]) -> JSON {
        if let text = value.string {
            return place(text).map { .string(values[$0] ?? "") } ?? value
        }
        if let array = value.array { return .array(array.map { fill($0, values) }) }
        guard var object = value.object else { return value }
        for (name, member) in object.members { object[name] = fill(member, values) }
        return .object(object)
    }

    private static func texts(_ value: JSON) -> [String] {
        if let text = value.string { return [text] }
        return (value.array ?? value.object?.members.map(\.value) ?? []).flatMap(texts)
    }
}
