import Crypto
import Testing
import Transparency

/// Keys with fixed seeds, and what is signed with them.
enum Signers {
    static func key(_ name: String, _ kind: NoteKind = .ed25519, seed: UInt8 = 1) throws -> NoteSigningKey {
        try NoteSigningKey(
            name: #require(NoteKeyName(name)),
            kind: kind,
            seed: Array(repeating: seed, count: NoteKind.keyLength)
        )
    }

    static func note(_ text: String, by keys: [NoteSigningKey], at time: UInt64 = 1_700_000_000) throws -> SignedNote {
        let bytes = Array(text.utf8)
        return try SignedNote(text: bytes, signatures: keys.map { try $0.signature(over: bytes, at: time) })
    }
}

extension Vectors {
    static func line(_ path: String, _ place: Int = 0) throws -> String {
        String(try #require(String(decoding: bytes(path), as: UTF8.self).split(separator: "\n").dropFirst(place).first))
    }
}

@Suite struct `Signed notes` {
    @Test func `the specification's example holds`() throws {
        let key = try NoteVerifierKey(Vectors.line("c2sp/example.vkey"))
        #expect(key.name.text == "example.com/foo")
        #expect(key.id == 0x530d_903a)
        #expect(key.text == (try Vectors.line("c2sp/example.vkey")))
        let bytes = try Vectors.bytes("c2sp/example.note")
        let note = try SignedNote(parsing: bytes)
        #expect(note.bytes == bytes)
        #expect(note.text == Array("This is an example message.\n".utf8))
        #expect(try note.verified(by: [key]).map(\.key) == [key])
        #expect(try note.verified(by: [key]).first?.time == nil)
    }

    @Test func `two signers of the Go module's tests hold, each alone and both`() throws {
        let peter = try NoteVerifierKey(Vectors.line("c2sp/go.vkeys"))
        let enoch = try NoteVerifierKey(Vectors.line("c2sp/go.vkeys", 1))
        let note = try SignedNote(parsing: Vectors.bytes("c2sp/go.note"))
        #expect(try note.verified(by: [peter]).map(\.key) == [peter])
        #expect(try note.verified(by: [enoch]).map(\.key) == [enoch])
        #expect(try note.verified(by: [enoch, peter]).map(\.key) == [peter, enoch])
        #expect(try note.verified(by: []).isEmpty)
    }

    @Test func `a published private key has its published name, id and signatures`() throws {
        let text = try Vectors.line("c2sp/go.skey")
        let key = try NoteSigningKey(text)
        #expect(key.text == text)
        #expect(key.verifier == (try NoteVerifierKey(Vectors.line("c2sp/go.vkeys"))))
        let note = try SignedNote(parsing: Vectors.bytes("c2sp/go.note"))
        // Signing is not deterministic in every library, so that what counts is that it is accepted.
        let ours = try SignedNote(text: note.text, signatures: [key.signature(over: note.text)])
        #expect(try ours.verified(by: [key.verifier]).count == 1)
        #expect(
            try NoteSigningKey(Vectors.line("c2sp/golden/log.skey")).verifier.text
                == Vectors.line("c2sp/golden/log.vkey")
        )
    }

    @Test(arguments: [
        "", "example.com/foo", "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
        "example com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "example.com/foo+530d903a+",
        "a+00000000+AQ==",
    ])
    func `a verifier key that is not the key of its id is refused`(text: String) {
        #expect(throws: NoteError.malformed(.verifierKey, line: 0)) { try NoteVerifierKey(text) }
    }

    @Test(arguments: [
        "", "PRIVATE+KEY+PeterNeumann+c74f20a3",
        "PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PUBLIC+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AoEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK",
    ])
    func `a signing key that is not the key of its id is refused`(text: String) {
        #expect(throws: NoteError.malformed(.signingKey, line: 0)) { try NoteSigningKey(text) }
    }

    @Test func `one secret under two names has two ids, and one name and secret of two kinds too`() throws {
        let log = try Signers.key("log.example/a")
        let other = try log.named(#require(NoteKeyName("log.example/b")))
        #expect(other.verifier.publicKey == log.verifier.publicKey)
        #expect(other.verifier.id != log.verifier.id)
        #expect(try Signers.key("log.example/a", .cosignature).verifier.id != log.verifier.id)
    }

    @Test func `an unknown key is ignored, also one that shares name or id with a known one`() throws {
        let known = try Signers.key("a", seed: 1)
        let sameName = try Signers.key("a", seed: 2)
        let note = try Signers.note("text\n", by: [known, sameName])
        #expect(try note.verified(by: [known.verifier]).count == 1)
        #expect(try note.verified(by: [Signers.key("b", seed: 1).verifier]).isEmpty)
    }

    @Test func `a known signature that does not hold refuses the note, whoever else has signed`() throws {
        let (one, two) = (try Signers.key("one", seed: 1), try Signers.key("two", seed: 2))
        let good = try Signers.note("text\n", by: [one, two])
        let moved = try SignedNote(text: Array("test\n".utf8), signatures: good.signatures)
        #expect(throws: NoteError.signatureWrong(two.verifier.name)) { try moved.verified(by: [two.verifier]) }
        let forged = try one.signature(over: Array("test\n".utf8))
        #expect(throws: NoteError.signatureWrong(one.verifier.name)) {
            try good.adding(forged).verified(by: [two.verifier, one.verifier])
        }
        #expect(try good.adding(forged).verified(by: [two.verifier]).count == 1)
    }

