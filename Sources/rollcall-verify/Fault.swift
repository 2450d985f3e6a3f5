import Transparency

/// Kinds of what can be wrong. The number is the exit code; scripts and auditors' papers rely on number and word.
enum FaultKind: Int32, CaseIterable {
    case malformed = 10
    case missing = 11
    case altered = 12
    case tree = 13
    case signature = 14
    case origin = 15
    case witness = 16
    case rolledBack = 17
    case forked = 18
    case timestamp = 19

    var word: String {
        switch self {
        case .malformed: "malformed"
        case .missing: "missing"
        case .altered: "altered"
        case .tree: "tree"
        case .signature: "signature"
        case .origin: "origin"
        case .witness: "witness"
        case .rolledBack: "rolled-back"
        case .forked: "forked"
        case .timestamp: "timestamp"
        }
    }

    var meaning: String {
        switch self {
        case .malformed: "a file is not of its format"
        case .missing: "a file or an entry is not there"
        case .altered: "an entry is not the one that the log holds there"
        case .tree: "hashes do not lead to the root that was signed"
        case .signature: "no key that you believe has signed"
        case .origin: "it is of another log"
        case .witness: "too few witnesses have cosigned"
        case .rolledBack: "the log is smaller than it was"
        case .forked: "the log contradicts what it said before"
        case .timestamp: "no authority that you believe says when it was"
        }
    }
}

/// What is wrong, and where.
struct Fault: Error, Equatable {
    let kind: FaultKind
    /// The file, as it was named.
    let file: String
    /// Index in the log of the first entry that it concerns.
    var entry: Int?
    let reason: String

    init(_ kind: FaultKind, _ file: String, entry: Int? = nil, _ reason: String) {
        (self.kind, self.file) = (kind, file)
        (self.entry, self.reason) = (entry, reason)
    }

    /// Of a note, a checkpoint, a receipt.
    init(_ error: NoteError, in file: String) {
        let kind: FaultKind =
            switch error {
            case .malformed, .tooLarge, .signingFailed: .malformed
            case .notSigned, .signatureWrong, .timeImpossible: .signature
            case .otherOrigin: .origin
            case .quorumMissing: .witness
            }
        self.init(kind, file, "\(error)")
    }

    /// Of a time stamp.
    init(_ error: TimestampError, in file: String) {
        let kind: FaultKind =
            switch error {
            case .malformed, .algorithm: .malformed
            case .refused, .otherImprint, .otherNonce, .notTrusted, .notAnAuthority, .signatureWrong: .timestamp
            }
        self.init(kind, file, "\(error)")
    }

    /// Of a proof or a tile.
    init(_ error: TreeError, in file: String) {
        let kind: FaultKind =
            switch error {
            case .tileMissing: .missing
            case .tileMalformed, .bundleMalformed, .entryTooLong, .proofLength, .outside: .malformed
            case .rootDiffers: .tree
            }
        self.init(kind, file, "\(error)")
    }
}
