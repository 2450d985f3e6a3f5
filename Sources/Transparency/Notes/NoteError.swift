/// Why a note, a checkpoint, a proof or a policy is refused. Each names its place.
package enum NoteError: Error, Hashable, Sendable {
    /// Not in its format; the line counts from 1, 0 means the whole.
    case malformed(NoteForm, line: Int)
    /// More bytes, signatures or members than their bound.
    case tooLarge(NoteForm)
    /// None of the keys that are trusted has signed.
    case notSigned(by: [NoteKeyName])
    /// A signature names a trusted key and does not hold.
    case signatureWrong(NoteKeyName)
    /// It speaks of another log.
    case otherOrigin(found: NoteKeyName)
    /// Fewer witnesses have cosigned than the policy asks for; these have.
    case quorumMissing(cosigned: [NoteKeyName])
    /// A checkpoint was cosigned at a time that is not one.
    case timeImpossible(NoteKeyName)
    /// The key cannot sign.
    case signingFailed
}

/// What was to be read.
package enum NoteForm: String, Hashable, Sendable {
    case note
    case verifierKey = "verifier key"
    case signingKey = "signing key"
    case checkpoint
    case proof
    case policy
    case endorsement = "endorsement of a key"
}

extension NoteError: CustomStringConvertible {
    package var description: String {
        func list(_ names: [NoteKeyName]) -> String {
            names.isEmpty ? "nobody" : names.map(\.text).joined(separator: ", ")
        }
        switch self {
        case .malformed(let form, 0): return "not a \(form.rawValue)"
        case .malformed(let form, let line): return "not a \(form.rawValue), by its line \(line)"
        case .tooLarge(let form): return "larger than a \(form.rawValue) may be"
        case .notSigned(let keys): return "not signed by \(list(keys))"
        case .signatureWrong(let key): return "the signature of \(key.text) does not hold"
        case .otherOrigin(let found): return "it is of the log \(found.text)"
        case .quorumMissing(let cosigned): return "too few witnesses: cosigned by \(list(cosigned))"
        case .timeImpossible(let key): return "\(key.text) cosigned at a time that is none"
        case .signingFailed: return "the key cannot sign"
        }
    }
}
