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
        var passes = SignaturePasses()
        for claim in message.claims {
            if let signedAt = claim.signedAt,
                let refusal = rule.timestamp?.window.refusal(signedAt, receivedAt: receivedAt)
            {
                outside = outside ?? refusal
                continue
            }
            isInside = true
            for key in named.indices {
                guard let fits = try passes.fits(claim, of: message, named[key], at: key) else { continue }
                hasFittingKind = true
                guard fits else { continue }
                return try acceptance(of: message, claim, named[key])
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

/// How often what is signed was gone over for one request. Whoever holds no key can name many signatures: they cost no more
/// than ``most`` times the body, since a shared secret goes over a text once, however many signatures are over it.
struct SignaturePasses {
    private struct Place: Hashable {
        let key: Int
        let text: Int
        let algorithm: SigningProfile.Algorithm
    }

    private var codes: [Place: AuthenticationCode] = [:]
    private var count = 0

    /// Eight keys over two texts: twice what a rotation of keys needs.
    static let most = 16

    /// Nil when the key is of another kind than the claim's algorithm. Refuses to go over texts more often than ``most``.
    mutating func fits(
        _ claim: SignedMessage.Claim,
        of message: SignedMessage,
        _ key: SigningKey,
        at index: Int
    ) throws(Verdict.Refusal) -> Bool? {
        let place = Place(key: index, text: claim.text, algorithm: claim.scheme.algorithm)
        if let code = codes[place] { return code.fits(claim.signature) }
        guard count < Self.most else { throw .signatureTooMany }
        if let code = key.code(over: message.texts[claim.text], claim.scheme.algorithm) {
            count += 1
            codes[place] = code
            return code.fits(claim.signature)
        }
        let fits = key.verifies(claim.signature, over: message.texts[claim.text], claim.scheme.algorithm)
        if fits != nil { count += 1 }
        return fits
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
