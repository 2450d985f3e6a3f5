import Testing
import Transparency

@Suite struct `Checkpoints` {
    @Test func `the golden log's entries make the trees that its checkpoints sign`() throws {
        let key = try NoteVerifierKey(Vectors.line("c2sp/golden/log.vkey"))
        let policy = try LogPolicy(logs: [key])
        var tree = TileTree()
        var roots = [tree.root]
        for entry in try Vectors.lines("c2sp/golden/entries.txt") {
            _ = try tree.append(MerkleHash.leaf(Array(entry[0].utf8)))
            roots.append(tree.root)
        }
        #expect(tree.size == 15)
        for size in [0, 7, 15] {
            let bytes = try Vectors.bytes("c2sp/golden/checkpoint.\(size)")
            let signed = try SignedCheckpoint(parsing: bytes)
            #expect(signed.checkpoint == Checkpoint(origin: key.name, size: size, root: roots[size]))
            #expect(signed.checkpoint.text == signed.note.text)
            #expect(try policy.verify(signed).map(\.key) == [key])
            #expect(signed.note.bytes == bytes)
        }
        let proof = try ConsistencyProof(oldSize: 7, size: 15, tiles: tree.partialTiles)
        try proof.verify(oldRoot: roots[7], root: roots[15])
    }

    @Test func `one of ours reads back, with further lines as they were`() throws {
        let origin = try #require(NoteKeyName("rollcall.example/audit/acme"))
        let checkpoint = Checkpoint(origin: origin, size: 20_852_163, root: .leaf([1]))
        #expect(try Checkpoint(text: checkpoint.text) == checkpoint)
        let text = Array("o\n1\n\(MerkleHash.leaf([1]).base64)\nmore\n e\u{301}\n".utf8)
        #expect(try Checkpoint(text: text).extensions == ["more", " e\u{301}"])
        #expect(try Checkpoint(text: text).text == text)
    }

    @Test func `what is written another way is refused by its line`() throws {
        let root = MerkleHash.leaf([1]).base64
        for (text, line) in [
            ("", 0), ("\n", 1), ("o\n", 2), ("o\n1\n", 3), ("o\n1\n\(root)", 0), ("\n1\n\(root)\n", 1),
            ("o o\n1\n\(root)\n", 1),
            ("o+\n1\n\(root)\n", 1), ("o\n01\n\(root)\n", 2), ("o\n+1\n\(root)\n", 2), ("o\n-1\n\(root)\n", 2),
            ("o\n1 \n\(root)\n", 2), ("o\n١\n\(root)\n", 2), ("o\n\n\(root)\n", 2),
            ("o\n4611686018427387905\n\(root)\n", 2),
            ("o\n99999999999999999999\n\(root)\n", 2), ("o\n1\n\(root.dropLast())\n", 3), ("o\n1\nAAAA\n", 3),
            ("o\n0\n\(root)\n", 3), ("o\n1\n\(root)\n\n", 4), ("o\n1\n\(root)\nx\n\n", 5),
        ] {
            #expect(throws: NoteError.malformed(.checkpoint, line: line), "\(text)") {
                try Checkpoint(text: Array(text.utf8))
            }
        }
        let many = "o\n1\n\(root)\n" + String(repeating: "x\n", count: 17)
        #expect(throws: NoteError.tooLarge(.checkpoint)) { try Checkpoint(text: Array(many.utf8)) }
    }

    @Test func `a log signs under its origin only, and no witness signs as a log`() throws {
        let origin = try #require(NoteKeyName("log.example"))
        let checkpoint = Checkpoint(origin: origin, size: 0, root: .empty)
        let signed = try SignedCheckpoint(checkpoint, signedBy: Signers.key("log.example"))
        #expect(try SignedCheckpoint(parsing: signed.note.bytes) == signed)
        #expect(throws: NoteError.signingFailed) {
            try SignedCheckpoint(checkpoint, signedBy: Signers.key("log.other"))
        }
        #expect(throws: NoteError.signingFailed) {
            try SignedCheckpoint(checkpoint, signedBy: Signers.key("log.example", .cosignature))
        }
    }
}

@Suite struct `A policy` {
    /// A checkpoint, cosigned by these witnesses at a fixed time.
    static func checkpoint(
        _ origin: String = "log.example",
        seed: UInt8 = 1,
        witnesses: [UInt8]
    ) throws -> SignedCheckpoint {
        let key = try Signers.key(origin, seed: seed)
        let checkpoint = Checkpoint(origin: key.verifier.name, size: 1, root: .leaf([1]))
        var note = try SignedCheckpoint(checkpoint, signedBy: key).note
        for seed in witnesses {
            note = try note.adding(Signers.key("w\(seed)", .cosignature, seed: seed).signature(over: note.text, at: 7))
        }
        return try SignedCheckpoint(note)
    }

    static func vkey(_ seed: UInt8) throws -> String {
        try Signers.key("w\(seed)", .cosignature, seed: seed).verifier.text
    }

    static func policy(_ lines: String) throws -> LogPolicy { try LogPolicy(parsing: Array(lines.utf8)) }

    /// The example of C2SP tlog-policy: two of three and one of three.
    static func example() throws -> String {
        var lines = ["# two groups", "", "log \(try Signers.key("log.example").verifier.text) https://log.example"]
        for (name, seeds) in [("X", 11...13), ("Y", 21...23)] as [(String, ClosedRange<UInt8>)] {
            for seed in seeds { lines.append(" witness \(name)\(seed) \t\(try vkey(seed))") }
        }
        lines += ["group X-witnesses 2 X11 X12 X13", "group Y-witnesses any Y21 Y22 Y23"]
        return (lines + ["group X-and-Y all X-witnesses Y-witnesses", "quorum X-and-Y"]).joined(separator: "\n") + "\n"
    }

