/// A value that can be read from a row, in the server's binary format.
package protocol PostgresDecodable {
    /// Refuses null, types it does not know and bytes that do not fit; it never converts with loss.
    init(postgres cell: PostgresCell) throws(PostgresDecodingFailure)

    /// Reads `[Self]` from one value.
    static func decode(arrayFrom cell: PostgresCell) throws(PostgresDecodingFailure) -> [Self]
}

extension PostgresDecodable {
    package static func decode(arrayFrom cell: PostgresCell) throws(PostgresDecodingFailure) -> [Self] {
        var result: [Self] = []
        for element in try cell.elements() {
            result.append(try Self(postgres: element))
        }
        return result
    }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        let raw = try RawValue(postgres: cell)
        guard let value = Self(rawValue: raw) else {
            throw .malformed("not a value of \(Self.self)")
        }
        self = value
    }
}

/// Why a value could not be read; `PostgresRow` adds where it stood.
package enum PostgresDecodingFailure: Error, Hashable, Sendable {
    case null
    case type(found: PostgresType, expected: String)
    /// The reason, never the value itself.
    case malformed(String)
}

extension PostgresDecodingFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .null: "is null"
        case .type(let found, let expected): "is \(found), not \(expected)"
        case .malformed(let reason): "is malformed: \(reason)"
        }
    }
}
