import CLibpq

/// What one statement returned.
package struct PostgresRows: RandomAccessCollection, Sendable {
    /// Rows that the statement inserted, changed, deleted or returned.
    package let affected: Int
    private let result: ResultHandle
    private let columns: [String]

    init(_ result: ResultHandle) {
        self.result = result
        affected = result.affected
        columns = result.columnNames
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { result.rowCount }

    package subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row out of range")
        return PostgresRow(result: result, columns: columns, index: position)
    }
}

/// One row. Values are read by column name; every refusal names table, column and row.
package struct PostgresRow: Sendable {
    private let result: ResultHandle
    private let columns: [String]
    private let index: Int

    init(result: ResultHandle, columns: [String], index: Int) {
        self.result = result
        self.columns = columns
        self.index = index
    }

    /// The value of `column` (the first of that name).
    package func decode<Value: PostgresDecodable>(
        _ column: String,
        as: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let position = columns.firstIndex(of: column) else {
            throw .decoding(PostgresDecodingError(table: nil, column: column, row: index + 1, failure: nil))
        }
        return try decode(at: position)
    }

    /// The value of the column at `position`, from 0.
    package func decode<Value: PostgresDecodable>(
        at position: Int,
        as: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard columns.indices.contains(position) else {
            let column = "column \(position + 1)"
            throw .decoding(PostgresDecodingError(table: nil, column: column, row: index + 1, failure: nil))
        }
        do throws(PostgresDecodingFailure) {
            return try Value(postgres: result.cell(row: index, column: position))
        } catch {
            throw refusal(of: columns[position], because: error)
        }
    }

    /// The error for a value that was read but makes no sense to its reader, with the same place in it.
    package func refusal(of column: String, because failure: PostgresDecodingFailure) -> PostgresError {
        let table = columns.firstIndex(of: column).flatMap { result.tableName(column: $0) }
        return .decoding(PostgresDecodingError(table: table, column: column, row: index + 1, failure: failure))
    }
}
