/// The receipt of one entry (C2SP tlog-proof, files `.tlog-proof`): whoever has it, the entry and a policy needs nobody to
/// see that the log holds the entry.
package struct LogProof: Hashable, Sendable {
    package let index: Int
    /// From the leaf's sibling to the child of the root.
    package let hashes: [MerkleHash]
    /// The tree that the entry is in.
    package let signed: SignedCheckpoint
    /// What a maker wanted to say besides. Nobody vouches for it.
    package let extra: [UInt8]?

    /// The first line of every proof.
    package static let header = "c2sp.org/tlog-proof@v1"
    /// Bytes of the longest `extra`.
    package static let largestExtra = 65_536
    /// Bytes of the largest proof.
    package static let largestBytes = SignedNote.largestBytes + 2 * largestExtra

    /// From the tiles that `TilePlan.inclusion` asks for in the checkpoint's size. Refuses to make a proof that does not
    /// hold for the leaf.
    package init(
        leaf: MerkleHash,
        index: Int,
        signed: SignedCheckpoint,
        tiles: [Tile],
        extra: [UInt8]? = nil
    ) throws(TreeError) {
        let checkpoint = signed.checkpoint
        let proof = try InclusionProof(index: index, size: checkpoint.size, tiles: tiles)
        try proof.verify(leaf: leaf, root: checkpoint.root)
        (self.index, hashes, self.signed, self.extra) = (index, proof.hashes, signed, extra)
    }

    /// Reads a proof; nothing of it is checked but its form.
    package init(parsing bytes: [UInt8]) throws(NoteError) {
        guard bytes.count <= Self.largestBytes else { throw .tooLarge(.proof) }
        var rest = bytes[...]
        var line = 0
        func nextLine() throws(NoteError) -> String {
            line += 1
            guard let end = rest.firstIndex(of: 0x0A) else { throw .malformed(.proof, line: line) }
            defer { rest = rest[(end + 1)...] }
            guard let text = String(validating: rest[..<end], as: UTF8.self) else {
                throw .malformed(.proof, line: line)
            }
            return text
        }
        guard try nextLine() == Self.header else { throw .malformed(.proof, line: line) }
        var text = try nextLine()
        var extra: [UInt8]?
        if let written = text.suffix(behind: "extra ") {
            extra = Base64.standard.decode(written)
            guard let extra, extra.count <= Self.largestExtra else { throw .malformed(.proof, line: line) }
            text = try nextLine()
        }
        guard let index = text.suffix(behind: "index ").flatMap({ Decimal.read($0) }) else {
            throw .malformed(.proof, line: line)
        }
        var hashes: [MerkleHash] = []
        while case let text = try nextLine(), !text.isEmpty {
            guard let hash = MerkleHash(base64: text), hashes.count < InclusionProof.mostHashes else {
                throw .malformed(.proof, line: line)
            }
            hashes.append(hash)
        }
        (self.index, self.hashes, self.extra) = (index, hashes, extra)
        signed = try SignedCheckpoint(parsing: Array(rest))
    }

    /// The text of the file.
    package var bytes: [UInt8] {
        var lines = [Self.header]
        if let extra { lines.append("extra \(Base64.standard.encode(extra))") }
        lines.append("index \(index)")
        lines += hashes.map(\.base64)
        return Array((lines.joined(separator: "\n") + "\n\n").utf8) + signed.note.bytes
    }

    /// Refuses unless the entry with that leaf hash stands at the index of the checkpoint's tree. Whether the checkpoint
    /// counts is the policy's to say.
    package func verify(leaf: MerkleHash) throws(TreeError) {
        let proof = InclusionProof(index: index, size: signed.checkpoint.size, hashes: hashes)
        try proof.verify(leaf: leaf, root: signed.checkpoint.root)
    }
}

extension String {
    fileprivate func suffix(behind prefix: String) -> Substring? {
        utf8.starts(with: prefix.utf8) ? self[utf8.index(utf8.startIndex, offsetBy: prefix.utf8.count)...] : nil
    }
}
