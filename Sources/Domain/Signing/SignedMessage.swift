/// A delivery taken apart by its profile: who claims what, and the bytes that the claim is about. Says nothing of
/// whether it is true.
struct SignedMessage {
    let id: String?
    /// Signatures of schemes that the profile knows, in the sender's order. At least one.
    private(set) var claims: [Claim] = []
    /// What is signed: one text, unless several schemes or groups sign different ones.
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
        let parts = try MessageParts(rule: rule, request: request)
        let header = try SignatureHeader(try parts.signature(), grammar: rule.grammar)
        id = try parts.id()
        var isKnown = false
        for group in header.groups {
            let timestamp = try parts.timestamp(in: group)
            let signedAt = try timestamp.flatMap { text throws(Verdict.Refusal) in try rule.timestamp?.instant(text) }
            var made: [(signed: [SigningProfile.Part], text: Int)] = []
            for (name, value) in group.values {
                // Those of unknown versions are passed over, as senders add versions; those of known versions that
                // cannot be read fit no key, and a header of nothing else is malformed.
                guard let scheme = rule.schemes.first(where: { $0.tag == name }) else { continue }
                isKnown = true
                guard let signature = scheme.decode(value) else { continue }
                var text = made.first { $0.signed == scheme.signed }?.text
                if text == nil {
                    // Versions that cover different parts: whoever carries the request on could take the stronger away, and
                    // the rest would be another delivery.
                    guard made.isEmpty else { throw .signatureTooMany }
                    texts.append(try parts.signedBytes(scheme, id: id, timestamp: timestamp, in: group))
                    made.append((scheme.signed, texts.count - 1))
                    text = texts.count - 1
                }
                let listed = scheme.signed.contains(.listedNames) ? try parts.listedNames(in: group) : []
                claims.append(
                    Claim(
                        scheme: scheme,
                        signature: signature,
                        signedAt: signedAt,
                        text: text ?? 0,
                        coversID: rule.provesID(scheme, listed: listed)
                    )
                )
            }
        }
        guard isKnown else { throw .versionUnknown }
        guard !claims.isEmpty else { throw .signatureMalformed }
    }
}
