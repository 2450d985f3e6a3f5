internal import Crypto
internal import SwiftASN1

/// What is sent to a time stamp authority (RFC 3161 section 2.4.1): a SHA-256, never the bytes, and a number that the
/// answer has to repeat.
package struct TimestampRequest: Hashable, Sendable {
    /// SHA-256 of what is stamped.
    package let imprint: [UInt8]
    /// Eight bytes of a positive integer, the first below 0x80.
    package let nonce: [UInt8]

    /// Random bytes of a nonce.
    package static let nonceLength = 8
    /// Media types of request and answer (RFC 3161 section 3.4).
    package static let contentType = "application/timestamp-query"
    package static let answerType = "application/timestamp-reply"
    /// Bytes of the largest answer that is read: certificates come with it.
    package static let largestAnswer = 65_536

    /// `randomness` is eight bytes that nobody can guess; nil for another number of them.
    package init?(of bytes: [UInt8], randomness: [UInt8]) {
        guard randomness.count == Self.nonceLength else { return nil }
        imprint = Array(SHA256.hash(data: bytes))
        var nonce = randomness
        // Positive, and without a leading zero byte that DER would not have.
        nonce[0] = nonce[0] & 0x3F | 0x40
        self.nonce = nonce
    }

    /// DER of a TimeStampReq that asks for the signer's certificate.
    package var body: [UInt8] {
        // Lengths stay below 128: one byte each.
        func node(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }
        let algorithm = node(0x30, [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00])
        let imprint = node(0x30, algorithm + node(0x04, imprint))
        return node(0x30, node(0x02, [1]) + imprint + node(0x02, nonce) + node(0x01, [0xFF]))
    }

    /// The token of an answer, checked to answer this request and signed by one who is trusted. Refuses one that is not.
    package func token(
        from answer: [UInt8],
        by authorities: TimestampAuthorities
    ) throws(TimestampError) -> TimestampToken {
        guard answer.count <= Self.largestAnswer else { throw .malformed("size") }
        var parts = try DERNodes(.read(answer, "answer"), as: .sequence, "answer")
        var status = try DERNodes(parts.next(.sequence, "status"), as: .sequence, "status")
        let number = try status.next(.integer, "status").primitive("status")
        guard number == [0] || number == [1] else { throw .refused(status: Int(number.last ?? 0xFF)) }
        let token = try TimestampToken(parsing: Array(parts.next(.sequence, "token").encodedBytes))
        guard token.imprint == imprint else { throw .otherImprint }
        guard token.nonce == nonce else { throw .otherNonce }
        try token.verify(by: authorities)
        return token
    }
}
