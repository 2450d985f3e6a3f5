/// A statement whose values travel apart from its text.
///
/// Text comes from literals in the source and from nothing else: an interpolated value becomes `$n`, an interpolated
/// `SQL` is a part whose own values are renumbered. There is no way to turn a run-time `String` into text.
package struct SQL: Sendable, ExpressibleByStringInterpolation {
    struct Slot: Hashable, Sendable {
        /// Where `$n` stands, as an offset into `text`.
        var position: Int
        var type: UInt32
        var offset: Int
        /// `-1` for null.
        var length: Int
    }

    var text: [UInt8]
    var values: [UInt8]
    var slots: [Slot]

    package init(stringLiteral text: StaticString) {
        self.text = []
        values = []
        slots = []
        append(literal: text)
    }

    /// Called by the compiler for an interpolated literal.
    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.statement
    }

    /// For text that the target makes itself (migration files, `LISTEN`); never leaves this target.
    init(trusted text: String) {
        self.text = Array(text.utf8)
        values = []
        slots = []
    }

    /// `parts` with `separator` between each two; an empty statement for no parts.
    package static func join(_ parts: some Sequence<SQL>, separator: SQL) -> SQL {
        var result: SQL = ""
        var first = true
        for part in parts {
            if !first { result += separator }
            first = false
            result += part
        }
        return result
    }

    package static func + (left: SQL, right: SQL) -> SQL {
        var result = left
        result += right
        return result
    }

    package static func += (left: inout SQL, right: SQL) {
        let position = left.text.count
        let offset = left.values.count
        left.text.append(contentsOf: right.text)
        left.values.append(contentsOf: right.values)
        for var slot in right.slots {
            slot.position += position
            slot.offset += offset
            left.slots.append(slot)
        }
    }

    mutating func append(literal: StaticString) {
        literal.withUTF8Buffer { unsafe text.append(contentsOf: $0) }
    }

    mutating func bind<Value: PostgresEncodable>(_ value: Value) {
        var writer = PostgresBinaryWriter(bytes: values)
        values = []
        let offset = writer.bytes.count
        value.encode(into: &writer)
        let length = writer.isNull ? -1 : writer.bytes.count - offset
        values = writer.bytes
        let slot = Slot(position: text.count, type: Value.postgresType.oid, offset: offset, length: length)
        slots.append(slot)
    }

    /// The text that goes to the server, with a NUL at its end.
    func rendered() -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + slots.count * 4 + 1)
        var written = 0
        for (index, slot) in slots.enumerated() {
            result.append(contentsOf: text[written..<slot.position])
            result.append(UInt8(ascii: "$"))
            result.append(contentsOf: String(index + 1).utf8)
            written = slot.position
        }
        result.append(contentsOf: text[written...])
        result.append(0)
        return result
    }
}

extension SQL {
    /// Turns `"… \(value) …"` into text and bound values.
    package struct StringInterpolation: StringInterpolationProtocol {
        var statement: SQL

        /// Called by the compiler; both are only hints of size.
        package init(literalCapacity: Int, interpolationCount: Int) {
            statement = ""
            statement.text.reserveCapacity(literalCapacity)
            statement.slots.reserveCapacity(interpolationCount)
        }

        /// Called by the compiler for each literal part. A `StaticString`, so that no run-time text gets here.
        package mutating func appendLiteral(_ literal: StaticString) {
            statement.append(literal: literal)
        }

        /// Binds `value`; it can never become text.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            statement.bind(value)
        }

        /// Binds `value`, or null. Without this form the compiler takes an optional for a mistake.
        package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            statement.bind(value)
        }

        /// Takes `part` in with its values renumbered.
        package mutating func appendInterpolation(_ part: SQL) {
            statement += part
        }

        /// A name of a table, column, role or database, already held to `PostgresIdentifier`'s alphabet.
        package mutating func appendInterpolation(identifier: PostgresIdentifier) {
            statement.text.append(contentsOf: "\"\(identifier.name)\"".utf8)
        }
    }
}

extension SQL: CustomStringConvertible {
    /// The text without its values, fit for a log.
    package var description: String { String(decoding: rendered().dropLast(), as: UTF8.self) }
}

/// A name that may stand in a statement's text: `[a-z_][a-z0-9_]*`, at most 63 bytes, so that quoting it cannot fail.
package struct PostgresIdentifier: Sendable, Hashable {
    package let name: String

    /// Nil for every name outside the alphabet.
    package init?(_ name: String) {
        let bytes = Array(name.utf8)
        guard let first = bytes.first, bytes.count <= 63, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        else {
            return nil
        }
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                continue
            default: return nil
            }
        }
        self.name = name
    }
}
