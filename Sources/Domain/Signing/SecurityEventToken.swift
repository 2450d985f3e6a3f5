import Crypto
import JWTKit
import Transparency

/// A pushed Security Event Token (RFC 8417 in a body as RFC 8935 has it), taken apart.
///
/// The token is split and its JSON read here, strictly; that its signature holds is said by the library, with an
/// algorithm that the key fixes. What the token names as its algorithm can only agree with that.
struct SecurityEventToken {
    let claims: JSON.Object
    private let rule: SigningProfile.SecurityEventRule
    private let token: [UInt8]
    private let algorithm: String
    private let keyName: String?
    /// Where the signature's part begins.
    private let end: Int

    /// Media type of a pushed token.
    static let contentType = "application/secevent+jwt"
    private static let types = ["secevent+jwt", contentType]

    init(rule: SigningProfile.SecurityEventRule, body: [UInt8]) throws(Verdict.Refusal) {
        self.rule = rule
        token = body
        let parts = body.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[2].isEmpty, Self.decode(parts[2]) != nil else { throw .signatureMalformed }
        end = parts[2].startIndex
        guard let header = Self.object(parts[0]), let algorithm = header["alg"]?.string, header["crit"] == nil else {
            throw .signatureMalformed
        }
        guard let type = header["typ"]?.string, Self.types.contains(type.lowercased()) else { throw .tokenTypeWrong }
        if let kid = header["kid"] {
            guard let name = kid.string else { throw .signatureMalformed }
            keyName = name
        } else {
            keyName = nil
        }
        guard let claims = Self.object(parts[1]) else { throw .signatureMalformed }
        self.algorithm = algorithm
        self.claims = claims
    }

    /// What the signature is made over.
    var signedBytes: [UInt8] { Array(token[..<(end - 1)]) }

    func verify(
        by profile: SigningProfile,
        receivedAt: Timestamp,
        keys: [SigningKey]
    ) async throws(Verdict.Refusal) -> Verdict.Acceptance {
        let key = try await fittingKey(keys)
        guard let issuedAt = try time("iat") else { throw .claimMalformed }
        if let refusal = rule.window.refusal(issuedAt, receivedAt: receivedAt) { throw refusal }
        if let expires = try time("exp"), expires <= receivedAt { throw .signatureExpired }
        if let begins = try time("nbf"), receivedAt + .seconds(rule.window.future ?? 0) < begins {
            throw .timestampTooEarly
        }
        let issuer = try text("iss")
        try checkParties(issuer)
        guard let events = claims["events"]?.object, !events.isEmpty else { throw .claimMalformed }
        let id = try text("jti")
        let identity = try identity(of: id, from: issuer)
        return Verdict.Acceptance(
            messageID: id,
            signedAt: issuedAt,
            deduplication: profile.deduplication.hash(id: identity, signedBytes: signedBytes),
            keyID: key.id,
            scheme: algorithm,
            bodyIsProved: profile.provesBody
        )
    }

    /// Both what the profile says and what was stated of the source.
    private func checkParties(_ issuer: String) throws(Verdict.Refusal) {
        let issuers = [rule.issuer.map { [$0] }, rule.parties.issuers].compactMap(\.self)
        guard issuers.allSatisfy({ Self.holds($0, issuer) }) else { throw .issuerWrong }
        var audience: [String] = []
        for value in claims["aud"]?.array ?? claims["aud"].map({ [$0] }) ?? [] {
            guard let text = value.string else { throw .claimMalformed }
            audience.append(text)
        }
        let audiences = [rule.audience.map { [$0] }, rule.parties.audiences].compactMap(\.self)
        guard audiences.allSatisfy({ wanted in audience.contains { Self.holds(wanted, $0) } }) else {
            throw .audienceWrong
        }
    }

    /// Byte for byte, as RFC 7519 2 compares a StringOrURI.
    private static func holds(_ texts: [String], _ text: String) -> Bool {
        texts.contains { $0.utf8.elementsEqual(text.utf8) }
    }

    /// Claims that a sender writes anew when it says the same thing again.
    private static let claimsOfOneToken = ["jti", "iat", "nbf", "exp"]

