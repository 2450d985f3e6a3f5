/// What the proof of a delivery is worth.
package enum Verdict: Hashable, Sendable {
    case accepted(Acceptance)
    case refused(Refusal)

    /// What the proof covers. Everything here was proved, but for the body where `bodyIsProved` is false.
    package struct Acceptance: Hashable, Sendable {
        /// The sender's id of the delivery, where the profile has one and this proof covers it.
        package let messageID: String?
        /// When the sender signed it; nil when the profile has no signed time, or it is one that cannot be read.
        package let signedAt: Timestamp?
        /// 32 bytes, the same for every repetition of this delivery and, within its source, for no other.
        package let deduplication: [UInt8]
        /// The key that fits; nil for a key that came from no row.
        package let keyID: SourceKeyID?
        /// The scheme whose signature fits, as `v1a`; empty when the profile has one scheme without a tag.
        package let scheme: String
        /// False where whoever knows one valid proof could put another body under it: such a body changes nothing
        /// alone (design, rule 3).
        package let bodyIsProved: Bool
    }

    /// Why a delivery was not accepted. Raw values are stored and shown, and never change.
    package enum Refusal: String, Error, CaseIterable, Hashable, Sendable {
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
        /// The sender itself said until when it counts, and that is over.
        case signatureExpired = "signature-expired"
        /// Another header that is signed is missing, repeated, too long or ambiguous.
        case signedHeaderMissing = "signed-header-missing"
        /// A part of the request that the profile wants covered is not.
        case componentMissing = "component-not-covered"
        /// Something is covered that cannot be rebuilt here.
        case componentUnsupported = "component-unsupported"
        case digestMissing = "digest-missing"
        case digestMalformed = "digest-malformed"
        /// The signed digest is not the body's.
        case digestWrong = "digest-wrong"
        /// The body cannot be read, and the proof stands in it.
        case bodyMalformed = "body-malformed"
        case credentialMissing = "credential-missing"
        case credentialRepeated = "credential-repeated"
        case credentialMalformed = "credential-malformed"
        /// The shared token or password is another.
        case credentialWrong = "credential-wrong"
        /// The token is of another type than the profile's.
        case tokenTypeWrong = "token-type-wrong"
        case issuerWrong = "issuer-wrong"
        case audienceWrong = "audience-wrong"
        /// A claim that has to be there is missing or of another form.
        case claimMalformed = "claim-malformed"
        /// No key of the source has the name that the sender gave.
        case keyUnknown = "key-unknown"
        /// The sender names another algorithm than its key's.
        case algorithmWrong = "algorithm-wrong"
        /// The source has no key that is valid now.
        case noKey = "no-key"
        /// The source has keys, but none of the kind that these signatures need.
        case noKeyForVersion = "no-key-for-version"
        /// No signature fits any key.
        case signatureWrong = "signature-wrong"

        /// True when we lack what we would need to judge: to be answered 503, so that the sender tries again, and never
        /// by the profile's rejection (design: a fault of ours is never a 4xx).
        package var isOurs: Bool { self == .noKey }

        /// True when the request carries a proof in the profile's grammar that only does not hold: what another key or
        /// another clock might have accepted. Anything else would fill a store with noise that nothing can save.
        package var isWellFormed: Bool {
            switch self {
            case .signatureWrong, .noKeyForVersion, .noKey, .keyUnknown, .algorithmWrong, .credentialWrong,
                .timestampTooOld, .timestampTooEarly, .signatureExpired, .digestWrong, .issuerWrong, .audienceWrong:
                true
            case .signatureMissing, .signatureRepeated, .signatureTooLong, .signatureMalformed, .signatureTooMany,
                .versionUnknown, .idMissing, .idRepeated, .idMalformed, .timestampMissing, .timestampRepeated,
                .timestampMalformed, .signedHeaderMissing, .componentMissing, .componentUnsupported, .digestMissing,
                .digestMalformed, .bodyMalformed, .credentialMissing, .credentialRepeated, .credentialMalformed,
                .tokenTypeWrong, .claimMalformed:
                false
            }
        }

        /// The error code of RFC 8935 2.4 for a sender that is answered in that form.
        package var securityEventError: String {
            switch self {
            case .issuerWrong: "invalid_issuer"
            case .audienceWrong: "invalid_audience"
            case .keyUnknown, .noKeyForVersion, .algorithmWrong: "invalid_key"
            case .signatureWrong, .credentialMissing, .credentialWrong: "authentication_failed"
            default: "invalid_request"
            }
        }
    }
}
