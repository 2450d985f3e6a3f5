internal import Crypto
package import FoundationEssentials

/// A hash in an RFC 6962 Merkle tree (section 2.1), SHA-256: always 32 bytes. Leaves and nodes are hashed apart, so that
/// no leaf can pass for a node.
package struct MerkleHash: Hashable, Sendable {
    package let bytes: [UInt8]

    /// Bytes of a hash.
    package static let length = 32

    /// Refuses what is not 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.length else { return nil }
        self.bytes = Array(bytes)
    }

    private init(_ digest: SHA256.Digest) {
        bytes = Array(digest)
    }

    /// The root of a tree without leaves.
    package static let empty = MerkleHash(SHA256.hash(data: [UInt8]()))

    private static let leafPrefix: [UInt8] = [0x00]
    private static let nodePrefix: [UInt8] = [0x01]

    /// The hash of one leaf's bytes.
    package static func leaf(_ bytes: some DataProtocol) -> MerkleHash {
        var hash = SHA256()
        hash.update(data: leafPrefix)
        hash.update(data: bytes)
        return MerkleHash(hash.finalize())
    }

    /// The hash of a node over its two children.
    package static func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
        var hash = SHA256()
        hash.update(data: nodePrefix)
        hash.update(data: left.bytes)
        hash.update(data: right.bytes)
        return MerkleHash(hash.finalize())
    }

    /// The root over hashes that follow one another, all of subtrees of one size; only the last may be of a smaller one.
    /// Of nothing it is that of the empty tree.
    package static func root(over hashes: some Collection<MerkleHash>) -> MerkleHash {
        var row = Array(hashes)
        while row.count > 1 {
            // Pairs from the left, and an odd one goes up as it is: the same tree as RFC 6962's split at the largest
            // power of two.
            var count = 0
            while 2 * count < row.count {
                let left = 2 * count
                row[count] = left + 1 < row.count ? node(row[left], row[left + 1]) : row[left]
                count += 1
            }
            row.removeLast(row.count - count)
        }
        return row.first ?? empty
    }

    /// Standard base64, as checkpoints and proofs write it.
    package var base64: String { Base64.standard.encode(bytes) }

    /// Refuses what is not base64 of 32 bytes.
    package init?(base64 text: some StringProtocol) {
        guard let bytes = Base64.standard.decode(text) else { return nil }
        self.init(bytes)
    }
}
