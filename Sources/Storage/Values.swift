// Domain's values as PostgreSQL's.

package import Domain
import Foundation
package import Postgres
import Transparency

extension ID: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .uuid }

    package func encode(into writer: inout PostgresBinaryWriter) {
        writer.write(high)
        writer.write(low)
    }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        try cell.require(.uuid, size: 16, expected: "\(Kind.prefix) id")
        self.init(high: try cell.integer(at: 0), low: try cell.integer(at: 8))
    }

    /// Before and behind every id: where a list begins.
    static var lowest: ID { ID(high: 0, low: 0) }
    static var highest: ID { ID(high: .max, low: .max) }

    /// The id as PostgreSQL prints a uuid, for set_config.
    var uuidText: String {
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-")
    }
}

extension IDBits: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { .uuid }

    package func encode(into writer: inout PostgresBinaryWriter) {
        writer.write(high)
        writer.write(low)
    }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        try cell.require(.uuid, size: 16, expected: "id")
        self.init(high: try cell.integer(at: 0), low: try cell.integer(at: 8))
    }
}

extension Timestamp: PostgresEncodable, PostgresDecodable {
    package static var postgresType: PostgresType { PostgresTimestamp.postgresType }

    package func encode(into writer: inout PostgresBinaryWriter) {
        PostgresTimestamp(microseconds: microseconds).encode(into: &writer)
    }

    package init(postgres cell: PostgresCell) throws(PostgresDecodingFailure) {
        self.init(microseconds: try PostgresTimestamp(postgres: cell).microseconds)
    }
}

extension PostgresJSON {
    init(_ json: JSON) { self.init(text: json.text) }

    init(_ object: JSON.Object) { self.init(.object(object)) }
}

extension PostgresRow {
    /// A column that holds the text of a Domain value. Another text is an impossible row, told by table and column.
    func parse<Value: LosslessStringConvertible>(_ column: String, as: Value.Type = Value.self) throws -> Value {
        let text = try decode(column, as: String.self)
        guard let value = Value(text) else { throw refusal(of: column, because: .malformed("not a \(Value.self)")) }
        return value
    }

    func parseIfPresent<Value: LosslessStringConvertible>(
        _ column: String,
        as: Value.Type = Value.self
    ) throws -> Value? {
        guard let text = try decode(column, as: String?.self) else { return nil }
        guard let value = Value(text) else { throw refusal(of: column, because: .malformed("not a \(Value.self)")) }
        return value
    }

    func word<Value: RawRepresentable<String>>(_ column: String, as: Value.Type = Value.self) throws -> Value {
        guard let value = Value(rawValue: try decode(column, as: String.self)) else {
            throw refusal(of: column, because: .malformed("not a \(Value.self)"))
        }
        return value
    }

    func scopes(_ column: String) throws -> ScopeSet {
        ScopeSet(
            try decode(column, as: [String].self).map { name in
                guard let scope = Scope(name) else { throw refusal(of: column, because: .malformed("not a scope")) }
                return scope
            }
        )
    }

    func networks(_ column: String) throws -> [NetworkRange]? {
        try decode(column, as: [String]?.self)?.map { try NetworkRange($0) }
    }

    func json(_ column: String) throws -> JSON {
        // What was checked on its way in; jsonb may print a number longer than it was written.
        try JSON.parse(Array(try decode(column, as: PostgresJSON.self).text.utf8), limits: Self.stored)
    }

    private static var stored: JSON.Limits { JSON.Limits(bytes: 64 << 20, depth: 512, numberBytes: 1 << 18) }

    func jsonObject(_ column: String) throws -> JSON.Object {
        guard let object = try json(column).object else {
            throw refusal(of: column, because: .malformed("not an object"))
        }
        return object
    }
}

/// Lists in one value of an unnested array, which PostgreSQL would otherwise flatten.
enum Lists {
    static func text(_ scopes: ScopeSet) -> String { scopes.joined }

    static func text(_ ranges: [NetworkRange]?) -> String? { ranges?.map(\.description).joined(separator: " ") }
}