    @Test func `a cosignature says when, and covers it`() throws {
        let witness = try Signers.key("witness.example/w", .cosignature)
        let note = try Signers.note("a\n1\nx\n", by: [witness], at: 1_679_315_147)
        #expect(try note.verified(by: [witness.verifier]).map(\.time) == [1_679_315_147])
        let bytes = note.signatures[0].bytes
        #expect(bytes.count == 72)
        let key = try Curve25519.Signing.PublicKey(rawRepresentation: witness.verifier.publicKey)
        let message = Array("cosignature/v1\ntime 1679315147\na\n1\nx\n".utf8)
        #expect(key.isValidSignature(bytes.dropFirst(8), for: message))
        #expect(throws: NoteError.timeImpossible(witness.verifier.name)) {
            try witness.signature(over: message, at: .max)
        }
        // The time is moved by one second, in its lowest byte.
        let line = note.signatures[0].line
        var blob = try #require(Base64.standard.decode(line.split(separator: " ")[2].dropLast()))
        blob[11] ^= 1
        let later = Array("a\n1\nx\n\n\u{2014} witness.example/w \(Base64.standard.encode(blob))\n".utf8)
        #expect(throws: NoteError.signatureWrong(witness.verifier.name)) {
            try SignedNote(parsing: later).verified(by: [witness.verifier])
        }
        blob.removeLast()
        let short = Array("a\n1\nx\n\n\u{2014} witness.example/w \(Base64.standard.encode(blob))\n".utf8)
        #expect(throws: NoteError.signatureWrong(witness.verifier.name)) {
            try SignedNote(parsing: short).verified(by: [witness.verifier])
        }
    }

    @Test func `text ends at the last empty line`() throws {
        let key = try Signers.key("a")
        let note = try Signers.note("one\n\n\u{2014} a AAAAAAA=\n\ntwo\n", by: [key])
        #expect(try SignedNote(parsing: note.bytes) == note)
    }

    @Test func `what is written another way is refused by its line`() throws {
        let sound = String(decoding: try Signers.note("a\nb\n", by: [Signers.key("k")]).bytes, as: UTF8.self)
        let line = try #require(sound.split(separator: "\n").last)
        for (text, place) in [
            ("", 0), ("\n", 0), ("a\nb\n", 0), ("a\n\(line)\n", 0), (String(sound.dropLast()), 0), (sound + "\n", 6),
            (sound + "x\n", 5), ("a\nb\n\n", 4), (sound.replacing("\u{2014}", with: "-"), 4),
            (sound.replacing("\u{2014} k", with: "\u{2014}  k"), 4),
            (sound.replacing("\u{2014} k", with: "\u{2014} k+"), 4),
            (sound.replacing("a\nb", with: "a\u{0}b"), 0), (sound.replacing("a\nb", with: "a\r\nb"), 0),
            (sound.replacing("a\nb", with: "a\tb"), 0), ("\n\n" + line + "\n", 0),
            ("a\n\n\u{2014} k AAAAAA==\n", 3), ("a\n\n\u{2014} k \n", 3), ("a\n\n\u{2014} k\u{a0}l AAAAAAA=\n", 3),
        ] {
            #expect(throws: NoteError.malformed(.note, line: place), "\(text)") {
                try SignedNote(parsing: Array(text.utf8))
            }
        }
        #expect(throws: NoteError.malformed(.note, line: 0)) { try SignedNote(parsing: [0xFF] + Array(sound.utf8)) }
    }

    @Test func `notes are bounded, and take more than the 16 signatures that they have to`() throws {
        let key = try Signers.key("k")
        let line = try key.signature(over: Array("a\n".utf8)).line
        func note(_ count: Int) -> [UInt8] { Array(("a\n\n" + String(repeating: line, count: count)).utf8) }
        #expect(try SignedNote(parsing: note(64)).signatures.count == 64)
        #expect(throws: NoteError.tooLarge(.note)) { try SignedNote(parsing: note(65)) }
        let long = [UInt8](repeating: 0x61, count: SignedNote.largestBytes)
        #expect(throws: NoteError.tooLarge(.note)) { try SignedNote(parsing: long + note(1)) }
    }

    @Test func `noise is refused and never more than that`() throws {
        let sound = try Signers.note("a\nb\n", by: [Signers.key("k"), Signers.key("w", .cosignature)]).bytes
        let keys = [try Signers.key("k").verifier, try Signers.key("w", .cosignature).verifier]
        var random = SeededGenerator(seed: 5)
        for _ in 0..<800 {
            var bytes = sound
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] ^= UInt8.random(in: 1...255, using: &random)
            case 1: bytes.remove(at: place)
            default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            }
            do throws(NoteError) {
                let verified = try SignedNote(parsing: bytes).verified(by: keys)
                #expect(verified.count < 2, "\(String(decoding: bytes, as: UTF8.self))")
            } catch {
                continue
            }
        }
    }
}
