import Transparency

/// One value on the way through `Decodable`.
struct JSONNode {
    let json: JSON
    let path: [any CodingKey]
    let ledger: JSONLedger

    init(_ json: JSON, path: [any CodingKey], ledger: JSONLedger) {
        self.json = json
        self.path = path
        self.ledger = ledger
    }

    func child(_ json: JSON, _ key: some CodingKey) -> JSONNode {
        JSONNode(json, path: path + [key], ledger: ledger)
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        // An open-ended member: taken as it stands, with all that is in it.
        if let value = json as? Value { return value }
        return try Value(from: self)
    }

    func mismatch(_ wanted: Any.Type, _ text: String) -> DecodingError {
        if json.isNull { return .valueNotFound(wanted, .init(codingPath: path, debugDescription: text)) }
        return .typeMismatch(wanted, .init(codingPath: path, debugDescription: text))
    }

    func string() throws -> String {
        guard let value = json.string else { throw mismatch(String.self, "This has to be a string.") }
        return value
    }

    func bool() throws -> Bool {
        guard let value = json.bool else { throw mismatch(Bool.self, "This has to be true or false.") }
        return value
    }

    func double() throws -> Double {
        guard let value = json.double, value.isFinite else {
            throw mismatch(Double.self, "This has to be a number within the range of a double.")
        }
        return value
    }

    func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        guard let number = json.int64, let value = Value(exactly: number) else {
            throw mismatch(type, "This has to be an integer from \(Value.min) to \(Value.max).")
        }
        return value
    }
}

/// A key of an array's element.
struct JSONIndex: CodingKey {
    let intValue: Int?
    var stringValue: String { intValue.map(String.init) ?? "" }

    init(_ index: Int) { intValue = index }
    init?(intValue: Int) { self.init(intValue) }
    init?(stringValue: String) { nil }
}

extension JSONNode: Decoder {
    var codingPath: [any CodingKey] { path }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard let object = json.object else { throw mismatch(JSON.Object.self, "This has to be an object.") }
        let pointer = JSONPointer.text(path)
        ledger.open(object, at: pointer)
        return KeyedDecodingContainer(JSONObjectContainer(node: self, object: object, pointer: pointer))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let elements = json.array else { throw mismatch([JSON].self, "This has to be an array.") }
        return JSONArrayContainer(node: self, elements: elements)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { JSONValueContainer(node: self) }
}

private struct JSONValueContainer: SingleValueDecodingContainer {
    let node: JSONNode
    var codingPath: [any CodingKey] { node.path }

    func decodeNil() -> Bool { node.json.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try node.bool() }
    func decode(_ type: String.Type) throws -> String { try node.string() }
    func decode(_ type: Double.Type) throws -> Double { try node.double() }
    func decode(_ type: Float.Type) throws -> Float { Float(try node.double()) }
    func decode<Value: Decodable & FixedWidthInteger>(_ type: Value.Type) throws -> Value { try node.integer(type) }
    func decode(_ type: Int.Type) throws -> Int { try node.integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try node.integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try node.integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try node.integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try node.integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try node.integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try node.integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try node.integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try node.integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try node.integer(type) }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try node.decode(type) }
}

private struct JSONArrayContainer: UnkeyedDecodingContainer {
    let node: JSONNode
    let elements: [JSON]
    var currentIndex = 0
    var codingPath: [any CodingKey] { node.path }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    init(node: JSONNode, elements: [JSON]) {
        self.node = node
        self.elements = elements
    }

    private mutating func next() throws -> JSONNode {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                JSON.self,
                .init(codingPath: codingPath, debugDescription: "This array is too short.")
            )
        }
        defer { currentIndex += 1 }
        return node.child(elements[currentIndex], JSONIndex(currentIndex))
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, elements[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }

    mutating func superDecoder() throws -> any Decoder { try next() }
}

private struct JSONObjectContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let node: JSONNode
    let object: JSON.Object
    let pointer: String
    var codingPath: [any CodingKey] { node.path }
    var allKeys: [Key] { object.keys.compactMap { Key(stringValue: $0) } }

    private func look(_ key: some CodingKey) -> JSON? {
        node.ledger.read(key.stringValue, at: pointer)
        return object[key.stringValue]
    }

    private func member(_ key: some CodingKey) throws -> JSONNode {
        guard let value = look(key) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: "missing"))
        }
        return node.child(value, key)
    }

    func contains(_ key: Key) -> Bool { look(key) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try member(key).json.isNull }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try member(key).decode(type)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try member(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try member(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { node }
    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }
}
