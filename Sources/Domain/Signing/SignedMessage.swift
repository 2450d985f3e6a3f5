/// A delivery taken apart by its profile: who claims what, and the bytes that the claim is about. Says nothing of
/// whether it is true.
struct SignedMessage {
    private let parts: MessageParts
    private let headerID: String?
    /// Signatures of schemes that the profile knows, in the sender's order. At least one.
    private(set) var claims: [Claim] = []
    /// What is signed: one text for each group, which has a time of its own.
    private(set) var texts: [[UInt8]] = []

    /// One signature, the time it was made at, and which of the texts it is made over.
    struct Claim {
        let scheme: SigningProfile.Scheme
        let signature: [UInt8]
        let signedAt: Timestamp?
        let text: Int
        /// Whether the id is among what is signed.
        let coversID: Bool
    }

    init(rule: SigningProfile.SignatureRule, request: HookRequest) throws(Verdict.Refusal) {
        parts = try MessageParts(rule: rule, request: request)
        let header = try SignatureHeader(try parts.signature(), grammar: rule.grammar)
        headerID = try parts.headerID()
        var isKnown = false
        for group in header.groups {
            let timestamp = try parts.timestamp(in: group)
            let signedAt = try timestamp.flatMap { text throws(Verdict.Refusal) in try rule.timestamp?.instant(text) }
            var first: SigningProfile.Scheme?
            for (name, value) in group.values {
                // Those of unknown versions are passed over, as senders add versions; those of known versions that
                // cannot be read fit no key, and a header of nothing else is malformed.
                guard let scheme = rule.schemes.first(where: { $0.tag == name }) else { continue }
                isKnown = true
                guard let signature = scheme.decode(value) else { continue }
                if let first {
                    // Versions that cover different parts: whoever carries the request on could take the stronger one
                    // away, and the rest would pass for another delivery.
                    guard first.signed == scheme.signed else { throw .signatureTooMany }
                } else {
                    first = scheme
                    texts.append(try parts.signedBytes(scheme, id: headerID, timestamp: timestamp, in: group))
                }
                let listed = scheme.signed.contains(.listedNames) ? try parts.listedNames(in: group) : []
                claims.append(
                    Claim(
                        scheme: scheme,
                        signature: signature,
                        signedAt: signedAt,
                        text: texts.count - 1,
                        coversID: rule.provesID(scheme, listed: listed)
                    )
                )
            }
        }
        guard isKnown else { throw .versionUnknown }
        guard !claims.isEmpty else { throw .signatureMalformed }
    }

    /// The sender's id of the delivery, where this claim covers it and is proved.
    func id(provedBy claim: Claim) throws(Verdict.Refusal) -> String? {
        guard claim.coversID else { return nil }
        if let headerID { return headerID }
        return try parts.bodyID()
    }
}
