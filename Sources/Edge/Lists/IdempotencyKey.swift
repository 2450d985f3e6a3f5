import Crypto
import Foundation
package import HTTPTypes
package import Hummingbird

/// The `Idempotency-Key` of a request that creates something. Honoured on every such POST, never required.
///
/// The door hands key and ``fingerprint(of:body:)`` to Storage, which keeps them in the transaction of the change with
/// the answer's id: the same key and fingerprint find that answer, the same key with another fingerprint is
/// ``EdgeError/idempotencyKeyReused``, and two at once meet at the unique constraint.
package struct IdempotencyKey: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// Characters at most.
    package static let mostCharacters = 128

    /// Nil when there is none. Refuses two, an empty one, and anything but visible ASCII.
    package init?(in fields: HTTPFields) throws(EdgeError) {
        let values = fields[values: .idempotencyKey]
        guard let value = values.first else { return nil }
        guard values.count == 1, (1...Self.mostCharacters).contains(value.utf8.count),
            value.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw .malformed(
                detail: "Idempotency-Key has to be 1 to \(Self.mostCharacters) visible ASCII characters, once."
            )
        }
        description = value
    }

    /// What makes a request the same request: method, path with query, and the bytes of its body.
    package static func fingerprint(of request: Request, body: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        for part in [request.method.rawValue, request.uri.string] {
            hash.update(data: Data("\(part.utf8.count):\(part)".utf8))
        }
        hash.update(data: Data(body))
        return Array(Data(hash.finalize()))
    }
}
