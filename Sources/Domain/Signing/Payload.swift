import Transparency

/// What a delivery says, ready to be mapped.
package enum Payload: Hashable, Sendable {
    /// A JSON text: the body as it came, the claims of a token, or a form as an object of texts.
    case json([UInt8])
    /// A body that is no JSON, from a sender whose pings are plain text.
    case text
}

/// Why a body has no payload.
package enum PayloadError: Error, Hashable, Sendable {
    /// A form that is not encoded as one, names a field twice, or has too many.
    case formMalformed
    /// A token that cannot be taken apart.
    case tokenMalformed
}

extension SigningProfile {
    /// The payload of a body that was accepted. JSON is not checked here: it is read where it is mapped.
    package func payload(
        of body: [UInt8],
        headers: [(name: String, value: String)]
    ) throws(PayloadError) -> Payload {
        if case .securityEvent(let rule) = proof {
            do {
                return .json(JSON.object(try SecurityEventToken(rule: rule, body: body).claims).bytes)
            } catch {
                throw .tokenMalformed
            }
        }
        let type = headers.last { $0.name.lowercased() == "content-type" }.map { MediaType.essence(of: $0.value) }
        if type == MediaType.form { return .json(JSON.object(try FormBody.fields(of: body)).bytes) }
        if acceptsTextPing, !Self.looksLikeJSON(body) { return .text }
        return .json(body)
    }

    private var acceptsTextPing: Bool {
        handshakes.contains { if case .acceptPing(text: true, _) = $0 { true } else { false } }
    }

    /// Whether it begins as an object or an array, which events always are, whatever follows.
    package static func looksLikeJSON(_ body: [UInt8]) -> Bool {
        let first = body.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }
}

/// `application/x-www-form-urlencoded` (WHATWG URL 5.1), strictly: every name once, escapes whole, UTF-8.
enum FormBody {
    /// Fields of one form at most.
    static let mostFields = 256

    static func fields(of body: [UInt8]) throws(PayloadError) -> JSON.Object {
        var fields = JSON.Object()
        for pair in body.split(separator: UInt8(ascii: "&"), maxSplits: mostFields) {
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                let name = text(pair[..<equals]), let value = text(pair[(equals + 1)...]),
                fields[name] == nil, fields.count < mostFields
            else { throw .formMalformed }
            fields[name] = .string(value)
        }
        return fields
    }

    /// All but letters, digits and `*-._` as escapes (WHATWG URL, the percent-encode set of forms), a blank too.
    static func percentEncoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || "*-._".utf8.contains(byte)
            {
                encoded.unicodeScalars.append(scalar)
            } else {
                encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }

    private static func text(_ escaped: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = escaped
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}