    /// What two tokens have in common that are one delivery.
    ///
    /// A `jti` names a token, and is unique only among those of its issuer (RFC 7519 4.1.7), so the issuer stands with
    /// it. A `txn` names what caused the token and correlates several of them (RFC 8417 2.2), each of which may say
    /// something else and then has an effect of its own; only a token that says the same of the same transaction is the
    /// former one sent again. Between a repetition taken for news and news taken for a repetition the first does no
    /// harm, so whatever cannot be compared counts by its `jti`.
    private func identity(of id: String, from issuer: String) throws(Verdict.Refusal) -> String {
        if claims["txn"] != nil {
            _ = try text("txn")
            var said = claims
            for claim in Self.claimsOfOneToken { said[claim] = nil }
            // Numbers that RFC 8785 cannot write.
            if let same = try? JSON.array(["txn", .object(said)]).canonical() {
                return String(decoding: same, as: UTF8.self)
            }
        }
        return JSON.array(["jti", .string(issuer), .string(id)]).text
    }

    /// A NumericDate (RFC 7519 2): seconds, of which some libraries write fractions. These are cut off. Nil where the
    /// claim is not there. Eleven digits at most, so that no arithmetic on it overflows.
    private func time(_ claim: String) throws(Verdict.Refusal) -> Timestamp? {
        guard let value = claims[claim] else { return nil }
        guard let seconds = value.double, (0..<100_000_000_000).contains(seconds) else { throw .claimMalformed }
        return Timestamp(seconds: Int64(seconds))
    }

    private func text(_ claim: String) throws(Verdict.Refusal) -> String {
        guard let text = claims[claim]?.string, (1...HookRequest.longestValue).contains(text.utf8.count) else {
            throw .claimMalformed
        }
        return text
    }

    private func fittingKey(_ keys: [SigningKey]) async throws(Verdict.Refusal) -> SigningKey {
        let named = keys.filter { keyName == nil || $0.name == keyName }
        guard !named.isEmpty else { throw .keyUnknown }
        var refusal = Verdict.Refusal.noKeyForVersion
        for key in named {
            guard let served = key.tokenAlgorithm, rule.algorithms.contains(served) else { continue }
            guard served.rawValue == algorithm else {
                refusal = .algorithmWrong
                continue
            }
            if await key.verifies(token: token) { return key }
            refusal = .signatureWrong
        }
        throw refusal
    }

    private static func decode(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        Base64.url.decode(String(decoding: part, as: UTF8.self))
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSON.Object? {
        guard let bytes = decode(part) else { return nil }
        // What is no JSON is refused by the caller as malformed.
        return try? JSON.parse(bytes).object
    }
}

extension SigningKey {
    /// Whether the library finds the compact token signed by this key, with this key's algorithm.
    fileprivate func verifies(token: [UInt8]) async -> Bool {
        let keys = JWTKeyCollection()
        do {
            switch (tokenAlgorithm, material) {
            case (.hs256, .symmetric(let key)): await keys.add(hmac: HMACKey(key: key), digestAlgorithm: .sha256)
            case (.edDSA, .publicKey(let key)): await keys.add(eddsa: EdDSA.PublicKey(backing: key))
            case (.edDSA, .privateKey(let key)): await keys.add(eddsa: EdDSA.PublicKey(backing: key.publicKey))
            case (.es256, .p256(let key, _)): await keys.add(ecdsa: try ES256PublicKey(backing: key))
            case (.es384, .p384(let key, _)): await keys.add(ecdsa: try ES384PublicKey(backing: key))
            case (.rs256, .rsa(let key, _)):
                await keys.add(rsa: try Insecure.RSA.PublicKey(backing: key), digestAlgorithm: .sha256)
            case (.ps256, .rsa(let key, _)):
                await keys.add(pss: try Insecure.RSA.PublicKey(backing: key), digestAlgorithm: .sha256)
            default: return false
            }
            _ = try await keys.verify(token, as: AnyClaims.self)
            return true
        } catch {
            // Whatever the library says, the token is not this key's.
            return false
        }
    }
}

/// The claims are read by our own strict reader; the library only says whether the signature holds.
private struct AnyClaims: JWTPayload {
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
