import Testing
import Transparency

@Suite struct `Asking a witness` {
    private static func request(from old: Int, to size: Int) throws -> WitnessRequest {
        let kept = try KeptTiles(NaiveTree.leaves(size))
        let key = try Signers.key("log.example")
        let checkpoint = Checkpoint(origin: key.verifier.name, size: size, root: kept.tree.root)
        return try WitnessRequest(oldSize: old, signed: SignedCheckpoint(checkpoint, signedBy: key), tiles: kept.tiles)
    }

    @Test func `the request has the old size, the proof, and the checkpoint as it is`() throws {
        let request = try Self.request(from: 6, to: 8)
        let leaves = NaiveTree.leaves(8)
        let lines = ["old 6"] + NaiveTree.proof(6, leaves[...]).map(\.base64) + ["", ""]
        #expect(request.body == Array(lines.joined(separator: "\n").utf8) + request.signed.note.bytes)
        let first = try Self.request(from: 0, to: 8)
        #expect(first.body == Array("old 0\n\n".utf8) + first.signed.note.bytes)
        #expect(throws: TreeError.outside(index: 9, size: 8)) { try Self.request(from: 9, to: 8) }
    }

    @Test func `its cosignature is added, and nobody else's line`() throws {
        let request = try Self.request(from: 0, to: 3)
        let text = request.signed.note.text
        let witness = try Signers.key("w", .cosignature, seed: 4)
        let stranger = try Signers.key("x", .cosignature, seed: 5)
        let lines = try [stranger, witness].map { try $0.signature(over: text, at: 99).line }.joined()
        let (signed, cosignature) = try request.cosigned(by: witness.verifier, answer: Array(lines.utf8))
        #expect(cosignature.time == 99)
        #expect(signed.note.signatures.map(\.name.text) == ["log.example", "w"])
        #expect(signed.checkpoint == request.signed.checkpoint)
    }

    @Test func `an answer without its cosignature, of another checkpoint, or of another form is refused`() throws {
        let request = try Self.request(from: 0, to: 3)
        let witness = try Signers.key("w", .cosignature, seed: 4)
        let stranger = try Signers.key("x", .cosignature, seed: 5)
        func ask(_ answer: String) throws { _ = try request.cosigned(by: witness.verifier, answer: Array(answer.utf8)) }
        let text = request.signed.note.text
        #expect(throws: NoteError.notSigned(by: [witness.verifier.name])) {
            try ask(stranger.signature(over: text).line)
        }
        let other = try witness.signature(over: Self.request(from: 0, to: 4).signed.note.text).line
        #expect(throws: NoteError.signatureWrong(witness.verifier.name)) { try ask(other) }
        let good = try witness.signature(over: text).line
        #expect(throws: NoteError.malformed(.note, line: 5)) { try ask("") }
        #expect(throws: NoteError.malformed(.note, line: 0)) { try ask(String(good.dropLast())) }
        #expect(throws: NoteError.malformed(.note, line: 0)) { try ask(good + "\n" + good) }
        #expect(throws: NoteError.tooLarge(.note)) { try ask(String(repeating: good, count: 1000)) }
        let plain = try Signers.key("w", .ed25519, seed: 4)
        #expect(throws: NoteError.notSigned(by: [plain.verifier.name])) {
            try request.cosigned(by: plain.verifier, answer: Array(plain.signature(over: text).line.utf8))
        }
    }

    @Test func `a witness that is further says how far`() {
        #expect(WitnessRequest.knownSize(Array("17\n".utf8)) == 17)
        for wrong in ["", "17", "017\n", "-1\n", "x\n", "17\n\n", String(repeating: "1", count: 40) + "\n"] {
            #expect(WitnessRequest.knownSize(Array(wrong.utf8)) == nil)
        }
    }
}
