/// A key's word that another one signs the same log too: how verifiers who believe the former key come to believe the one
/// that takes its place. A signed note that no log can pass for a checkpoint.
package struct KeyEndorsement: Hashable, Sendable {
    package let origin: NoteKeyName
    /// Whom to believe as well.
    package let endorsed: NoteVerifierKey
    package let note: SignedNote

    /// The first line of every endorsement.
    package static let header = "rollcall/key-endorsement/v1"
    /// Endorsements of one log that are read.
    package static let mostEndorsements = 1_024

    /// Refuses keys of different names, witnesses' keys, and a key that endorses itself.
    package init(of endorsed: NoteVerifierKey, by key: NoteSigningKey) throws(NoteError) {
        guard key.verifier.kind == .ed25519, key.verifier != endorsed else { throw .signingFailed }
        let text = Array("\(Self.header)\n\(key.verifier.name.text)\n\(endorsed.text)\n".utf8)
        try self.init(SignedNote(text: text, signatures: [key.signature(over: text)]))
        guard origin == key.verifier.name else { throw .signingFailed }
    }

    /// Reads an endorsement. Trusts nobody yet.
    package init(parsing bytes: [UInt8]) throws(NoteError) {
        try self.init(SignedNote(parsing: bytes))
    }

    private init(_ note: SignedNote) throws(NoteError) {
        let lines = String(decoding: note.text, as: UTF8.self).utf8
            .split(separator: 0x0A, omittingEmptySubsequences: false).map(Substring.init)
        guard lines.count == 4, lines[3].isEmpty, lines[0] == Self.header[...] else {
            throw .malformed(.endorsement, line: 1)
        }
        guard let origin = NoteKeyName(lines[1]) else { throw .malformed(.endorsement, line: 2) }
        let endorsed = try NoteVerifierKey(lines[2])
        guard endorsed.name == origin, endorsed.kind == .ed25519 else { throw .malformed(.endorsement, line: 3) }
        (self.origin, self.endorsed, self.note) = (origin, endorsed, note)
    }

    /// Whether this key gave its word; nothing else is told by false.
    package func isSigned(by key: NoteVerifierKey) -> Bool {
        // A signature that does not hold is none.
        (try? note.verified(by: [key]).isEmpty) == false
    }

    /// The believed keys, and all that they vouch for, directly or by one another. An endorsement by nobody who is believed
    /// says nothing; one in a believed key's name that does not hold refuses the whole history.
    package static func believed(
        _ keys: [NoteVerifierKey],
        by endorsements: [KeyEndorsement]
    ) throws(NoteError) -> [NoteVerifierKey] {
        guard endorsements.count <= mostEndorsements else { throw .tooLarge(.endorsement) }
        var believed = keys
        var waiting = endorsements
        while true {
            var left: [KeyEndorsement] = []
            for endorsement in waiting {
                let ours = believed.filter { $0.name == endorsement.origin && $0.kind == .ed25519 }
                guard try !endorsement.note.verified(by: ours).isEmpty else {
                    left.append(endorsement)
                    continue
                }
                if !believed.contains(endorsement.endorsed) { believed.append(endorsement.endorsed) }
            }
            guard left.count < waiting.count else { return believed }
            waiting = left
        }
    }
}
