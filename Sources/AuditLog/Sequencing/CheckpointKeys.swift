package import Domain
package import Transparency

/// The keys of every log of a deployment: text, a line each.
///
/// `PRIVATE+KEY+name+id+base64` signs; there is at least one, and while a key is being replaced there are two, both of which
/// sign, so that verifiers who know either of them go on. `name+id+base64` is a former key, believed about checkpoints that
/// were signed before and signing nothing. Empty lines and those that begin with `#` say nothing. Names do not count: each
/// log has its origin as the name of its keys.
package struct CheckpointKeys: Sendable {
    private let signing: [NoteSigningKey]
    private let former: [NoteVerifierKey]

    /// Lines that are keys, at most.
    package static let mostKeys = 16

    /// Refuses a line that is no key, naming its place and never its content, and a text without a key that signs.
    package init(parsing text: String) throws(CheckpointKeyError) {
        var signing: [NoteSigningKey] = []
        var former: [NoteVerifierKey] = []
        for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingPrefix { $0 == " " || $0 == "\t" }
            let key = String(line.reversed().drop { $0.isWhitespace }.reversed())
            if key.isEmpty || key.hasPrefix("#") { continue }
            guard signing.count + former.count < Self.mostKeys else { throw .tooManyKeys }
            do {
                if key.hasPrefix("PRIVATE+KEY+") {
                    signing.append(try NoteSigningKey(key))
                } else {
                    former.append(try NoteVerifierKey(key))
                }
            } catch {
                throw .unreadable(line: place + 1)
            }
        }
        guard signing.allSatisfy({ $0.verifier.kind == .ed25519 }), former.allSatisfy({ $0.kind == .ed25519 }) else {
            throw .notALogsKey
        }
        guard !signing.isEmpty else { throw .noSigningKey }
        (self.signing, self.former) = (signing, former)
    }

    /// What the origin of the root log is made of.
    package static func rootOrigin(of publicURL: String) -> String {
        let start = publicURL.firstRange(of: "://")?.upperBound ?? publicURL.startIndex
        return publicURL[start...] + "/v1/audit/root"
    }

    /// A line for a new key; its name says what it is for and counts nowhere.
    package static func line(using randomness: some Randomness) throws(NoteError) -> String {
        guard let name = NoteKeyName("checkpoints") else { throw .malformed(.signingKey, line: 0) }
        return try NoteSigningKey(name: name, kind: .ed25519, seed: randomness.bytes(32)).text
    }

    /// What a log of that origin is signed with and believed by.
    package func keys(of origin: NoteKeyName) throws(NoteError) -> LogKeys {
        var named: [NoteSigningKey] = []
        for key in signing { named.append(try key.named(origin)) }
        var believed = named.map(\.verifier)
        for key in former {
            believed.append(try NoteVerifierKey(name: origin, kind: key.kind, publicKey: key.publicKey))
        }
        return LogKeys(signing: named, believed: believed)
    }

    /// What the root log is signed with and believed by: keys that follow from these, so that a policy may list the root log
    /// beside an organization's, which would be one key twice.
    package func rootKeys(of origin: NoteKeyName) throws(NoteError) -> LogKeys {
        var derived: [NoteSigningKey] = []
        for key in signing { derived.append(try key.derived(for: "rollcall root log", named: origin)) }
        var believed = derived.map(\.verifier)
        for key in former {
            believed.append(try NoteVerifierKey(name: origin, kind: key.kind, publicKey: key.publicKey))
        }
        return LogKeys(signing: derived, believed: believed)
    }
}

/// The keys of one log, under its origin.
package struct LogKeys: Sendable {
    private let signing: [NoteSigningKey]
    /// Those that sign, then former ones.
    package let believed: [NoteVerifierKey]

    fileprivate init(signing: [NoteSigningKey], believed: [NoteVerifierKey]) {
        (self.signing, self.believed) = (signing, believed)
    }

    /// What verifiers are to believe from now on.
    package var current: [NoteVerifierKey] { signing.map(\.verifier) }

    /// What each key that signs has to say for the others that do, less what was said already.
    func endorsements(beyond known: [KeyEndorsement]) throws(NoteError) -> [KeyEndorsement] {
        var made: [KeyEndorsement] = []
        for key in signing {
            for other in current where other != key.verifier {
                let endorsement = try KeyEndorsement(of: other, by: key)
                let isKnown = known.contains { $0.note.text == endorsement.note.text && $0.isSigned(by: key.verifier) }
                if !isKnown { made.append(endorsement) }
            }
        }
        return made
    }

    /// The checkpoint under the signature of every key that signs.
    func sign(_ checkpoint: Checkpoint) throws(NoteError) -> SignedCheckpoint {
        let text = checkpoint.text
        var signatures: [NoteSignature] = []
        for key in signing { signatures.append(try key.signature(over: text)) }
        return try SignedCheckpoint(SignedNote(text: text, signatures: signatures))
    }
}

/// Why the keys of the logs cannot be used. Never holds a key.
package enum CheckpointKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    case unreadable(line: Int)
    case tooManyKeys
    case noSigningKey
    /// A key of a witness.
    case notALogsKey

    package var description: String {
        switch self {
        case .unreadable(let line): "line \(line) is no key"
        case .tooManyKeys: "there are more than \(CheckpointKeys.mostKeys) keys"
        case .noSigningKey: "there is no key that signs: make one with rollcall keys checkpoint"
        case .notALogsKey: "a key is not of type Ed25519 for logs"
        }
    }
}
