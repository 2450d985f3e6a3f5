import HTTPTypes
import Transparency

/// The OpenAPI document as answers are held against it: the part of JSON Schema 2020-12 that it uses, and nothing that it
/// uses is skipped.
struct APIDocument: Sendable {
    let json: JSON

    init(_ json: JSON) { self.json = json }

    /// What an answer has that the document does not say.
    func faults(of answer: TestAPI.Answer, method: HTTPRequest.Method, path: String) -> [String] {
        guard let operation = operation(method, String(path.prefix { $0 != "?" })) else {
            return [404, 405].contains(answer.status) ? [] : ["not in the document"]
        }
        guard var response = operation["responses"]?[String(answer.status)] else {
            return ["answers \(answer.status), which the document does not name"]
        }
        if let pointer = response["$ref"]?.string { response = json[pointer: String(pointer.dropFirst())] ?? .null }
        let content = response["content"]?.object?.members.first?.value["schema"]
        guard let schema = content else {
            return answer.body.isNull ? [] : ["has a body that the document does not name"]
        }
        return faults(of: answer.body, by: schema, at: "")
    }

    func operation(_ method: HTTPRequest.Method, _ path: String) -> JSON? {
        let segments = path.split(separator: "/")
        let found = json["paths"]?.object?.members.first { template, _ in
            let wanted = template.split(separator: "/")
            return wanted.count == segments.count
                && zip(wanted, segments).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
        return found?.value[method.rawValue.lowercased()]
    }

    private static let understood: Set<String> = [
        "$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf", "pattern",
        "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "format", "description", "examples",
        "contentEncoding",
    ]

    func faults(of value: JSON, by schema: JSON, at pointer: String) -> [String] {
        guard let rules = schema.object else { return ["\(pointer): the schema is no object"] }
        let unknown = rules.keys.filter { !Self.understood.contains($0) }
        guard unknown.isEmpty else { return ["\(pointer): the schema uses \(unknown)"] }
        if let reference = rules["$ref"]?.string {
            guard let target = json[pointer: String(reference.dropFirst())] else { return ["no \(reference)"] }
            return faults(of: value, by: target, at: pointer)
        }
        var faults: [String] = []
        if let choices = rules["anyOf"]?.array,
            !choices.contains(where: { self.faults(of: value, by: $0, at: pointer).isEmpty })
        {
            faults.append("\(pointer): fits none of anyOf")
        }
        if let type = rules["type"], !(type.array ?? [type]).contains(.string(Self.type(of: value))) {
            faults.append("\(pointer): is \(Self.type(of: value)), not \(type.text)")
        }
        if let words = rules["enum"]?.array, !words.contains(value) { faults.append("\(pointer): not of enum") }
        if let word = rules["const"], word != value { faults.append("\(pointer): not the constant") }
        if let text = value.string { faults += self.faults(ofText: text, by: rules, at: pointer) }
        if let number = value.double {
            if let least = rules["minimum"]?.double, number < least { faults.append("\(pointer): too small") }
            if let most = rules["maximum"]?.double, number > most { faults.append("\(pointer): too large") }
        }
        if let array = value.array {
            if array.count < Int(rules["minItems"]?.int64 ?? 0) { faults.append("\(pointer): too few") }
            if let most = rules["maxItems"]?.int64, array.count > Int(most) { faults.append("\(pointer): too many") }
            if let items = rules["items"] {
                for (place, item) in array.enumerated() {
                    faults += self.faults(of: item, by: items, at: "\(pointer)/\(place)")
                }
            }
        }
        if let object = value.object { faults += self.faults(of: object, by: rules, at: pointer) }
        return faults
    }

    private func faults(ofText text: String, by rules: JSON.Object, at pointer: String) -> [String] {
        var faults: [String] = []
        if let pattern = rules["pattern"]?.string, (try? Regex(pattern).wholeMatch(in: text)) == nil {
            faults.append("\(pointer): does not match \(pattern)")
        }
        let length = text.unicodeScalars.count
        if let least = rules["minLength"]?.int64, length < Int(least) { faults.append("\(pointer): too short") }
        if let most = rules["maxLength"]?.int64, length > Int(most) { faults.append("\(pointer): too long") }
        return faults
    }

    private func faults(of object: JSON.Object, by rules: JSON.Object, at pointer: String) -> [String] {
        var faults: [String] = []
        let properties = rules["properties"]?.object
        for name in (rules["required"]?.array ?? []).compactMap(\.string) where object[name] == nil {
            faults.append("\(pointer)/\(name): missing")
        }
        for (name, value) in object.members {
            if let schema = properties?[name] {
                faults += self.faults(of: value, by: schema, at: "\(pointer)/\(name)")
            } else if rules["additionalProperties"] == false {
                faults.append("\(pointer)/\(name): not in the document")
            }
        }
        return faults
    }

    private static func type(of value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .number: value.int64 == nil ? "number" : "integer"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
