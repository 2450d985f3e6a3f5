import Domain
import Filter
package import Transparency

/// A JSON Schema (2020-12, as OpenAPI 3.1 takes it) in the few forms that the API needs, with every named schema that it
/// refers to.
package struct Schema: Sendable {
    /// As it stands in place: a named schema is a reference there.
    let json: JSON.Object
    /// By name.
    let components: [String: JSON.Object]

    private init(_ json: JSON.Object, components: [String: JSON.Object] = [:]) {
        self.json = json
        self.components = components
    }

    // MARK: Values

    package static let string = Schema(["type": "string"])
    package static let someText = Schema(["type": "string", "minLength": 1])
    package static let null = Schema(["type": "null"])
    package static let boolean = Schema(["type": "boolean"])
    /// RFC 3339, UTC in answers.
    package static let time = Schema(["type": "string", "format": "date-time"])
    package static let email = Schema(["type": "string", "format": "email"])
    package static let uri = Schema(["type": "string", "format": "uri"])
    /// Any JSON object.
    package static let anyObject = Schema(["type": "object"])

    /// Text of that many characters, both bounds included.
    package static func string(length: ClosedRange<Int>) -> Schema {
        Schema(["type": "string", "minLength": .integer(length.lowerBound), "maxLength": .integer(length.upperBound)])
    }

    /// The same, all of it of one pattern.
    package static func string(length: ClosedRange<Int>, matching pattern: String) -> Schema {
        var json = string(length: length).json
        json["pattern"] = .string(pattern)
        return Schema(json)
    }

    /// A SCIM filter (RFC 7644 3.4.2.2).
    package static let filter = string(length: 1...Filter.Limits.standard.bytes)
    /// ISO 8601, as far as a lifetime is told by it.
    package static let duration = string(length: 3...32, matching: "^P[0-9YMWDTHS]+$")
    /// Of an account. Those of members come from their source.
    package static let username = string(length: 1...1024)
    package static let scopeName = string(length: 1...64, matching: "^[a-z0-9:._-]+$")
    /// Bytes in base64.
    package static func base64(mostBytes: Int) -> Schema {
        let most = (mostBytes + 2) / 3 * 4
        return Schema([
            "type": "string", "contentEncoding": "base64", "maxLength": .integer(most),
            "pattern": "^[A-Za-z0-9+/]*={0,2}$",
        ])
    }

    /// A whole number, both bounds included; without `most` it has no upper one.
    package static func integer(from least: Int = 0, to most: Int? = nil) -> Schema {
        var json: JSON.Object = ["type": "integer", "minimum": .integer(least)]
        json["maximum"] = most.map { .integer($0) }
        return Schema(json)
    }

    /// An id of the noun with that prefix.
    package static func id(_ prefix: String) -> Schema {
        Schema(["type": "string", "pattern": .string("^\(prefix)_[0-7][0-9a-hjkmnp-tv-z]{25}$")])
    }

    /// An id of whatever noun.
    package static let anyID = Schema(["type": "string", "pattern": "^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$"])

    package static let slug = Schema(["type": "string", "pattern": "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"])

    /// One of these words and no other.
    package static func word(of words: [String]) -> Schema {
        Schema(["type": "string", "enum": .array(words.map(JSON.string))])
    }

    /// This word alone.
    package static func constant(_ word: String) -> Schema { Schema(["const": .string(word)]) }

    /// Elements of one schema, both bounds included; without `most` there is no upper one.
    package static func array(of element: Schema, atLeast least: Int = 0, most: Int? = nil) -> Schema {
        var json: JSON.Object = ["type": "array", "items": .object(element.json)]
        if least > 0 { json["minItems"] = .integer(least) }
        json["maxItems"] = most.map { .integer($0) }
        return Schema(json, components: element.components)
    }

    /// Every name of scopes.
    package static let scopes = Schema.array(of: scopeName)

    /// A code of ours, or one that an API of the organization made up.
    package static let auditAction = Schema([
        "type": "string",
        "maxLength": 68,
        "pattern": .string(
            "^(?:" + ActionCode.allCases.map { $0.rawValue.replacing(".", with: "\\.") }.joined(separator: "|")
                + "|ext\\.[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*)$"
        ),
    ])

    /// What an API of the organization calls something that was done there.
    package static let externalAction = Schema([
        "type": "string", "minLength": 1, "maxLength": 68, "pattern": "^[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*$",
    ])

    // MARK: Composition

    /// One of two.
    package static func either(_ one: Schema, or other: Schema) -> Schema {
        Schema(
            ["anyOf": [.object(one.json), .object(other.json)]],
            components: one.components.merging(other.components) { first, _ in first }
        )
    }

    /// An object of exactly these members. `optional` ones may be missing; with `isOpen` there may be more.
    package static func object(
        _ required: [(String, Schema)] = [],
        optional: [(String, Schema)] = [],
        isOpen: Bool = false
    ) -> Schema {
        var properties: JSON.Object = [:]
        var components: [String: JSON.Object] = [:]
        for (name, schema) in required + optional {
            properties[name] = .object(schema.json)
            components.merge(schema.components) { first, _ in first }
        }
        var json: JSON.Object = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { json["required"] = .array(required.map { .string($0.0) }) }
        if !isOpen { json["additionalProperties"] = false }
        return Schema(json, components: components)
    }

    /// Of a text, as the schema bounds them.
    var characters: ClosedRange<Int> {
        let least = json["minLength"]?.int64.map(Int.init) ?? 0
        return least...max(least, json["maxLength"]?.int64.map(Int.init) ?? .max)
    }

    /// This, or null.
    package var orNull: Schema {
        guard let type = json["type"], type.string != nil, json["enum"] == nil else {
            return Schema(["anyOf": [.object(json), ["type": "null"]]], components: components)
        }
        var json = json
        json["type"] = .array([type, "null"])
        return Schema(json, components: components)
    }

    /// The same with a word of explanation.
    package func described(_ description: String) -> Schema {
        var json = json
        json["description"] = .string(description)
        return Schema(json, components: components)
    }

    /// The same under a name, as a reference to a component. Two schemas of one name have to be equal.
    package func named(_ name: String, example: JSON) -> Schema {
        var named = json
        named["examples"] = [example]
        return Schema(
            ["$ref": .string("#/components/schemas/\(name)")],
            components: components.merging([name: named]) { _, new in new }
        )
    }

    /// A page of such items.
    package static func page(of item: Schema) -> Schema {
        object([("items", array(of: item, most: 200)), ("next_cursor", string.orNull)])
    }
}
