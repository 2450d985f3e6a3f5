import CLibpq

/// One PGresult, cleared when nobody holds it any more.
///
/// `@unchecked Sendable`: libpq never changes a PGresult after PQgetResult has returned it, and the functions used on it
/// here only read (libpq, "Behavior in Threaded Programs": results are read-only after creation). PQclear runs once, in
/// `deinit`, when no other reference exists.
@safe
final class ResultHandle: @unchecked Sendable {
    private let result: OpaquePointer
    let status: ExecStatusType
    let rowCount: Int
    let columnCount: Int
    private let tableNames: TableNames

    init(_ result: OpaquePointer, tableNames: TableNames) {
        unsafe self.result = unsafe result
        status = unsafe PQresultStatus(result)
        rowCount = Int(unsafe PQntuples(result))
        columnCount = Int(unsafe PQnfields(result))
        self.tableNames = tableNames
    }

    deinit {
        unsafe PQclear(result)
    }

    var columnNames: [String] {
        (0..<columnCount).map { column in
            guard let name = unsafe PQfname(result, Int32(column)) else { return "" }
            return unsafe String(cString: name)
        }
    }

    /// What the statement did: `COMMIT`, `INSERT 0 1`.
    var commandTag: String { unsafe String(cString: PQcmdStatus(result)) }

    var affected: Int { Int(unsafe String(cString: PQcmdTuples(result))) ?? 0 }

    func tableOID(column: Int) -> UInt32 { unsafe PQftable(result, Int32(column)) }

    func tableName(column: Int) -> String? {
        let oid = tableOID(column: column)
        return oid == 0 ? nil : tableNames[oid] ?? "table \(oid)"
    }

    /// Both indices must be in range.
    func cell(row: Int, column: Int) -> PostgresCell {
        let (row, column) = (Int32(row), Int32(column))
        let type = PostgresType(oid: unsafe PQftype(result, column))
        if unsafe PQgetisnull(result, row, column) != 0 {
            return unsafe PostgresCell(owner: self, base: nil, count: 0, type: type)
        }
        let base = unsafe UnsafeRawPointer(PQgetvalue(result, row, column))
        return unsafe PostgresCell(
            owner: self,
            base: base,
            count: Int(PQgetlength(result, row, column)),
            type: type
        )
    }

    /// The error that the server reported; only for a result that is one.
    var failure: PostgresError {
        func field(_ code: UInt8) -> String? {
            guard let text = unsafe PQresultErrorField(result, Int32(code)) else { return nil }
            return unsafe String(cString: text)
        }
        guard let state = field(UInt8(ascii: "C")) else {
            let message = unsafe String(cString: PQresultErrorMessage(result))
            return .connectionLost(.init(message: message.trimmed, outcomeUnknown: true))
        }
        return .server(
            .init(
                sqlState: SQLState(rawValue: state),
                message: field(UInt8(ascii: "M")) ?? "",
                detail: field(UInt8(ascii: "D")),
                hint: field(UInt8(ascii: "H")),
                schema: field(UInt8(ascii: "s")),
                table: field(UInt8(ascii: "t")),
                column: field(UInt8(ascii: "c")),
                constraint: field(UInt8(ascii: "n"))
            )
        )
    }
}

extension String {
    /// libpq ends its messages with a line feed.
    var trimmed: String {
        var text = Substring(self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
