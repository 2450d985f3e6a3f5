import Transparency

extension FieldValues {
    /// A CloudEvents 1.0 event in structured mode. `data` is the leaf; `sequence` is the index in digits that sort as
    /// texts, `leafhash` the leaf's hash.
    func cloudEvent(origin: String) throws(ExportError) -> JSON {
        var event: JSON.Object = [
            "specversion": "1.0",
            "id": members["id"] ?? .null,
            // The origin names a log and has no scheme: with the slashes it is a URI reference.
            "source": .string("//" + origin),
            "type": .string("rollcall.audit." + (text("/action") ?? "")),
        ]
        event["subject"] = members["target"]?["id"]
        event["time"] = members["recorded_at"]
        event["datacontenttype"] = "application/json"
        let digits = String(entry.index)
        event["sequence"] = .string(
            String(repeating: "0", count: max(0, Self.sequenceDigits - digits.utf8.count)) + digits
        )
        event["leafhash"] = .string(entry.hash)
        event["data"] = .object(members)
        return .object(event)
    }

    /// Digits of the largest index.
    private static let sequenceDigits = 19
}
