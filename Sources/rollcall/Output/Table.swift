import Transparency

/// Columns that line up in a terminal.
struct Table {
    let text: String

    /// A list: one line per item under the headings.
    init(_ items: [JSON], columns: [Column]) {
        self.init(
            rows: [columns.map(\.heading)]
                + items.map { item in columns.map { $0.value(in: item)?.cell ?? "-" } }
        )
    }

    /// One thing: one line per field.
    init(fieldsOf item: JSON) {
        let members = item.object?.members ?? [(key: "value", value: item)]
        self.init(rows: members.map { [$0.key, $0.value.isNull ? "-" : $0.value.cell] })
    }

    init(rows: [[String]]) {
        let rows = rows.map { row in row.map { $0.isEmpty ? "-" : TerminalText.safe($0) } }
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], TerminalText.width(cell))
            }
        }
        text = rows.map { row in
            let line = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - TerminalText.width(cell))
            }.joined(separator: "  ")
            return line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)] + "\n"
        }.joined()
    }
}
