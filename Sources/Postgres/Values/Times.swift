package import FoundationEssentials

/// An instant as the server keeps it: microseconds since the Unix epoch, in a `timestamptz`.
package struct PostgresTimestamp: Hashable, Sendable, Comparable {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// 2000-01-01, from where the server counts.
    fileprivate static let serverEpoch: Int64 = 946_684_800_000_000
}

extension PostgresTimestamp: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .timestamptz }

    package func encode(into writer: inout PostgresBinaryWriter) {
        writer.write(microseconds &- Self.serverEpoch)
    }

    /// Refuses the server's infinities.
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        try cell.require(.timestamptz, .timestamp, size: 8, expected: "timestamptz")
        let value = try cell.integer(as: Int64.self)
        guard value != .max, value != .min else { throw .malformed("infinity") }
        microseconds = value &+ Self.serverEpoch
    }
}

/// A calendar day without a zone: days since 1970-01-01, in a `date`.
package struct PostgresDate: Hashable, Sendable, Comparable {
    package let days: Int

    package init(days: Int) { self.days = days }

    package static func < (left: Self, right: Self) -> Bool { left.days < right.days }

    fileprivate static let serverEpoch = 10957
}

extension PostgresDate: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .date }

    package func encode(into writer: inout PostgresBinaryWriter) {
        writer.write(Int32(clamping: days - Self.serverEpoch))
    }

    /// Refuses the server's infinities.
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        try cell.require(.date, size: 4, expected: "date")
        let value = try cell.integer(as: Int32.self)
        guard value != .max, value != .min else { throw .malformed("infinity") }
        days = Int(value) + Self.serverEpoch
    }
}

extension Date: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .timestamptz }

    /// Rounded to the microsecond, and to the server's ends for a date beyond them.
    package func encode(into writer: inout PostgresBinaryWriter) {
        let microseconds = (timeIntervalSince1970 * 1_000_000).rounded()
        PostgresTimestamp(microseconds: Int64(exactly: microseconds) ?? (microseconds < 0 ? .min : .max))
            .encode(into: &writer)
    }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        let timestamp = try PostgresTimestamp(postgres: cell)
        self.init(timeIntervalSince1970: Double(timestamp.microseconds) / 1_000_000)
    }
}

extension UUID: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .uuid }

    package func encode(into writer: inout PostgresBinaryWriter) {
        let u = uuid
        writer.write(
            bytes: [
                u.0, u.1, u.2, u.3, u.4, u.5, u.6, u.7, u.8, u.9, u.10, u.11, u.12, u.13, u.14, u.15,
            ] as [UInt8]
        )
    }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        try cell.require(.uuid, size: 16, expected: "uuid")
        let b = try cell.bytes()
        self.init(
            uuid: (
                b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]
            )
        )
    }
}

/// JSON text on its way to or from a `jsonb` (or `json`) column. The text is not checked here; the server does.
package struct PostgresJSON: Hashable, Sendable {
    package let text: String

    package init(text: String) { self.text = text }
}

extension PostgresJSON: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .jsonb }

    /// The format's version byte comes first.
    package func encode(into writer: inout PostgresBinaryWriter) {
        writer.write(UInt8(1))
        writer.write(bytes: text.utf8)
    }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        if cell.type == .json {
            text = try cell.string()
            return
        }
        try cell.require(.jsonb, expected: "jsonb")
        guard try cell.integer(as: UInt8.self) == 1 else { throw .malformed("jsonb of an unknown version") }
        text = try cell.string(from: 1)
    }
}
