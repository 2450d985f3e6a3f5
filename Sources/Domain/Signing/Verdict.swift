/// What the proof of a delivery is worth.
package enum Verdict: Hashable, Sendable {
    case accepted(Acceptance)
    case refused(Refusal)

    /// What the proof covers. Everything here was signed.
    package struct Acceptance: Hashable, Sendable {
        /// The sender's id of the delivery, where the profile has one and signs it.
        package let messageID: String?
        /// When the sender signed it; nil when the profile has no signed time.
        package let signedAt: Timestamp?
        /// 32 bytes, the same for every repetition of this delivery and, within its source, for no other.
        package let deduplication: [UInt8]
        /// The key that fits; nil for a key that came from no row.
        package let keyID: SourceKeyID?
        /// The scheme whose signature fits, as `v1a`; empty when the profile has one scheme without a tag.
        package let scheme: String
    }

    /// Why a delivery was not accepted. Raw values are stored and shown, and never change.
    package enum Refusal: String, CaseIterable, Hashable, Sendable {
        case signatureMissing = "signature-missing"
        case signatureRepeated = "signature-repeated"
        case signatureTooLong = "signature-too-long"
        /// Not written as the profile says, or without one signature that can be read.
        case signatureMalformed = "signature-malformed"
        /// More signatures than anybody needs for a rotation.
        case signatureTooMany = "signature-too-many"
        /// Only of versions that the profile does not know.
        case versionUnknown = "version-unknown"
        case idMissing = "id-missing"
        case idRepeated = "id-repeated"
        case idMalformed = "id-malformed"
        case timestampMissing = "timestamp-missing"
        case timestampRepeated = "timestamp-repeated"
        case timestampMalformed = "timestamp-malformed"
        case timestampTooOld = "timestamp-too-old"
        case timestampTooEarly = "timestamp-in-the-future"
        /// Another header that is signed is missing, repeated or too long.
        case signedHeaderMissing = "signed-header-missing"
        /// The source has no key that is valid now.
        case noKey = "no-key"
        /// The source has keys, but none of the kind that these signatures need.
        case noKeyForVersion = "no-key-for-version"
        /// No signature fits any key.
        case signatureWrong = "signature-wrong"

        /// True when we lack what we would need to judge: to be answered 503, so that the sender tries again, and never
        /// by the profile's rejection (design: a fault of ours is never a 4xx).
        package var isOurs: Bool { self == .noKey }
    }
}

/// The signed time of a delivery against the time of its receipt.
extension SigningProfile.TimestampRule {
    /// The instant that a signed text means; nil unless it is written exactly as the unit is.
    func instant(_ text: String) -> Timestamp? {
        switch unit {
        case .rfc3339: return Timestamp(text)
        case .seconds: return Self.number(text, digits: 11).map { Timestamp(seconds: $0) }
        case .milliseconds: return Self.number(text, digits: 14).map { Timestamp(microseconds: $0 * 1_000) }
        }
    }

    /// The text that means an instant, fractions of the unit dropped.
    func text(_ instant: Timestamp) -> String {
        switch unit {
        case .rfc3339: instant.description
        case .seconds: String(instant.seconds)
        case .milliseconds: String(instant.microseconds / 1_000)
        }
    }

    /// Nil when the instant lies in the window.
    func refusal(_ instant: Timestamp, receivedAt: Timestamp) -> Verdict.Refusal? {
        if let pastSeconds, instant + .seconds(pastSeconds) < receivedAt { return .timestampTooOld }
        if let futureSeconds, receivedAt + .seconds(futureSeconds) < instant { return .timestampTooEarly }
        return nil
    }

    /// Digits only: no sign, no leading zero, no white space.
    private static func number(_ text: String, digits: Int) -> Int64? {
        let bytes = text.utf8
        guard (1...digits).contains(bytes.count), bytes.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            bytes.count == 1 || bytes.first != 0x30
        else { return nil }
        return Int64(text)
    }
}
