import Crypto
import Transparency

/// A delivery taken apart by its profile: who claims what, and the bytes that the claim is about. Says nothing of
/// whether it is true.
struct SignedMessage {
    let id: String?
    let signedAt: Timestamp?
    /// Signatures of schemes that the profile knows, in the sender's order.
    let signatures: [Claimed]
    let signedBytes: [UInt8]

    struct Claimed {
        let scheme: SigningProfile.Scheme
        let signature: [UInt8]
    }

    /// Characters of the signature header.
    static let longestHeader = 4_096
    /// Characters of an id or another signed header.
    static let longestValue = 256
    /// Signatures in one header. A rotation takes two; the most generous sender keeps ten old keys.
    static let mostSignatures = 16

    init(
        profile: SigningProfile,
        headers: [(name: String, value: String)],
        body: [UInt8],
        method: String
    ) throws(MessageRefusal) {
        let header = try Self.one(
            profile.signatureHeader,
            in: headers,
            longest: Self.longestHeader,
            .signatureMissing,
            .signatureRepeated,
            .signatureTooLong
        )
        let pairs = try SignatureHeader(header, grammar: profile.grammar)
        signatures = try pairs.claimed(profile)

        var id: String?
        if let name = profile.idHeader {
            let text = try Self.one(
                name,
                in: headers,
                longest: Self.longestValue,
                .idMissing,
                .idRepeated,
                .idMalformed
            )
            guard Self.isID(text) else { throw MessageRefusal(.idMalformed) }
            id = text
        }
        var timestamp = ""
        if let rule = profile.timestamp {
            timestamp = try Self.timestamp(rule.place, headers: headers, pairs: pairs)
            guard let instant = rule.instant(timestamp) else { throw MessageRefusal(.timestampMalformed) }
            signedAt = instant
        } else {
            signedAt = nil
        }
        self.id = id
        signedBytes = try Self.signedBytes(profile, id ?? "", timestamp, headers: headers, body: body, method: method)
    }

    static func signedBytes(
        _ profile: SigningProfile,
        _ id: String,
        _ timestamp: String,
        headers: [(name: String, value: String)],
        body: [UInt8],
        method: String
    ) throws(MessageRefusal) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + longestValue)
        for part in profile.signed {
            switch part {
            case .literal(let text): bytes += text.utf8
            case .id: bytes += id.utf8
            case .timestamp: bytes += timestamp.utf8
            case .method: bytes += method.utf8
            case .body: bytes += body
            case .header(let name):
                let refusal = Verdict.Refusal.signedHeaderMissing
                bytes += try one(name, in: headers, longest: longestValue, refusal, refusal, refusal).utf8
            }
        }
        return bytes
    }

    private static func timestamp(
        _ place: SigningProfile.TimestampRule.Place,
        headers: [(name: String, value: String)],
        pairs: SignatureHeader
    ) throws(MessageRefusal) -> String {
        switch place {
        case .header(let name):
            return try one(
                name,
                in: headers,
                longest: longestValue,
                .timestampMissing,
                .timestampRepeated,
                .timestampMalformed
            )
        case .pair(let name):
            let found = pairs.values(of: name)
            guard let first = found.first else { throw MessageRefusal(.timestampMissing) }
            guard found.count == 1 else { throw MessageRefusal(.timestampRepeated) }
            return first
        }
    }

    /// Letters, digits and `-_.~:=+/@|`. Id, time and body are signed one behind the other, so without this the first
    /// bytes of a body could be read as part of an id, and a repetition would pass for a new delivery; no JSON object
    /// or array begins with one of these characters.
    static func isID(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "-_.~:=+/@|".utf8.contains(byte)
                }
            }
    }

    /// The value of a header that must be there once. Two of a name are refused even when they agree: which of them
    /// counts is a question that two programs on the way may answer differently.
    private static func one(
        _ name: String,
        in headers: [(name: String, value: String)],
        longest: Int,
        _ missing: Verdict.Refusal,
        _ repeated: Verdict.Refusal,
        _ tooLong: Verdict.Refusal
    ) throws(MessageRefusal) -> String {
        let found = headers.filter { $0.name.lowercased() == name }
        guard let value = found.first?.value else { throw MessageRefusal(missing) }
        guard found.count == 1 else { throw MessageRefusal(repeated) }
        guard value.utf8.count <= longest else { throw MessageRefusal(tooLong) }
        return value
    }
}

