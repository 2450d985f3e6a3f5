import Transparency

/// JSON for human eyes: two spaces a level, members in the order in which the server sent them.
enum PrettyJSON {
    static func text(_ value: JSON, indent: String = "") -> String {
        let deeper = indent + "  "
        switch value {
        case .array(let elements) where !elements.isEmpty:
            let lines = elements.map { deeper + text($0, indent: deeper) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let object) where !object.isEmpty:
            let lines = object.members.map { deeper + JSON.string($0.key).text + ": " + text($0.value, indent: deeper) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        default:
            return value.text
        }
    }
}
