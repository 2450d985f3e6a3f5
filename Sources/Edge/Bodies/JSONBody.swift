package import Transparency

/// Decodes a strictly read JSON value by `Decodable`, and refuses what the type did not ask for.
///
/// Foundation's decoder cannot: it drops unknown members silently, and it reads numbers before anybody can say that
/// `1e400` or 2^60 is not one. A member counts as known when the type's `init(from:)` asked for it, so there is no list
/// of names to keep beside the type.
package enum JSONBody {
    /// Throws ``EdgeError/invalid(_:)`` with the pointers of all unknown members, or of the first that does not fit.
    package static func decode<Value: Decodable>(_ type: Value.Type, from json: JSON) throws -> Value {
        let ledger = JSONLedger()
        let value: Value
        do {
            value = try JSONNode(json, path: [], ledger: ledger).decode(type)
        } catch let error as DecodingError {
            throw EdgeError.invalid([EdgeError.Reason(error)])
        }
        let unknown = ledger.unread
        guard unknown.isEmpty else {
            throw EdgeError.invalid(unknown.prefix(mostReasons).map { .init($0, "This member is not known here.") })
        }
        return value
    }

    /// Unknown members that are listed.
    static let mostReasons = 20
}

/// The members that no one has asked for yet. One decoding, one thread.
final class JSONLedger {
    private var remaining: [String: Set<String>] = [:]
    private var opened: Set<String> = []

    func open(_ object: JSON.Object, at pointer: String) {
        guard opened.insert(pointer).inserted else { return }
        remaining[pointer] = Set(object.keys)
    }

    func read(_ key: String, at pointer: String) { remaining[pointer]?.remove(key) }

    var unread: [String] {
        remaining.flatMap { pointer, keys in keys.map { pointer + "/" + JSONPointer.escape($0) } }.sorted()
    }
}

enum JSONPointer {
    /// RFC 6901 of a coding path.
    static func text(_ path: [any CodingKey]) -> String {
        path.map { "/" + escape($0.intValue.map(String.init) ?? $0.stringValue) }.joined()
    }

    static func escape(_ name: String) -> String {
        var escaped = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension EdgeError.Reason {
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(JSONPointer.text(context.codingPath + [key]), "This member is missing.")
        case .valueNotFound(_, let context):
            self.init(JSONPointer.text(context.codingPath), "This may not be null.")
        case .typeMismatch(_, let context), .dataCorrupted(let context):
            self.init(JSONPointer.text(context.codingPath), context.debugDescription)
        @unknown default:
            self.init("", "The body does not fit.")
        }
    }
}
