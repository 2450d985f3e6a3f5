/// A value that can be bound, in the server's binary format.
package protocol PostgresEncodable: Sendable {
    static var postgresType: PostgresType { get }

    /// Appends the value's bytes, or calls `writeNull`.
    func encode(into writer: inout PostgresBinaryWriter)

    /// The type of `[Self]`. The server's array type unless the conformer says otherwise (`UInt8`: bytea).
    static var postgresArrayType: PostgresType { get }

    /// Appends `array` as one value.
    static func encode(array: [Self], into writer: inout PostgresBinaryWriter)
}

extension PostgresEncodable {
    package static var postgresArrayType: PostgresType { postgresType.array }

    package static func encode(array: [Self], into writer: inout PostgresBinaryWriter) {
        writer.write(Int32(array.isEmpty ? 0 : 1))
        writer.write(Int32(0))
        writer.write(postgresType.oid)
        if array.isEmpty { return }
        writer.write(Int32(array.count))
        writer.write(Int32(1))
        for element in array {
            let mark = writer.beginElement()
            element.encode(into: &writer)
            writer.endElement(mark)
        }
    }
}

extension PostgresEncodable where Self: RawRepresentable, RawValue: PostgresEncodable {
    package static var postgresType: PostgresType { RawValue.postgresType }
    package func encode(into writer: inout PostgresBinaryWriter) { rawValue.encode(into: &writer) }
}

/// Where a value writes itself. Integers are big-endian, as the protocol wants them.
package struct PostgresBinaryWriter {
    var bytes: [UInt8]
    var isNull = false

    package mutating func write(_ value: some FixedWidthInteger) {
        var shift = value.bitWidth
        while shift > 0 {
            shift -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    package mutating func write(bytes more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Makes the whole value null; nothing else may be written then.
    package mutating func writeNull() {
        isNull = true
    }

    mutating func beginElement() -> Int {
        write(Int32(0))
        return bytes.count
    }

    mutating func endElement(_ start: Int) {
        let length = isNull ? UInt32.max : UInt32(bytes.count - start)
        isNull = false
        for index in 0..<4 {
            bytes[start - 4 + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index))
        }
    }
}
