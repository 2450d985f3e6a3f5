internal import Crypto

/// How the root log holds a checkpoint of an organization's log without saying whose it is: its leaf is a salted digest.
/// Whoever has checkpoint and salt sees that the leaf means this checkpoint; whoever has the leaf alone learns that
/// somebody's log has grown.
package struct CheckpointBinding: Hashable, Sendable {
    /// Secret to all but the organization, and used once.
    package let salt: [UInt8]

    /// Bytes of a salt: what a leaf means cannot be found by trying checkpoints.
    package static let saltLength = 32
    /// The first line of every leaf of a root log.
    package static let header = "rollcall/checkpoint-binding/v1"

    /// Refuses another length.
    package init?(salt: some Collection<UInt8>) {
        guard salt.count == Self.saltLength else { return nil }
        self.salt = Array(salt)
    }

    /// The leaf: the header, and base64 of SHA-256 over the salt and the checkpoint's signed text. Signatures are not part
    /// of it: a checkpoint stays the same when it gets another one.
    package func leaf(of checkpoint: Checkpoint) -> [UInt8] {
        let digest = SHA256.hash(data: salt + checkpoint.text)
        return Array("\(Self.header)\n\(Base64.standard.encode(Array(digest)))\n".utf8)
    }
}

/// That the root log holds a checkpoint: the root log's receipt of the leaf, with the salt as its `extra`. A file
/// `.tlog-proof` as that of an entry.
package struct CheckpointAnchor: Hashable, Sendable {
    package let proof: LogProof
    package let binding: CheckpointBinding

    /// From the root log's tiles that `TilePlan.inclusion` asks for. Refuses an anchor that would not hold.
    package init(
        _ checkpoint: Checkpoint,
        by binding: CheckpointBinding,
        index: Int,
        in root: SignedCheckpoint,
        tiles: [Tile]
    ) throws(TreeError) {
        self.binding = binding
        proof = try LogProof(
            leaf: .leaf(binding.leaf(of: checkpoint)),
            index: index,
            signed: root,
            tiles: tiles,
            extra: binding.salt
        )
    }

    /// Reads an anchor; nothing of it is checked but its form.
    package init(parsing bytes: [UInt8]) throws(NoteError) {
        proof = try LogProof(parsing: bytes)
        guard let extra = proof.extra, let binding = CheckpointBinding(salt: extra) else {
            throw .malformed(.proof, line: 2)
        }
        self.binding = binding
    }

    /// The root log's checkpoint. Whether it counts is the policy's to say.
    package var root: SignedCheckpoint { proof.signed }

    /// Refuses unless the root log holds this checkpoint.
    package func verify(_ checkpoint: Checkpoint) throws(TreeError) {
        try proof.verify(leaf: .leaf(binding.leaf(of: checkpoint)))
    }
}
