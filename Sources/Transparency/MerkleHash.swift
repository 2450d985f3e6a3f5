internal import Crypto
package import FoundationEssentials

/// The hashes of an RFC 6962 Merkle tree (section 2.1), SHA-256. Leaves and nodes are hashed apart, so that no leaf can
/// pass for a node.
package enum MerkleHash {
    /// The root of a tree without leaves.
    package static let empty: [UInt8] = Array(SHA256.hash(data: [UInt8]()))

    /// The hash of one leaf's bytes.
    package static func leaf(_ bytes: some DataProtocol) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: [0x00 as UInt8])
        hash.update(data: bytes)
        return Array(hash.finalize())
    }

    /// The hash of a node over its two children's hashes, 32 bytes each.
    package static func node(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: [0x01 as UInt8])
        hash.update(data: left)
        hash.update(data: right)
        return Array(hash.finalize())
    }
}
