import Crypto
import Foundation

/// Judges a secret that is sent along. It says who sends, and nothing of what.
struct SharedCredential {
    let rule: SigningProfile.CredentialRule
    let profile: SigningProfile

    /// Characters of the header.
    static let longest = 4_096

    func verify(
        _ request: HookRequest,
        keys: [SigningKey],
        credential: (_ presented: String, _ expected: String) -> Bool
    ) throws(Verdict.Refusal) -> Verdict.Acceptance {
        let presented = try request.one(rule.header, longest: Self.longest, .credential)
        guard !presented.isEmpty, presented.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
            throw .credentialMalformed
        }
        var hasFittingKind = false
        for key in keys {
            guard case .token(let secret) = key.material else { continue }
            hasFittingKind = true
            // Every way of writing it is compared, so that the time tells nothing of which fits.
            let fits = rule.kind.written(secret).map { credential(presented, $0) }
            guard fits.contains(true) else { continue }
            return Verdict.Acceptance(
                messageID: nil,
                signedAt: nil,
                deduplication: profile.deduplication.hash(id: nil, signedBytes: request.body),
                keyID: key.id,
                scheme: "",
                bodyIsProved: false
            )
        }
        guard hasFittingKind else { throw .noKeyForVersion }
        throw rule.kind.isWritten(presented) ? .credentialWrong : .credentialMalformed
    }

    /// Equality that takes as long for any two texts of the same lengths.
    static func areEqual(_ one: String, _ other: String) -> Bool {
        let (one, other) = (SHA256.hash(data: Data(one.utf8)), SHA256.hash(data: Data(other.utf8)))
        return zip(one, other).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension SigningProfile.CredentialRule.Kind {
    /// The values that the header may have for this secret: a scheme's name counts in each of its
    /// usual cases.
    func written(_ secret: String) -> [String] {
        switch self {
        case .header: [secret]
        case .bearer: ["Bearer", "bearer", "BEARER"].map { $0 + " " + secret }
        case .basic: ["Basic", "basic", "BASIC"].map { $0 + " " + Data(secret.utf8).base64EncodedString() }
        }
    }

    /// Whether a value could be one of another secret.
    func isWritten(_ value: String) -> Bool {
        switch self {
        case .header: true
        case .bearer: value.lowercased().hasPrefix("bearer ") && value.utf8.count > 7
        case .basic: value.lowercased().hasPrefix("basic ") && Data(base64Encoded: String(value.dropFirst(6))) != nil
        }
    }
}
