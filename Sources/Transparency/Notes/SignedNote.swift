/// One signature line of a note: whose key it names, and what it says.
package struct NoteSignature: Hashable, Sendable {
    package let name: NoteKeyName
    package let keyID: UInt32
    package let bytes: [UInt8]

    init(_ key: NoteVerifierKey, _ bytes: [UInt8]) {
        (name, keyID, self.bytes) = (key.name, key.id, bytes)
    }

    /// Reads one line without its line feed; nil for what is none.
    init?(line: some StringProtocol) {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "\u{2014}", let name = NoteKeyName(parts[1]),
            let blob = Base64.standard.decode(parts[2]), blob.count > 4
        else { return nil }
        self.name = name
        keyID = blob.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        bytes = Array(blob.dropFirst(4))
    }

    /// The line with its line feed.
    package var line: String {
        let id = (0..<4).map { UInt8(keyID >> (24 - 8 * UInt32($0)) & 0xFF) }
        return "\u{2014} \(name.text) \(Base64.standard.encode(id + bytes))\n"
    }

    func names(_ key: NoteVerifierKey) -> Bool { keyID == key.id && name == key.name }
}

/// A signature that was checked and holds.
package struct VerifiedSignature: Hashable, Sendable {
    package let key: NoteVerifierKey
    /// When it was made by the witness' word, in seconds since 1970; nil for a plain signature.
    package let time: UInt64?
}

/// A text and the signatures under it (C2SP signed-note). What it says means nothing before `verified`.
package struct SignedNote: Hashable, Sendable {
    /// The signed bytes, ending with a line feed.
    package let text: [UInt8]
    package private(set) var signatures: [NoteSignature]

    /// Bytes of the largest note: room for all signatures, also post-quantum ones.
    package static let largestBytes = 262_144
    /// Signatures of one note. The format asks for room for 16.
    package static let mostSignatures = 64

    /// Refuses a text without its line feed at the end, with control characters, or with nothing to sign, and a note
    /// without signatures or with too many.
    package init(text: [UInt8], signatures: [NoteSignature]) throws(NoteError) {
        guard text.count > 1, text.last == 0x0A, Self.isPlain(text) else { throw .malformed(.note, line: 0) }
        guard !signatures.isEmpty else { throw .malformed(.note, line: 0) }
        guard signatures.count <= Self.mostSignatures else { throw .tooLarge(.note) }
        (self.text, self.signatures) = (text, signatures)
    }

    /// Reads a note as it is sent and kept. Refuses every signature line that is not in its form, also one of an unknown
    /// key.
    package init(parsing bytes: [UInt8]) throws(NoteError) {
        guard bytes.count <= Self.largestBytes else { throw .tooLarge(.note) }
        guard bytes.last == 0x0A, Self.isPlain(bytes), String(validating: bytes, as: UTF8.self) != nil,
            let blank = bytes.indices.last(where: { $0 > 0 && bytes[$0] == 0x0A && bytes[$0 - 1] == 0x0A })
        else { throw .malformed(.note, line: 0) }
        let text = Array(bytes[..<blank])
        let first = text.count { $0 == 0x0A } + 2
        var signatures: [NoteSignature] = []
        for (place, line) in bytes[(blank + 1)...].dropLast().split(separator: 0x0A, omittingEmptySubsequences: false)
            .enumerated()
        {
            guard signatures.count < Self.mostSignatures else { throw .tooLarge(.note) }
            guard let signature = NoteSignature(line: String(decoding: line, as: UTF8.self)) else {
                throw .malformed(.note, line: first + place)
            }
            signatures.append(signature)
        }
        try self.init(text: text, signatures: signatures)
    }

    /// The note as it is sent and kept.
    package var bytes: [UInt8] { text + [0x0A] + signatures.flatMap { Array($0.line.utf8) } }

    /// The note with another signature at its end, unless it has that one.
    package func adding(_ signature: NoteSignature) throws(NoteError) -> SignedNote {
        signatures.contains(signature) ? self : try SignedNote(text: text, signatures: signatures + [signature])
    }

    /// The signatures of these keys, all of which hold. Others are ignored; one of these that does not hold refuses the
    /// whole note. None of these keys at all is an empty list: what that means is the caller's to say.
    package func verified(by keys: [NoteVerifierKey]) throws(NoteError) -> [VerifiedSignature] {
        var verified: [VerifiedSignature] = []
        for signature in signatures {
            for key in keys where signature.names(key) {
                verified.append(VerifiedSignature(key: key, time: try key.verify(signature.bytes, over: text)))
            }
        }
        return verified
    }

    /// No control characters but line feeds.
    private static func isPlain(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { $0 >= 0x20 || $0 == 0x0A } }
}
