/// Judges the proof of a delivery. Pure: the time of receipt and the keys are handed in.
package enum SignatureVerifier {
    /// Keys of one source beyond this are not tried, so that a wrong delivery costs a bounded amount of work.
    package static let mostKeys = 8

    /// Whether the request's proof fits one of the keys that are valid at `receivedAt`, which is when the last byte was
    /// read and not when it is judged. A key is only ever used for its own kind of algorithm, so a `v1a` signature
    /// cannot be checked against a shared secret. Compares in constant time; works on the bytes as they came.
    ///
    /// `credential` says whether the whole value of a credential's header is the expected one. It is replaced where only
    /// a digest of what was presented was kept.
    package static func verify(
        profile: SigningProfile,
        request: HookRequest,
        receivedAt: Timestamp,
        keys: [SigningKey],
        credential: (_ presented: String, _ expected: String) -> Bool = SharedCredential.areEqual
    ) async -> Verdict {
        let valid = Array(keys.lazy.filter { $0.isValid(at: receivedAt) }.prefix(mostKeys))
        guard !valid.isEmpty else { return .refused(.noKey) }
        do throws(Verdict.Refusal) {
            switch profile.proof {
            case .signature(let rule):
                let judge = DetachedSignature(rule: rule, profile: profile)
                return .accepted(try judge.verify(request, receivedAt: receivedAt, keys: valid))
            case .credential(let rule):
                let judge = SharedCredential(rule: rule, profile: profile)
                return .accepted(try judge.verify(request, keys: valid, credential: credential))
            case .messageSignature(let rule):
                let message = try MessageSignature(rule: rule, request: request)
                return .accepted(try message.verify(by: profile, receivedAt: receivedAt, keys: valid))
            case .securityEvent(let rule):
                let token = try SecurityEventToken(rule: rule, body: request.body)
                return .accepted(try await token.verify(by: profile, receivedAt: receivedAt, keys: valid))
            }
        } catch {
            return .refused(error)
        }
    }

    /// The bytes that the request's first signature is about, whoever made it, for a person to compare with what the
    /// sender signed. Empty where nothing is signed. Throws what a verdict would refuse with.
    package static func signedBytes(
        profile: SigningProfile,
        request: HookRequest
    ) throws(Verdict.Refusal) -> [UInt8] {
        switch profile.proof {
        case .signature(let rule):
            let message = try SignedMessage(rule: rule, request: request)
            return message.texts.first ?? []
        case .credential: return []
        case .messageSignature(let rule): return try MessageSignature(rule: rule, request: request).base
        case .securityEvent(let rule): return try SecurityEventToken(rule: rule, body: request.body).signedBytes
        }
    }
}
