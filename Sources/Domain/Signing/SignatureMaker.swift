import Transparency

/// Makes what `SignatureVerifier` judges: deliveries as a sender would send them, for `rollcall sign`, `rollcall trigger`
/// and tests.
package enum SignatureMaker {
    /// A delivery that is ready to be sent.
    package struct Delivery: Sendable {
        /// To be sent with the body, besides those that were handed in.
        package let headers: [(name: String, value: String)]
        /// As it has to be sent: of some senders the proof stands in it.
        package let body: [UInt8]
    }

    /// The request's body and the headers to add to it, proved by every key that can, in the keys' order, or by the
    /// first where there is room for one. `request` carries what the profile signs besides: method, URL, other headers.
    /// `id` goes where the profile has an id of its own; refuses one that the profile's receivers would refuse.
    package static func sign(
        profile: SigningProfile,
        id: String?,
        at instant: Timestamp,
        request: HookRequest,
        keys: [SigningKey]
    ) throws(SignatureMakerError) -> Delivery {
        switch profile.proof {
        case .signature(let rule):
            var maker = DetachedSignatureMaker(rule: rule, id: id, instant: instant, request: request)
            return try maker.make(keys)
        case .credential(let rule):
            for key in keys {
                guard case .token(let secret) = key.material, let value = rule.kind.written(secret).first else {
                    continue
                }
                guard keys.count == 1 else { throw .tooManyKeys }
                return Delivery(headers: [(rule.header, value)], body: request.body)
            }
            throw .noKeyThatSigns
        case .messageSignature(let rule):
            return try rule.sign(request, nonce: id, at: instant, keys)
        case .securityEvent(let rule):
            return try rule.sign(request.body, id: id, at: instant, keys)
        }
    }

    /// As above, for a profile that signs nothing of the request but its body and `headers`.
    package static func sign(
        profile: SigningProfile,
        id: String?,
        at instant: Timestamp,
        body: [UInt8],
        headers: [(name: String, value: String)] = [],
        keys: [SigningKey]
    ) throws(SignatureMakerError) -> [(name: String, value: String)] {
        let request = HookRequest(url: "", headers: headers, body: body)
        return try sign(profile: profile, id: id, at: instant, request: request, keys: keys).headers
    }
}

/// Why a delivery was not signed.
package enum SignatureMakerError: Error, Hashable, Sendable {
    /// None was given, or receivers would refuse it.
    case idUnusable
    /// A header that the profile signs was not given once, or the URL is not absolute.
    case signedHeaderMissing
    /// The body is no JSON object in which the proof could stand.
    case bodyUnusable
    /// No key is of a kind that the profile signs with; public keys cannot sign.
    case noKeyThatSigns
    /// The profile has room for one signature.
    case tooManyKeys
    /// The library refused; no known input leads here.
    case signingFailed
}

extension SigningKey {
    /// Nil when the key cannot sign so.
    func trySign(_ bytes: [UInt8], with algorithm: SigningProfile.Algorithm) throws(SignatureMakerError) -> [UInt8]? {
        do { return try sign(bytes, with: algorithm) } catch { throw .signingFailed }
    }
}
