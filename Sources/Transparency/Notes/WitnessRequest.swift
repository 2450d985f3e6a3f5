/// What a log sends to a witness to have a checkpoint cosigned, and what comes back (C2SP tlog-witness, add-checkpoint).
package struct WitnessRequest: Hashable, Sendable {
    /// Size of the checkpoint that the witness cosigned last; 0 if it knows none.
    package let oldSize: Int
    /// The consistency proof from there; none from 0.
    package let hashes: [MerkleHash]
    package let signed: SignedCheckpoint

    /// Bytes of the largest answer that is read.
    package static let largestAnswer = 65_536

    /// From the tiles that `TilePlan.consistency` asks for; none are needed from 0. Refuses to go backwards.
    package init(oldSize: Int, signed: SignedCheckpoint, tiles: [Tile]) throws(TreeError) {
        (self.oldSize, self.signed) = (oldSize, signed)
        hashes =
            oldSize == 0
            ? [] : try TilePlan.consistency(from: oldSize, to: signed.checkpoint.size).hashes(from: tiles)
    }

    /// The body of the request.
    package var body: [UInt8] {
        let lines = ["old \(oldSize)"] + hashes.map(\.base64)
        return Array((lines.joined(separator: "\n") + "\n\n").utf8) + signed.note.bytes
    }

    /// The checkpoint with the cosignatures of an answer's body. Refuses lines that are no signatures, a signature of this
    /// witness that does not hold, and an answer without one: others' lines are not what it was asked for.
    package func cosigned(
        by witness: NoteVerifierKey,
        answer: [UInt8]
    ) throws(NoteError) -> (signed: SignedCheckpoint, cosignature: VerifiedSignature) {
        guard answer.count <= Self.largestAnswer else { throw .tooLarge(.note) }
        let answered = try SignedNote(parsing: signed.note.text + [0x0A] + answer)
        // An answer that brings an empty line would make itself part of the text.
        guard answered.text == signed.note.text else { throw .malformed(.note, line: 0) }
        guard witness.kind == .cosignature, let cosignature = try answered.verified(by: [witness]).first else {
            throw .notSigned(by: [witness.name])
        }
        var note = signed.note
        for signature in answered.signatures where signature.names(witness) { note = try note.adding(signature) }
        return (try SignedCheckpoint(note), cosignature)
    }

    /// The size that a witness knows, by the body of its refusal (409); nil for what is no size.
    package static func knownSize(_ answer: [UInt8]) -> Int? {
        guard answer.count <= 32, answer.last == 0x0A else { return nil }
        return Decimal.read(String(decoding: answer.dropLast(), as: UTF8.self))
    }
}
