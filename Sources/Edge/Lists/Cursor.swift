package import Crypto
import Foundation
import Transparency

/// Where a list goes on. Opaque to callers, and authenticated: nobody can make one up, nor use one of another list.
package struct Cursor: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// `position` is what the query needs to go on, at most ``mostPositionBytes``. `list` names what is listed, with
    /// everything that a cursor may not be carried across: route, organization, filter.
    package init(position: [UInt8], of list: String, key: SymmetricKey) {
        description = Base64.url.encode(Self.tag(of: position[...], list, key) + position)
    }

    /// The position; refuses a cursor that was not made for this list.
    package static func position(in text: String, of list: String, key: SymmetricKey) throws(EdgeError) -> [UInt8] {
        guard text.utf8.count <= mostTextBytes, let bytes = Base64.url.decode(text), bytes.count > tagBytes,
            isEqual(bytes[..<tagBytes], tag(of: bytes[tagBytes...], list, key))
        else { throw .invalid([.init(parameter: "cursor", "This is not a cursor of this list.")]) }
        return Array(bytes[tagBytes...])
    }

    private static func tag(of position: ArraySlice<UInt8>, _ list: String, _ key: SymmetricKey) -> [UInt8] {
        var code = HMAC<SHA256>(key: key)
        // The length keeps the end of the list's name and the beginning of the position apart.
        code.update(data: Data("\(list.utf8.count):\(list)".utf8))
        code.update(data: Data(position))
        return Array(Data(code.finalize()).prefix(tagBytes))
    }

    /// In a time that tells nothing of where they differ.
    private static func isEqual(_ one: ArraySlice<UInt8>, _ other: [UInt8]) -> Bool {
        one.count == other.count && zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    package static let mostPositionBytes = 256
    private static let tagBytes = 16
    /// Of its text.
    package static let mostTextBytes = 512
}