    @Test(
        arguments: [
            ([11, 12, 21], true), ([11, 13, 23], true), ([11, 12, 13, 21, 22, 23], true), ([21, 12, 11], true),
            ([11, 21], false), ([11, 12], false), ([21, 22, 23], false), ([], false), ([11, 11, 21], false),
            ([11, 31, 21], false),
        ] as [([UInt8], Bool)]
    )
    func `the specification's example asks for two of three and one of three`(witnesses: [UInt8], holds: Bool) throws {
        let policy = try Self.policy(Self.example())
        let signed = try Self.checkpoint(witnesses: witnesses)
        if holds {
            #expect(try policy.verify(signed).count == 1 + witnesses.count)
            #expect(try policy.verify(signed).dropFirst().allSatisfy { $0.time == 7 })
        } else {
            let known = policy.witnesses.map(\.key.name.text).filter { name in witnesses.contains { name == "w\($0)" } }
            let names = known.compactMap { NoteKeyName($0) }
            #expect(throws: NoteError.quorumMissing(cosigned: names)) { try policy.verify(signed) }
        }
    }

    @Test func `no witness counts for a log that did not sign, nor does a log for another`() throws {
        let policy = try Self.policy(Self.example())
        let all: [UInt8] = [11, 12, 13, 21]
        let name = try #require(NoteKeyName("log.example"))
        #expect(throws: NoteError.notSigned(by: [name])) { try policy.verify(Self.checkpoint(seed: 2, witnesses: all)) }
        let other = try #require(NoteKeyName("log.other"))
        #expect(throws: NoteError.otherOrigin(found: other)) {
            try policy.verify(Self.checkpoint("log.other", witnesses: all))
        }
        let signed = try Self.checkpoint(witnesses: all)
        let forged = try Signers.key("w21", .cosignature, seed: 21).signature(over: [0x61, 0x0A], at: 7)
        #expect(throws: NoteError.signatureWrong(try #require(NoteKeyName("w21")))) {
            try policy.verify(SignedCheckpoint(signed.note.adding(forged)))
        }
    }

    @Test func `either key of a log that changed it will do, and none is asked to cosign`() throws {
        let keys = [try Signers.key("log.example", seed: 1), try Signers.key("log.example", seed: 2)].map(\.verifier)
        let lines = keys.map { "log \($0.text)\n" }.joined() + "quorum none\n"
        for policy in [try Self.policy(lines), try LogPolicy(logs: keys)] {
            for seed in [1, 2] as [UInt8] {
                #expect(try policy.verify(Self.checkpoint(seed: seed, witnesses: [])).count == 1)
            }
            #expect(throws: NoteError.self) { try policy.verify(Self.checkpoint(seed: 3, witnesses: [11])) }
        }
        #expect(throws: NoteError.malformed(.policy, line: 0)) { try LogPolicy(logs: []) }
        #expect(throws: NoteError.malformed(.policy, line: 0)) {
            try LogPolicy(logs: [Signers.key("w", .cosignature).verifier])
        }
    }

    @Test func `one witness can be the quorum`() throws {
        let policy = try Self.policy(Self.example().replacing("quorum X-and-Y", with: "quorum Y22"))
        #expect(try policy.verify(Self.checkpoint(witnesses: [22])).count == 2)
        #expect(throws: NoteError.quorumMissing(cosigned: [])) { try policy.verify(Self.checkpoint(witnesses: [])) }
    }

    @Test func `what a policy may not say is refused by its line`() throws {
        let w = try Self.vkey(1)
        let log = try Signers.key("log.example").verifier.text
        for (text, line) in [
            ("", 0), ("log \(log)\n", 0), ("quorum nobody\n", 1), ("quorum none\nquorum none\n", 2), ("quorum\n", 1),
            ("log\nquorum none\n", 1), ("log \(w)\nquorum none\n", 1), ("log \(log)\nlog \(log)\nquorum none\n", 2),
            ("witness none \(w)\nquorum none\n", 1), ("witness a \(log)\nquorum none\n", 1),
            ("witness a x\nquorum none\n", 1),
            ("witness a \(w)\nwitness a \(try Self.vkey(2))\nquorum none\n", 2),
            ("witness a \(w)\nwitness b \(w)\nquorum none\n", 2),
            ("witness a \(w)\ngroup g 1\nquorum none\n", 2), ("witness a \(w)\ngroup g 0 a\nquorum none\n", 2),
            ("witness a \(w)\ngroup g 2 a\nquorum none\n", 2), ("witness a \(w)\ngroup g 01 a\nquorum none\n", 2),
            ("witness a \(w)\ngroup g some a\nquorum none\n", 2), ("witness a \(w)\ngroup g 1 a b\nquorum none\n", 2),
            ("witness a \(w)\ngroup g any a a\nquorum none\n", 2),
            ("witness a \(w)\ngroup g any none\nquorum none\n", 2),
            ("witness a \(w)\ngroup a any a\nquorum none\n", 2), ("group g any g\nquorum none\n", 1),
            ("witness a \(w)\ngroup g any a\ngroup h any a\nquorum none\n", 3), ("mirror a \(w)\nquorum none\n", 1),
            ("quorum a\nwitness a \(w)\n", 1), ("quorum none\r\n", 0), ("quorum none\u{0}\n", 0),
        ] {
            #expect(throws: NoteError.malformed(.policy, line: line), "\(text)") { try Self.policy(text) }
        }
        let large = String(repeating: "# a comment\n", count: 6000)
        #expect(throws: NoteError.tooLarge(.policy)) { try Self.policy(large + "quorum none\n") }
    }
}
