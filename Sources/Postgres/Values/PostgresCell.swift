/// One value of one row, in the server's binary format, valid as long as it is held.
///
/// The bytes stay libpq's. The accessors check every offset, so a value that the server sent short is a failure and
/// never a read past its end.
@safe
package struct PostgresCell {
    package let type: PostgresType
    package let count: Int
    /// Keeps `base` alive.
    private let owner: ResultHandle
    private let base: UnsafeRawPointer?

    init(owner: ResultHandle, base: UnsafeRawPointer?, count: Int, type: PostgresType) {
        self.owner = owner
        unsafe self.base = unsafe base
        self.count = count
        self.type = type
    }

    package var isNull: Bool { unsafe base == nil }

    /// The big-endian integer at `offset`.
    package func integer<Value: FixedWidthInteger>(
        at offset: Int = 0,
        as: Value.Type = Value.self
    ) throws(PostgresDecodingFailure) -> Value {
        guard let base = unsafe base else { throw .null }
        guard offset >= 0, offset + MemoryLayout<Value>.size <= count else { throw .malformed("too short") }
        return Value(bigEndian: unsafe base.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// The bytes from `offset` on.
    package func bytes(from offset: Int = 0) throws(PostgresDecodingFailure) -> [UInt8] {
        guard let base = unsafe base else { throw .null }
        guard offset >= 0, offset <= count else { throw .malformed("too short") }
        return unsafe Array(UnsafeRawBufferPointer(start: base + offset, count: count - offset))
    }

    /// The bytes from `offset` on, which must be UTF-8.
    package func string(from offset: Int = 0) throws(PostgresDecodingFailure) -> String {
        guard let base = unsafe base else { throw .null }
        guard offset >= 0, offset <= count else { throw .malformed("too short") }
        let buffer = unsafe UnsafeBufferPointer(
            start: base.assumingMemoryBound(to: UInt8.self) + offset,
            count: count - offset
        )
        guard let string = unsafe String(validating: buffer, as: UTF8.self) else { throw .malformed("not UTF-8") }
        return string
    }

    /// Refuses a value whose type is not among `types` or whose size is not `size`.
    package func require(
        _ types: PostgresType...,
        size: Int? = nil,
        expected: @autoclosure () -> String
    ) throws(PostgresDecodingFailure) {
        if isNull { throw .null }
        guard types.contains(type) else { throw .type(found: type, expected: expected()) }
        if let size, count != size { throw .malformed("\(count) bytes, not \(size)") }
    }

    /// The elements of a one-dimensional array.
    package func elements() throws(PostgresDecodingFailure) -> [PostgresCell] {
        guard let base = unsafe base else { throw .null }
        let dimensions = try integer(at: 0, as: Int32.self)
        let element = PostgresType(oid: try integer(at: 8, as: UInt32.self))
        if dimensions == 0 { return [] }
        guard dimensions == 1 else { throw .malformed("\(dimensions) dimensions") }
        let length = Int(try integer(at: 12, as: Int32.self))
        guard length >= 0, length <= count else { throw .malformed("length \(length)") }
        var cells: [PostgresCell] = []
        cells.reserveCapacity(length)
        var offset = 20
        for _ in 0..<length {
            let size = Int(try integer(at: offset, as: Int32.self))
            offset += 4
            if size < 0 {
                cells.append(unsafe PostgresCell(owner: owner, base: nil, count: 0, type: element))
                continue
            }
            guard offset + size <= count else { throw .malformed("too short") }
            cells.append(unsafe PostgresCell(owner: owner, base: base + offset, count: size, type: element))
            offset += size
        }
        return cells
    }
}
