import Evidence
import Transparency

/// RFC 4180, safe to open in a spreadsheet.
enum CommaSeparated {
    static func text(_ items: [JSON], columns: [Column], withHeadings: Bool) -> String {
        var rows = items.map { item in columns.map { $0.value(in: item).map(field) ?? "" } }
        if withHeadings {
            rows.insert(
                columns.map { SpreadsheetText.field($0.heading.lowercased().replacing(" ", with: "_")) },
                at: 0
            )
        }
        return rows.map { $0.joined(separator: ",") + "\r\n" }.joined()
    }

    private static func field(_ value: JSON) -> String {
        switch value {
        case .number(let number): number.literal
        case .bool(let value): value ? "true" : "false"
        default: SpreadsheetText.field(value.cell)
        }
    }
}
