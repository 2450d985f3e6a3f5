/// One field of an RFC 4180 file that is safe to open in a spreadsheet.
package enum SpreadsheetText {
    /// The text as a field: quoted where it has to be, and never run as a formula. Numbers that are numbers need neither.
    package static func field(_ text: String) -> String { quoted(disarmed(text)) }

    /// A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection).
    private static func disarmed(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, formulaStarts.contains(first) else { return text }
        return "'" + text
    }

    /// The signs by which spreadsheets know a formula, their full-width forms too, and what some strip before they look.
    private static let formulaStarts: Set<Unicode.Scalar> = [
        "=", "+", "-", "@", "\t", "\r", "\n", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}",
    ]

    private static func quoted(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { ",\"\r\n'".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}

extension FieldValues {
    /// A line of the CSV, its end included. What does not apply is an empty field.
    var csv: String {
        let fields = EntryField.all.map { field in
            guard let value = value(of: field) else { return "" }
            let text = Self.plain(value, field.form)
            return field.form == .integer ? text : SpreadsheetText.field(text)
        }
        return fields.joined(separator: ",") + "\r\n"
    }
}