/// A refusal on its way out of the parts of a message.
struct MessageRefusal: Error {
    let reason: Verdict.Refusal

    init(_ reason: Verdict.Refusal) {
        self.reason = reason
    }
}

/// The signature header as named values, by the profile's grammar.
struct SignatureHeader {
    private let values: [(name: String, value: String)]

    init(_ text: String, grammar: SigningProfile.Grammar) throws(MessageRefusal) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            throw MessageRefusal(.signatureMalformed)
        }
        switch grammar {
        case .raw:
            values = [("", text)]
        case .prefixed(let prefix):
            guard text.hasPrefix(prefix) else { throw MessageRefusal(.signatureMalformed) }
            values = [("", String(text.dropFirst(prefix.count)))]
        case .list:
            values = try Self.split(text, between: " ", inside: ",")
        case .pairs:
            values = try Self.split(text, between: ",", inside: "=")
        }
        guard values.count <= SignedMessage.mostSignatures else { throw MessageRefusal(.signatureTooMany) }
    }

    func values(of name: String) -> [String] {
        values.filter { $0.name == name }.map(\.value)
    }

    /// The signatures that can be read. Those of unknown versions are passed over, as senders add versions; those of
    /// known versions that cannot be read fit no key, and a header of nothing else is malformed.
    func claimed(_ profile: SigningProfile) throws(MessageRefusal) -> [SignedMessage.Claimed] {
        var isKnown = false
        var claimed: [SignedMessage.Claimed] = []
        for (name, value) in values {
            guard let scheme = profile.schemes.first(where: { $0.tag == name }) else { continue }
            isKnown = true
            guard let signature = scheme.decode(value) else { continue }
            claimed.append(SignedMessage.Claimed(scheme: scheme, signature: signature))
        }
        guard isKnown else { throw MessageRefusal(.versionUnknown) }
        guard !claimed.isEmpty else { throw MessageRefusal(.signatureMalformed) }
        return claimed
    }

    private static func split(
        _ text: String,
        between: Character,
        inside: Character
    ) throws(MessageRefusal) -> [(name: String, value: String)] {
        var values: [(name: String, value: String)] = []
        for item in text.split(separator: between, omittingEmptySubsequences: false) {
            // Some senders put a space behind the comma.
            let item = between == "," && item.first == " " ? item.dropFirst() : item
            guard let middle = item.firstIndex(of: inside), middle != item.startIndex,
                item.index(after: middle) != item.endIndex
            else { throw MessageRefusal(.signatureMalformed) }
            values.append((String(item[..<middle]), String(item[item.index(after: middle)...])))
        }
        return values
    }
}

extension SigningProfile.Scheme {
    /// The signature's bytes; nil unless the text is of the encoding and the algorithm's length.
    func decode(_ text: String) -> [UInt8]? {
        let bytes: [UInt8]? =
            switch encoding {
            case .hex: Self.hex(text)
            case .base64: Base64.standard.decode(text)
            case .base64url: Base64.url.decode(text)
            }
        return bytes?.count == algorithm.signatureLength ? bytes : nil
    }

    /// The text of a signature's bytes.
    func encode(_ bytes: [UInt8]) -> String {
        switch encoding {
        case .hex: bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        case .base64: Base64.standard.encode(bytes)
        case .base64url: Base64.url.encode(bytes)
        }
    }

    private static func hex(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count % 2 == 0, digits.allSatisfy({ $0 != nil }) else { return nil }
        let values = digits.compactMap(\.self)
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}

extension SigningProfile.Algorithm {
    var signatureLength: Int {
        switch self {
        case .hmacSHA256: SHA256.byteCount
        case .hmacSHA512: SHA512.byteCount
        case .ed25519: 64
        }
    }
}
