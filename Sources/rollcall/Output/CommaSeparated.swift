import Transparency

/// RFC 4180, safe to open in a spreadsheet.
enum CommaSeparated {
    static func text(_ items: [JSON], columns: [Column], withHeadings: Bool) -> String {
        var rows = items.map { item in columns.map { $0.value(in: item).map(field) ?? "" } }
        if withHeadings {
            rows.insert(columns.map { quoted($0.heading.lowercased().replacing(" ", with: "_")) }, at: 0)
        }
        return rows.map { $0.joined(separator: ",") + "\r\n" }.joined()
    }

    private static func field(_ value: JSON) -> String {
        switch value {
        case .number(let number): number.literal
        case .bool(let value): value ? "true" : "false"
        default: quoted(disarmed(value.cell))
        }
    }

    /// A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection). Numbers
    /// are numbers and stay as they are.
    private static func disarmed(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, formulaStarts.contains(first) else { return text }
        return "'" + text
    }

    private static let formulaStarts: Set<Unicode.Scalar> = [
        "=", "+", "-", "@", "\t", "\r", "\n", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}",
    ]

    private static func quoted(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { ",\"\r\n'".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
