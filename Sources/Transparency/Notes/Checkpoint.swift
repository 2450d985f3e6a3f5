/// What a log says of itself at one size (C2SP tlog-checkpoint): the text of a note, not yet its signatures.
package struct Checkpoint: Hashable, Sendable {
    /// Which log it is; its key has the same name.
    package let origin: NoteKeyName
    package let size: Int
    package let root: MerkleHash
    /// Further lines. We write none.
    package let extensions: [String]

    /// Lines after the third.
    package static let mostExtensions = 16

    /// What a log is about to sign; that size and root belong together is the log's to know.
    package init(origin: NoteKeyName, size: Int, root: MerkleHash) {
        (self.origin, self.size, self.root, extensions) = (origin, size, root, [])
    }

    /// Reads a note's text. Refuses numbers with leading zeros or signs, sizes beyond `TileTree.largestSize`, an empty tree
    /// with another root than its own, and empty lines.
    package init(text: [UInt8]) throws(NoteError) {
        guard let whole = String(validating: text, as: UTF8.self), whole.utf8.last == 0x0A else {
            throw .malformed(.checkpoint, line: 0)
        }
        let lines = whole.utf8.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false).map(Substring.init)
        guard let origin = lines.first.flatMap({ NoteKeyName($0) }) else { throw .malformed(.checkpoint, line: 1) }
        guard lines.count > 1, let size = Decimal.read(lines[1]), size <= TileTree.largestSize else {
            throw .malformed(.checkpoint, line: 2)
        }
        guard lines.count > 2, let root = MerkleHash(base64: lines[2]), size > 0 || root == .empty else {
            throw .malformed(.checkpoint, line: 3)
        }
        guard lines.count <= 3 + Self.mostExtensions else { throw .tooLarge(.checkpoint) }
        for place in lines.indices.dropFirst(3) where lines[place].isEmpty {
            throw .malformed(.checkpoint, line: place + 1)
        }
        (self.origin, self.size, self.root) = (origin, size, root)
        extensions = lines.dropFirst(3).map(String.init)
    }

    /// The text that is signed.
    package var text: [UInt8] {
        Array((["\(origin.text)", "\(size)", root.base64] + extensions).map { $0 + "\n" }.joined().utf8)
    }
}

/// A checkpoint with the signatures under it. Reading one trusts nobody yet: a `LogPolicy` says whether it counts.
package struct SignedCheckpoint: Hashable, Sendable {
    package let checkpoint: Checkpoint
    package let note: SignedNote

    /// Refuses a note that is no checkpoint.
    package init(_ note: SignedNote) throws(NoteError) {
        (checkpoint, self.note) = (try Checkpoint(text: note.text), note)
    }

    /// Reads a checkpoint as it is served and kept.
    package init(parsing bytes: [UInt8]) throws(NoteError) {
        try self.init(SignedNote(parsing: bytes))
    }

    /// Signs with a log's own key. Refuses a key of another name than the origin, and a witness' key.
    package init(_ checkpoint: Checkpoint, signedBy key: NoteSigningKey) throws(NoteError) {
        guard key.verifier.name == checkpoint.origin, key.verifier.kind == .ed25519 else { throw .signingFailed }
        let text = checkpoint.text
        try self.init(SignedNote(text: text, signatures: [key.signature(over: text)]))
    }
}

/// ASCII decimals, each number in one way only.
enum Decimal {
    static func read(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.utf8.count == 1 || text.utf8.first != 0x30
        else { return nil }
        return Int(text)
    }
}
