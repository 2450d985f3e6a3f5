package import Crypto
package import Filter
package import HummingbirdCore

/// What every list takes: `limit`, `cursor`, `filter`. Refuses what it does not know, so that a mistyped parameter is
/// never a wider answer than was asked for.
package struct ListQuery: Sendable {
    /// 1 to ``mostLimit``.
    package let limit: Int
    package let filter: Filter?
    /// As sent; ``position(of:key:)`` opens it.
    package let cursor: String?
    /// Parameters that the route named as its own.
    package let more: [String: String]

    package static let mostLimit = 200
    package static let standardLimit = 50

    /// Reads the query of a list's address. `names` are the route's own parameters.
    package init(_ uri: URI, also names: Set<String> = []) throws(EdgeError) {
        var values: [String: String] = [:]
        for (name, value) in try QueryParameters.read(uri.query ?? "") {
            guard names.contains(name) || ["limit", "cursor", "filter"].contains(name) else {
                throw .invalid([.init(parameter: name, "This parameter is not known here.")])
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .invalid([.init(parameter: name, "This parameter stands twice.")])
            }
        }
        limit = try Self.limit(values["limit"])
        filter = try Self.filter(values["filter"])
        cursor = values["cursor"]
        more = values.filter { names.contains($0.key) }
    }

    /// Where to go on, nil at the beginning. `list` as in ``Cursor``; the filter is added to it here.
    package func position(of list: String, key: SymmetricKey) throws(EdgeError) -> [UInt8]? {
        guard let cursor else { return nil }
        return try Cursor.position(in: cursor, of: name(of: list), key: key)
    }

    /// The cursor behind this page, bound to its filter.
    package func next(_ position: [UInt8], of list: String, key: SymmetricKey) -> Cursor {
        Cursor(position: position, of: name(of: list), key: key)
    }

    private func name(of list: String) -> String {
        let more = more.sorted { $0.key < $1.key }.map { "\n\($0.key)=\($0.value)" }.joined()
        return list + "\n" + (filter?.description ?? "") + more
    }

    private static func limit(_ text: String?) throws(EdgeError) -> Int {
        guard let text else { return standardLimit }
        guard let limit = Int(text), String(limit) == text, (1...mostLimit).contains(limit) else {
            throw .invalid([.init(parameter: "limit", "A number from 1 to \(mostLimit).")])
        }
        return limit
    }

    private static func filter(_ text: String?) throws(EdgeError) -> Filter? {
        guard let text else { return nil }
        do throws(FilterError) {
            return try Filter(text)
        } catch {
            throw .invalid([.init(parameter: "filter", "\(error)")])
        }
    }
}

/// `application/x-www-form-urlencoded` as it stands in a query: strictly percent-decoded UTF-8, `+` for a space.
package enum QueryParameters {
    package static let mostParameters = 64

    /// The pairs in their order. Refuses what is not percent-encoded UTF-8, and more than ``mostParameters``.
    package static func read(_ query: String) throws(EdgeError) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
            guard pairs.count < mostParameters else { throw .malformed(detail: "The query has too many parameters.") }
            let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = decode(pair[..<end]), let value = decode(pair[end...].dropFirst()) else {
                throw .malformed(detail: "The query is not percent-encoded UTF-8.")
            }
            pairs.append((name, value))
        }
        return pairs
    }

    private static func decode(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
