import Crypto

/// Judges a signature over chosen parts of the request.
struct DetachedSignature {
    let rule: SigningProfile.SignatureRule
    let profile: SigningProfile

    func verify(
        _ request: HookRequest,
        receivedAt: Timestamp,
        keys: [SigningKey]
    ) throws(Verdict.Refusal)
        -> Verdict.Acceptance
    {
        let message = try SignedMessage(rule: rule, request: request)
        let named = try keysNamed(by: request, among: keys)
        var hasFittingKind = false
        var outside: Verdict.Refusal?
        var isInside = false
        for claim in message.claims {
            if let signedAt = claim.signedAt,
                let refusal = rule.timestamp?.window.refusal(signedAt, receivedAt: receivedAt)
            {
                outside = outside ?? refusal
                continue
            }
            isInside = true
            for key in named {
                guard let fits = key.verifies(claim.signature, over: message.texts[claim.text], claim.scheme.algorithm)
                else { continue }
                hasFittingKind = true
                guard fits else { continue }
                return try acceptance(of: message, claim, key)
            }
        }
        if let outside, !isInside { throw outside }
        throw hasFittingKind ? .signatureWrong : .noKeyForVersion
    }

    /// A label is a hint to which key to try: where the source has keys of that name, only they are tried.
    private func keysNamed(
        by request: HookRequest,
        among keys: [SigningKey]
    ) throws(Verdict.Refusal) -> [SigningKey] {
        guard let header = rule.keyLabelHeader, request.has(header) else { return keys }
        let label = try request.one(header, .signed)
        let named = keys.filter { $0.name == label }
        return named.isEmpty ? keys : named
    }

    private func acceptance(
        of message: SignedMessage,
        _ claim: SignedMessage.Claim,
        _ key: SigningKey
    ) throws(Verdict.Refusal) -> Verdict.Acceptance {
        let id = try message.id(provedBy: claim)
        return Verdict.Acceptance(
            messageID: id,
            signedAt: claim.signedAt,
            deduplication: profile.deduplication.hash(id: id, signedBytes: message.texts[claim.text]),
            keyID: key.id,
            scheme: claim.scheme.tag,
            bodyIsProved: profile.provesBody
        )
    }
}

extension SigningProfile.Deduplication {
    /// 32 bytes. The first byte tells the two ways apart, so that no id can be chosen to collide with a body.
    func hash(id: String?, signedBytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        if self == .id, let id {
            hash.update(data: [0x00 as UInt8])
            hash.update(data: Array(id.utf8))
        } else {
            hash.update(data: [0x01 as UInt8])
            hash.update(data: signedBytes)
        }
        return Array(hash.finalize())
    }
}
