import ArgumentParser
import SystemPackage
import Transparency

/// How data is printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    /// Aligned columns for a human.
    case table
    /// One JSON value, indented, with every field.
    case json
    /// One JSON value a line, with every field.
    case jsonl
    /// RFC 4180, with the columns of the table.
    case csv
}

struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How to print: table, json, jsonl or csv.")
    var output: OutputFormat = .table

    var writer: Output { Output(format: output) }
}

/// The only writer to stdout. What is not data goes to stderr by `note`.
struct Output: Sendable {
    /// Whoever read stdout is gone. That is no failure: nobody wants more.
    struct ReaderGone: Error {}

    static let standard = Output(format: .table)

    let format: OutputFormat

    /// A list. An empty one prints the headings of a table or a CSV file, an empty array, or nothing.
    func write(_ items: [JSON], columns: [Column]) throws {
        switch format {
        case .table: try write(text: Table(items, columns: columns).text)
        case .json: try write(text: PrettyJSON.text(.array(items)) + "\n")
        case .jsonl: try write(text: items.map { $0.text + "\n" }.joined())
        case .csv: try write(text: CommaSeparated.text(items, columns: columns, withHeadings: true))
        }
    }

    /// A further page of a list that is printed as it arrives; only for formats in which that can be.
    func append(_ items: [JSON], columns: [Column], isFirst: Bool) throws {
        switch format {
        case .jsonl: try write(items, columns: columns)
        case .csv: try write(text: CommaSeparated.text(items, columns: columns, withHeadings: isFirst))
        case .table, .json: preconditionFailure("a table and an array are printed whole")
        }
    }

    var canAppend: Bool { format == .jsonl || format == .csv }

    /// One thing: in a table one line per field.
    func write(_ item: JSON, columns: [Column]) throws {
        switch format {
        case .table: try write(text: Table(fieldsOf: item).text)
        case .json: try write(text: PrettyJSON.text(item) + "\n")
        case .jsonl: try write(text: item.text + "\n")
        case .csv: try write(text: CommaSeparated.text([item], columns: columns, withHeadings: true))
        }
    }

    /// Text as it is.
    func write(text: String) throws {
        do {
            try FileDescriptor.standardOutput.writeAll(text.utf8)
        } catch Errno.brokenPipe {
            throw ReaderGone()
        }
    }

    /// For humans, about what happens.
    static func note(_ text: String) {
        // With stderr closed there is nowhere left to complain.
        _ = try? FileDescriptor.standardError.writeAll((text + "\n").utf8)
    }
}
