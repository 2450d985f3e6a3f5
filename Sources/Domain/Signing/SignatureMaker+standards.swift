import Crypto
import CryptoExtras
import RawStructuredFieldValues
import Transparency

extension SigningProfile.MessageSignatureRule {
    /// RFC 9421 3.1, with the first of each choice of components. Adds a digest where it is to be covered and not there.
    func sign(
        _ request: HookRequest,
        nonce: String?,
        at instant: Timestamp,
        _ keys: [SigningKey]
    ) throws(SignatureMakerError) -> SignatureMaker.Delivery {
        guard let key = keys.first else { throw .noKeyThatSigns }
        guard keys.count == 1 else { throw .tooManyKeys }
        guard nonce.map(MessageParts.isID) ?? true else { throw .idUnusable }
        var (request, made) = (request, [(name: String, value: String)]())
        let names = components.compactMap(\.first)
        if names.contains(ContentDigest.header), !request.has(ContentDigest.header) {
            made.append((ContentDigest.header, ContentDigest.value(of: request.body)))
            request.headers += made
        }
        for algorithm in algorithms {
            var parameters = OrderedMap<String, RFC9651BareItem>()
            parameters["created"] = .integer(instant.seconds)
            if let nonce { parameters["nonce"] = .string(nonce) }
            if let name = key.name { parameters["keyid"] = .string(name) }
            parameters["alg"] = .string(algorithm.rawValue)
            var list = BareInnerList()
            for name in names { list.append(Item(bareItem: RFC9651BareItem.string(name), parameters: [:])) }
            let input = InnerList(bareInnerList: list, parameters: parameters)
            let base: [UInt8]
            do throws(Verdict.Refusal) {
                base = try CoveredComponents(list).base(of: request, parameters: input)
            } catch {
                throw .signedHeaderMissing
            }
            guard let signature = try key.trySign(base, with: algorithm) else { continue }
            made.append(("signature-input", try Self.written(.innerList(input))))
            let bytes = RFC9651BareItem.undecodedByteSequence(Base64.standard.encode(signature))
            made.append(("signature", try Self.written(.item(Item(bareItem: bytes, parameters: [:])))))
            return SignatureMaker.Delivery(headers: made, body: request.body)
        }
        throw .noKeyThatSigns
    }

    private static func written(_ value: ItemOrInnerList) throws(SignatureMakerError) -> String {
        var serializer = StructuredFieldValueSerializer()
        do {
            return String(decoding: try serializer.writeDictionaryFieldValue(["sig1": value]), as: UTF8.self)
        } catch {
            throw .signingFailed
        }
    }
}

extension SigningProfile.SecurityEventRule {
    /// Who says so where nothing else is stated.
    private static let anyIssuer = "https://issuer.example"

    /// A compact token of the claims that the body is. Claims that every token needs are added where they are missing.
    func sign(
        _ body: [UInt8],
        id: String?,
        at instant: Timestamp,
        _ keys: [SigningKey]
    ) throws(SignatureMakerError) -> SignatureMaker.Delivery {
        guard let key = keys.first else { throw .noKeyThatSigns }
        guard keys.count == 1 else { throw .tooManyKeys }
        guard let algorithm = key.tokenAlgorithm, algorithms.contains(algorithm) else { throw .noKeyThatSigns }
        // What is no JSON object are no claims.
        guard var claims = try? JSON.parse(body).object else { throw .bodyUnusable }
        if claims["jti"] == nil {
            guard let id, !id.isEmpty, id.utf8.count <= HookRequest.longestValue else { throw .idUnusable }
            claims["jti"] = .string(id)
        }
        if claims["iat"] == nil { claims["iat"] = .integer(instant.seconds) }
        if claims["iss"] == nil { claims["iss"] = .string(issuer ?? parties.issuers?.first ?? Self.anyIssuer) }
        if let audience = audience ?? parties.audiences?.first, claims["aud"] == nil {
            claims["aud"] = .string(audience)
        }
        var header: JSON.Object = ["typ": "secevent+jwt", "alg": .string(algorithm.rawValue)]
        if let name = key.name { header["kid"] = .string(name) }
        let parts = [header, claims].map { Base64.url.encode(JSON.object($0).bytes) }
        let signed = parts.joined(separator: ".")
        guard let signature = try key.sign(token: Array(signed.utf8), with: algorithm) else { throw .noKeyThatSigns }
        return SignatureMaker.Delivery(
            headers: [("content-type", SecurityEventToken.contentType)],
            body: Array("\(signed).\(Base64.url.encode(signature))".utf8)
        )
    }
}

extension SigningKey {
    /// Nil when the key can only verify.
    fileprivate func sign(
        token: [UInt8],
        with algorithm: SigningProfile.TokenAlgorithm
    ) throws(SignatureMakerError) -> [UInt8]? {
        switch algorithm {
        case .hs256: return try trySign(token, with: .hmacSHA256)
        case .es256: return try trySign(token, with: .ecdsaP256)
        case .es384: return try trySign(token, with: .ecdsaP384)
        case .edDSA: return try trySign(token, with: .ed25519)
        case .rs256, .ps256:
            guard case .rsa(_, let key?) = material else { return nil }
            let padding = algorithm == .ps256 ? _RSA.Signing.Padding.PSS : .insecurePKCS1v1_5
            do {
                return Array(try key.signature(for: SHA256.hash(data: token), padding: padding).rawRepresentation)
            } catch {
                throw .signingFailed
            }
        }
    }
}
