import Crypto
package import Transparency

/// One side of a change that its leaf has no room for: kept beside the entry under its SHA-256, which the leaf names in its
/// place. Holds no personal value, as the side of the leaf would.
package struct LeafBlob: Hashable, Sendable {
    /// SHA-256 of `bytes`.
    package let digest: [UInt8]
    /// RFC 8785 canonical JSON of the side, at most ``mostBytes``.
    package let bytes: [UInt8]

    /// Four times what a request of ours may hold.
    package static let mostBytes = 4 << 20
    private static let member = "_blob"

    init(_ side: JSON) throws(AuditLeafError) {
        do { bytes = try side.canonical() } catch { throw .notCanonical(error) }
        guard bytes.count <= Self.mostBytes else { throw .tooLarge(bytes: bytes.count) }
        digest = Array(SHA256.hash(data: bytes))
    }

    /// A blob as it was kept; nil where its bytes are not those that its digest names.
    package init?(digest: [UInt8], bytes: [UInt8]) {
        guard Array(SHA256.hash(data: bytes)) == digest else { return nil }
        (self.digest, self.bytes) = (digest, bytes)
    }

    /// What stands in the leaf: `{"_blob": {"bytes": …, "sha256": …}}`, the digest in standard base64.
    var reference: JSON {
        [
            Self.member: [
                "bytes": .number(JSON.Number(Int64(bytes.count))), "sha256": .string(Base64.standard.encode(digest)),
            ]
        ]
    }

    /// The digest that this side of a leaf names; nil where the side stands in the leaf itself.
    package static func digest(namedBy side: JSON?) -> [UInt8]? {
        guard side?.object?.count == 1, let text = side?[member]?["sha256"]?.string,
            let digest = Base64.standard.decode(text), digest.count == SHA256.byteCount
        else { return nil }
        return digest
    }
}
