import Crypto
import RawStructuredFieldValues
import Transparency

/// A signature by RFC 9421, taken apart: the parameters, the signature, and the base that it is made over.
///
/// Exactly one signature is judged: of several, whoever carries the request on could take one away, and each has a
/// nonce of its own.
struct MessageSignature {
    let parameters: Parameters
    let signature: [UInt8]
    /// RFC 9421 2.5.
    let base: [UInt8]
    private let rule: SigningProfile.MessageSignatureRule

    /// RFC 9421 2.3. What is not named there is signed with the rest and means nothing here.
    struct Parameters {
        var created: Int64?
        var expires: Int64?
        var nonce: String?
        var algorithm: String?
        var keyID: String?
    }

    init(rule: SigningProfile.MessageSignatureRule, request: HookRequest) throws(Verdict.Refusal) {
        self.rule = rule
        let inputs = try StructuredField.dictionary("signature-input", of: request, .signature)
        let signatures = try StructuredField.dictionary("signature", of: request, .signature)
        guard let label = inputs.first?.0, let other = signatures.first?.0 else { throw .signatureMissing }
        guard inputs.count == 1, signatures.count == 1 else { throw .signatureTooMany }
        guard label == other, case .innerList(let input)? = inputs[label], case .item(let item)? = signatures[label],
            item.rfc9651Parameters.count == 0, let signature = StructuredField.bytes(item)
        else { throw .signatureMalformed }
        self.signature = signature
        parameters = try Parameters(input)
        let covered = try CoveredComponents(input.bareInnerList)
        for wanted in rule.components where !wanted.contains(where: covered.names.contains) { throw .componentMissing }
        if covered.names.contains(ContentDigest.header) { try ContentDigest.check(request) }
        base = try covered.base(of: request, parameters: input)
    }

    func verify(
        by profile: SigningProfile,
        receivedAt: Timestamp,
        keys: [SigningKey]
    ) throws(Verdict.Refusal) -> Verdict.Acceptance {
        guard let created = parameters.created else { throw .timestampMissing }
        let signedAt = Timestamp(seconds: created)
        if let refusal = rule.window.refusal(signedAt, receivedAt: receivedAt) { throw refusal }
        if let expires = parameters.expires, Timestamp(seconds: expires) < receivedAt { throw .signatureExpired }
        var refusal = Verdict.Refusal.noKeyForVersion
        let named = keys.filter { parameters.keyID == nil || $0.name == parameters.keyID }
        guard !named.isEmpty else { throw .keyUnknown }
        for key in named {
            for algorithm in rule.algorithms {
                guard let fits = key.verifies(signature, over: base, algorithm) else { continue }
                guard parameters.algorithm == nil || parameters.algorithm == algorithm.rawValue else {
                    refusal = .algorithmWrong
                    continue
                }
                guard fits else {
                    refusal = .signatureWrong
                    continue
                }
                return Verdict.Acceptance(
                    messageID: parameters.nonce,
                    signedAt: signedAt,
                    deduplication: profile.deduplication.hash(id: parameters.nonce, signedBytes: base),
                    keyID: key.id,
                    scheme: algorithm.rawValue,
                    bodyIsProved: profile.provesBody
                )
            }
        }
        throw refusal
    }
}

extension MessageSignature.Parameters {
    init(_ input: InnerList) throws(Verdict.Refusal) {
        for (name, value) in input.rfc9651Parameters {
            switch (name, value) {
            case ("created", .integer(let seconds)): created = try Self.time(seconds)
            case ("expires", .integer(let seconds)): expires = try Self.time(seconds)
            case ("nonce", .string(let text)) where MessageParts.isID(text): nonce = text
            case ("alg", .string(let text)): algorithm = text
            case ("keyid", .string(let text)): keyID = text
            case ("created", _), ("expires", _): throw .timestampMalformed
            case ("nonce", _): throw .idMalformed
            case ("alg", _), ("keyid", _): throw .signatureMalformed
            default: break
            }
        }
    }

    /// The seconds that a time of eleven digits can have, so that no arithmetic on it overflows.
    private static func time(_ seconds: Int64) throws(Verdict.Refusal) -> Int64 {
        guard (0...99_999_999_999).contains(seconds) else { throw .timestampMalformed }
        return seconds
    }
}

/// Structured fields (RFC 9651), read strictly: only what a serializer would write is read, so that no two texts mean
/// the same.
enum StructuredField {
    static func dictionary(
        _ name: String,
        of request: HookRequest,
        _ refusals: HeaderRefusals
    ) throws(Verdict.Refusal) -> OrderedMap<String, ItemOrInnerList> {
        let text = Array(try request.one(name, longest: SignatureHeader.longest, refusals).utf8)
        let malformed = refusals.tooLong == .signatureTooLong ? Verdict.Refusal.signatureMalformed : refusals.tooLong
        do {
            var parser = StructuredFieldValueParser(text)
            let read = try parser.parseDictionaryFieldValue()
            var serializer = StructuredFieldValueSerializer()
            guard try serializer.writeDictionaryFieldValue(read) == text else { throw malformed }
            return read
        } catch {
            throw malformed
        }
    }

    /// The bytes of a byte sequence; nil for anything else.
    static func bytes(_ item: Item) -> [UInt8]? {
        guard case .undecodedByteSequence(let text) = item.rfc9651BareItem else { return nil }
        return Base64.standard.decode(text)
    }
}

/// RFC 9530.
enum ContentDigest {
    static let header = "content-digest"

    /// Refuses unless the field has a digest of an algorithm that is still active, and each of those is the body's.
    static func check(_ request: HookRequest) throws(Verdict.Refusal) {
        var isKnown = false
        for (name, value) in try StructuredField.dictionary(header, of: request, .digest) {
            let digest: [UInt8]
            switch name {
            case "sha-256": digest = Array(SHA256.hash(data: request.body))
            case "sha-512": digest = Array(SHA512.hash(data: request.body))
            default: continue
            }
            guard case .item(let item) = value, let claimed = StructuredField.bytes(item) else {
                throw .digestMalformed
            }
            guard claimed == digest else { throw .digestWrong }
            isKnown = true
        }
        guard isKnown else { throw .digestMalformed }
    }

    /// The field's value for a body, by SHA-256.
    static func value(of body: [UInt8]) -> String {
        "sha-256=:\(Base64.standard.encode(Array(SHA256.hash(data: body)))):"
    }
}
