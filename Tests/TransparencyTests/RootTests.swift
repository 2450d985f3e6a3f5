import Testing
import Transparency

@Suite struct `The root log` {
    private static func key(_ name: String, _ seed: UInt8) throws -> NoteSigningKey {
        try NoteSigningKey(
            name: #require(NoteKeyName(name)),
            kind: .ed25519,
            seed: Array(repeating: seed, count: NoteKind.keyLength)
        )
    }

    private static func checkpoint(_ name: String, size: Int) throws -> Checkpoint {
        Checkpoint(origin: try #require(NoteKeyName(name)), size: size, root: .leaf([UInt8(size)]))
    }

    private static func binding(_ byte: UInt8) throws -> CheckpointBinding {
        try #require(CheckpointBinding(salt: Array(repeating: byte, count: CheckpointBinding.saltLength)))
    }

    /// The anchor of the checkpoint at index 3 of a root log of ten.
    private static func anchor(of checkpoint: Checkpoint) throws -> CheckpointAnchor {
        var tree = TileTree()
        for place in 0..<10 {
            let other = try Self.checkpoint("log.example/\(place)", size: place + 1)
            let leaf = try binding(UInt8(place)).leaf(of: place == 3 ? checkpoint : other)
            _ = try tree.append(.leaf(leaf))
        }
        let key = try key("log.example/root", 7)
        let root = Checkpoint(origin: key.verifier.name, size: tree.size, root: tree.root)
        return try CheckpointAnchor(
            checkpoint,
            by: binding(3),
            index: 3,
            in: SignedCheckpoint(root, signedBy: key),
            tiles: tree.partialTiles
        )
    }

    @Test func `holds a checkpoint that its anchor shows, and no other`() throws {
        let checkpoint = try Self.checkpoint("log.example/acme", size: 5)
        let made = try Self.anchor(of: checkpoint)
        let read = try CheckpointAnchor(parsing: made.proof.bytes)
        #expect(read == made)
        try read.verify(checkpoint)
        for other in [
            try Self.checkpoint("log.example/acme", size: 6), try Self.checkpoint("log.example/acm", size: 5),
        ] {
            #expect(throws: TreeError.rootDiffers(size: 10)) { try read.verify(other) }
        }
    }

    @Test func `tells nobody without the salt whose leaf it is`() throws {
        let checkpoint = try Self.checkpoint("log.example/acme", size: 5)
        let (one, other) = (try Self.binding(1).leaf(of: checkpoint), try Self.binding(2).leaf(of: checkpoint))
        #expect(one != other)
        let text = String(decoding: one, as: UTF8.self)
        #expect(text.hasPrefix("rollcall/checkpoint-binding/v1\n") && !text.contains("acme"))
        #expect(CheckpointBinding(salt: [1, 2, 3]) == nil)
    }

    @Test func `an anchor without its salt is none`() throws {
        let made = try Self.anchor(of: try Self.checkpoint("log.example/acme", size: 5))
        let text = String(decoding: made.proof.bytes, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let without = ([lines[0]] + lines.dropFirst(2)).joined(separator: "\n")
        _ = try LogProof(parsing: Array(without.utf8))
        #expect(throws: NoteError.malformed(.proof, line: 2)) { try CheckpointAnchor(parsing: Array(without.utf8)) }
        let short = text.replacing(lines[1], with: "extra AAAA")
        #expect(throws: NoteError.malformed(.proof, line: 2)) { try CheckpointAnchor(parsing: Array(short.utf8)) }
    }
}

@Suite struct `A policy that says where witnesses are` {
    @Test func `names their address without a slash at its end, and none where there is none`() throws {
        let key = try NoteSigningKey(
            name: #require(NoteKeyName("witness.example/w")),
            kind: .cosignature,
            seed: Array(repeating: 1, count: NoteKind.keyLength)
        ).verifier.text
        for (url, expected) in [
            (" https://w.example/prefix/", "https://w.example/prefix"), (" https://w.example", "https://w.example"),
            ("", nil),
        ] as [(String, String?)] {
            let policy = try LogPolicy(parsing: Array("witness w \(key)\(url)\nquorum w\n".utf8))
            #expect(policy.witnesses.first?.url == expected)
            #expect(policy.asksForWitnesses)
        }
        #expect(try !LogPolicy(parsing: Array("quorum none\n".utf8)).asksForWitnesses)
    }
}

@Suite struct `Keys that vouch for one another` {
    private static func key(_ seed: UInt8, _ name: String = "log.example/acme") throws -> NoteSigningKey {
        try NoteSigningKey(
            name: #require(NoteKeyName(name)),
            kind: .ed25519,
            seed: Array(repeating: seed, count: NoteKind.keyLength)
        )
    }

    @Test func `are believed along the whole line, in whatever order it is told`() throws {
        let keys = try (1...4).map { try Self.key($0) }
        let line = try zip(keys, keys.dropFirst()).map { try KeyEndorsement(of: $1.verifier, by: $0) }
        let read = try line.map { try KeyEndorsement(parsing: $0.note.bytes) }
        #expect(read == line)
        let all = keys.map(\.verifier)
        #expect(Set(try KeyEndorsement.believed([all[0]], by: read.reversed())) == Set(all))
        // Not backwards: a new key says nothing for an old one.
        #expect(try KeyEndorsement.believed([all[3]], by: read) == [all[3]])
        #expect(Set(try KeyEndorsement.believed([all[0]], by: [read[0], read[2]])) == Set(all.prefix(2)))
    }

    @Test func `a policy believes checkpoints of a key that was vouched for`() throws {
        let (old, new) = (try Self.key(1), try Self.key(2))
        let checkpoint = Checkpoint(origin: new.verifier.name, size: 0, root: .empty)
        let signed = try SignedCheckpoint(checkpoint, signedBy: new)
        let policy = try LogPolicy(logs: [old.verifier])
        #expect(throws: NoteError.notSigned(by: [old.verifier.name])) { try policy.verify(signed) }
        let endorsement = try KeyEndorsement(of: new.verifier, by: old)
        #expect(try policy.believing([endorsement]).verify(signed).count == 1)
        // Somebody's own word for himself.
        let stranger = try KeyEndorsement(of: new.verifier, by: Self.key(3))
        #expect(throws: NoteError.self) { try policy.believing([stranger]).verify(signed) }
    }

    @Test func `no checkpoint passes for an endorsement, and none of another log`() throws {
        let (old, new) = (try Self.key(1), try Self.key(2))
        let endorsement = try KeyEndorsement(of: new.verifier, by: old)
        #expect(throws: NoteError.self) { try SignedCheckpoint(parsing: endorsement.note.bytes) }
        let checkpoint = Checkpoint(origin: old.verifier.name, size: 0, root: .empty)
        #expect(throws: NoteError.self) {
            try KeyEndorsement(parsing: SignedCheckpoint(checkpoint, signedBy: old).note.bytes)
        }
        #expect(throws: NoteError.self) { try KeyEndorsement(of: Self.key(2, "log.other").verifier, by: old) }
        #expect(throws: NoteError.self) { try KeyEndorsement(of: old.verifier, by: old) }
        // A signature in the old key's name that does not hold.
        var bytes = endorsement.note.bytes
        bytes[KeyEndorsement.header.utf8.count + 1] = UInt8(ascii: "m")
        let forged = String(decoding: endorsement.note.bytes, as: UTF8.self)
            .replacing(new.verifier.text, with: try Self.key(3).verifier.text)
        #expect(throws: NoteError.signatureWrong(old.verifier.name)) {
            try KeyEndorsement.believed([old.verifier], by: [KeyEndorsement(parsing: Array(forged.utf8))])
        }
    }

    @Test func `a key that follows from another has nothing of it`() throws {
        let key = try Self.key(1)
        let name = try #require(NoteKeyName("log.example/root"))
        let derived = try key.derived(for: "root", named: name)
        #expect(derived.verifier.publicKey != key.verifier.publicKey)
        #expect(try key.derived(for: "root", named: name).verifier == derived.verifier)
        #expect(try key.derived(for: "other", named: name).verifier != derived.verifier)
        let policy = "log \(key.verifier.text)\nlog \(derived.verifier.text)\nquorum none\n"
        #expect(try LogPolicy(parsing: Array(policy.utf8)).logs.count == 2)
    }
}
