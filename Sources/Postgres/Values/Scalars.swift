extension Bool: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .bool }

    package func encode(into writer: inout PostgresBinaryWriter) { writer.write(UInt8(self ? 1 : 0)) }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        try cell.require(.bool, size: 1, expected: "boolean")
        self = try cell.integer(as: UInt8.self) != 0
    }
}

extension PostgresDecodable where Self: FixedWidthInteger {
    /// Every integer type of the server is accepted as long as the value fits.
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        if cell.isNull { throw .null }
        let wide: Int64
        switch cell.type {
        case .int2: wide = Int64(try cell.integer(as: Int16.self))
        case .int4: wide = Int64(try cell.integer(as: Int32.self))
        case .int8, .lsn, .xid8: wide = try cell.integer(as: Int64.self)
        case .oid: wide = Int64(try cell.integer(as: UInt32.self))
        default: throw .type(found: cell.type, expected: "an integer")
        }
        guard let value = Self(exactly: wide) else { throw .malformed("\(wide) does not fit \(Self.self)") }
        self = value
    }
}

extension PostgresEncodable where Self: FixedWidthInteger {
    package func encode(into writer: inout PostgresBinaryWriter) { writer.write(self) }
}

extension Int16: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .int2 }
}

extension Int32: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .int4 }
}

extension Int64: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .int8 }
}

extension Int: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .int8 }
}

/// One byte alone is a smallint; an array of bytes is a bytea.
extension UInt8: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .int2 }
    package static var postgresArrayType: PostgresType { .bytea }

    package func encode(into writer: inout PostgresBinaryWriter) { writer.write(Int16(self)) }

    package static func encode(array: [UInt8], into writer: inout PostgresBinaryWriter) { writer.write(bytes: array) }

    package static func decode(arrayFrom cell: PostgresCell) throws(PostgresDecodingFailure) -> [UInt8] {
        try cell.require(.bytea, expected: "bytea")
        return try cell.bytes()
    }
}

extension Double: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .float8 }

    package func encode(into writer: inout PostgresBinaryWriter) { writer.write(bitPattern) }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        if cell.type == .float4 {
            self = Double(Float(bitPattern: try cell.integer(as: UInt32.self)))
            return
        }
        try cell.require(.float8, size: 8, expected: "double precision")
        self = Double(bitPattern: try cell.integer(as: UInt64.self))
    }
}

extension String: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .text }

    package func encode(into writer: inout PostgresBinaryWriter) { writer.bytes.append(contentsOf: utf8) }

    /// Text types, and types that the database made for itself (enums and citext travel as text).
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        if cell.isNull { throw .null }
        switch cell.type {
        case .text, .varchar, .bpchar, .name, .json, .unknown, .char: break
        case _ where cell.type.oid >= PostgresType.firstUserOID: break
        default: throw .type(found: cell.type, expected: "text")
        }
        self = try cell.string()
    }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package static var postgresType: PostgresType { Wrapped.postgresType }

    package func encode(into writer: inout PostgresBinaryWriter) {
        switch self {
        case .some(let value): value.encode(into: &writer)
        case .none: writer.writeNull()
        }
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        self = cell.isNull ? nil : .some(try Wrapped(postgres: cell))
    }
}

extension Array: PostgresEncodable where Element: PostgresEncodable {
    package static var postgresType: PostgresType { Element.postgresArrayType }

    package func encode(into writer: inout PostgresBinaryWriter) { Element.encode(array: self, into: &writer) }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        self = try Element.decode(arrayFrom: cell)
    }
}
