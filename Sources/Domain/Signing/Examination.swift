import Crypto
package import Transparency

/// What the proof of a captured request is worth, with what a person needs to see why. Holds no key material, and of the
/// request what was signed: for whoever may read deliveries.
package struct Examination: Sendable {
    package let profile: SigningProfile
    package let verdict: Verdict
    package let receivedAt: Timestamp
    /// What the first signature is about, whoever made it; empty where nothing is signed, nil where the request does not
    /// say it.
    package let signedBytes: [UInt8]?

    /// Judges as the door would have done at that moment.
    package init(
        of request: HookRequest,
        profile: SigningProfile,
        receivedAt: Timestamp,
        keys: [SigningKey]
    ) async {
        self.profile = profile
        self.receivedAt = receivedAt
        verdict = await SignatureVerifier.verify(
            profile: profile,
            request: request,
            receivedAt: receivedAt,
            keys: keys
        )
        // What cannot be taken apart has no signed bytes, and the verdict says why.
        signedBytes = try? SignatureVerifier.signedBytes(profile: profile, request: request)
    }

    /// Whether the door would take the request.
    package var isVerified: Bool { if case .accepted = verdict { true } else { false } }

    /// The verdict in words.
    package var explanation: String {
        switch verdict {
        case .refused(let refusal): refusal.explanation
        case .accepted(let acceptance):
            acceptance.bodyIsProved
                ? "the proof fits"
                : "the proof fits, and it does not cover the body: what the body says is held until an admin decides"
        }
    }

    /// The answer of a command or a call. `key` names the key that fits.
    package func json(key: (SourceKeyID) -> String) -> JSON.Object {
        var json: JSON.Object = [
            "verdict": .string(isVerified ? "verified" : "refused"), "reason": .null,
            "explanation": .string(explanation), "profile": .string(profile.name),
            "received_at": .string(receivedAt.description), "key": .null, "scheme": .null, "signed_at": .null,
            "message_id": .null, "body_proved": .null,
        ]
        switch verdict {
        case .refused(let refusal): json["reason"] = .string(refusal.rawValue)
        case .accepted(let acceptance):
            json["key"] = acceptance.keyID.map { .string(key($0)) } ?? .null
            json["scheme"] = acceptance.scheme.isEmpty ? .null : .string(acceptance.scheme)
            json["signed_at"] = acceptance.signedAt.map { .string($0.description) } ?? .null
            json["message_id"] = acceptance.messageID.map { .string($0) } ?? .null
            json["body_proved"] = .bool(acceptance.bodyIsProved)
        }
        json["signed"] = signedBytes.map { .object(Self.told($0)) } ?? .null
        return json
    }

    private static func told(_ bytes: [UInt8]) -> JSON.Object {
        let digest = SHA256.hash(data: bytes).map { byte in
            [byte >> 4, byte & 15].map { String($0, radix: 16) }.joined()
        }
        return [
            "text": .string(EscapedText.of(bytes)), "length": .integer(bytes.count),
            "sha256": .string(digest.joined()),
        ]
    }
}

/// Bytes as a text that a person can read and that says exactly which bytes they are.
package enum EscapedText {
    /// UTF-8 that prints stands as it is. `\n`, `\r`, `\t` and `\\` are written so, other scalars that do not print as
    /// `\u{…}`, and bytes that are no UTF-8 as `\xHH`.
    package static func of(_ bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        var rest = bytes[...]
        while let first = rest.first {
            guard let (scalar, length) = scalar(at: rest) else {
                text.append(contentsOf: "\\x\(hex(UInt32(first), digits: 2))".unicodeScalars)
                rest.removeFirst()
                continue
            }
            rest.removeFirst(length)
            switch scalar {
            case "\n": text.append(contentsOf: "\\n".unicodeScalars)
            case "\r": text.append(contentsOf: "\\r".unicodeScalars)
            case "\t": text.append(contentsOf: "\\t".unicodeScalars)
            case "\\": text.append(contentsOf: "\\\\".unicodeScalars)
            case _ where prints(scalar): text.append(scalar)
            default: text.append(contentsOf: "\\u{\(hex(scalar.value, digits: 1))}".unicodeScalars)
            }
        }
        return String(text)
    }

    /// The scalar that the bytes begin with; nil where they are no UTF-8.
    private static func scalar(at bytes: ArraySlice<UInt8>) -> (Unicode.Scalar, length: Int)? {
        for length in 1...4 where bytes.count >= length {
            guard let text = String(validating: bytes.prefix(length), as: UTF8.self) else { continue }
            return text.unicodeScalars.first.map { ($0, length) }
        }
        return nil
    }

    /// Nothing that moves a cursor, changes direction or joins the scalar before it.
    private static func prints(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .connectorPunctuation, .dashPunctuation, .openPunctuation,
            .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol,
            .currencySymbol, .modifierSymbol, .otherSymbol:
            true
        default: scalar == " "
        }
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

extension Verdict.Refusal {
    /// The reason in words, for a person who looks for the mistake.
    package var explanation: String {
        switch self {
        case .signatureMissing: "the signature is not there where the profile has it"
        case .signatureRepeated: "there is more than one signature header, so which of them counts is open"
        case .signatureTooLong: "the signature header is longer than any that is genuine"
        case .signatureMalformed: "the signature is not written as the profile says"
        case .signatureTooMany: "there are more signatures than a rotation of keys needs"
        case .versionUnknown: "every signature is of a version that the profile does not know"
        case .idMissing: "the delivery's id is not there"
        case .idRepeated: "the delivery's id is there more than once"
        case .idMalformed: "the delivery's id holds a character that makes what is signed ambiguous, or is too long"
        case .timestampMissing: "the signed time is not there"
        case .timestampRepeated: "the signed time is there more than once"
        case .timestampMalformed: "the signed time is not written as the profile says, unit included"
        case .timestampTooOld: "it was signed too long before it was received; --at tells when that was"
        case .timestampTooEarly: "it was signed after it was received; one of the clocks is wrong"
        case .signatureExpired: "the sender said until when it counts, and that was before it was received"
        case .signedHeaderMissing: "a header that is signed is missing, repeated, too long or ambiguous"
        case .componentMissing: "the signature does not cover a part of the request that the profile wants covered"
        case .componentUnsupported: "the signature covers something that cannot be rebuilt here"
        case .digestMissing: "there is no digest of the body, and the signature covers the body by it alone"
        case .digestMalformed: "the digest of the body is not written as RFC 9530 says"
        case .digestWrong: "the signed digest is not this body's: it was changed, or not captured as it came"
        case .bodyMalformed: "the body cannot be read, and the proof stands in it"
        case .credentialMissing: "the credential is not there"
        case .credentialRepeated: "the credential is there more than once"
        case .credentialMalformed: "the credential is not written as the profile says"
        case .credentialWrong: "the credential is another than the key"
        case .tokenTypeWrong: "the token is of another type than the profile's"
        case .issuerWrong: "the token is of another issuer"
        case .audienceWrong: "the token is for another audience"
        case .claimMalformed: "a claim that has to be there is missing or of another form"
        case .keyUnknown: "the sender names a key, and none is called so; a key is called by its label or its own kid"
        case .algorithmWrong: "the sender names another algorithm than its key's"
        case .noKey: "no key counts at that time"
        case .noKeyForVersion: "there are keys, but none of the kind that these signatures need"
        case .signatureWrong:
            "no signature fits any key: another key signed, or what is signed is not, byte for byte, what the sender signed"
        }
    }
}
