import Crypto
import Transparency

extension SigningProfile.Scheme {
    /// The signature's bytes; nil unless the text is of the encoding and the algorithm's length.
    func decode(_ text: String) -> [UInt8]? {
        let bytes: [UInt8]? =
            switch encoding {
            case .hex: Self.hex(text)
            case .base64: Base64.standard.decode(text)
            case .base64url: Base64.url.decode(text)
            case .base64urlAnyPadding: Self.anyPadding(text)
            }
        guard let bytes, algorithm.signatureLength.map({ $0 == bytes.count }) ?? true else { return nil }
        return bytes
    }

    /// The text of a signature's bytes.
    func encode(_ bytes: [UInt8]) -> String {
        switch encoding {
        case .hex: bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        case .base64: Base64.standard.encode(bytes)
        case .base64url: Base64.url.encode(bytes)
        case .base64urlAnyPadding: Base64.url.encode(bytes) + Self.padding(of: bytes.count)
        }
    }

    private static func anyPadding(_ text: String) -> [UInt8]? {
        let unpadded = text.prefix { $0 != "=" }
        guard let bytes = Base64.url.decode(unpadded) else { return nil }
        let padding = text.dropFirst(unpadded.count)
        return padding.isEmpty || padding == Self.padding(of: bytes.count) ? bytes : nil
    }

    private static func padding(of count: Int) -> String {
        String(repeating: "=", count: (3 - count % 3) % 3)
    }

    private static func hex(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case 0x30...0x39: digit = character - 0x30
            case 0x41...0x46: digit = character - 0x41 + 10
            case 0x61...0x66: digit = character - 0x61 + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }
}

extension SigningProfile.Algorithm {
    /// Bytes of a signature; nil where the key's size decides.
    var signatureLength: Int? {
        switch self {
        case .hmacSHA256: SHA256.byteCount
        case .hmacSHA512: SHA512.byteCount
        case .ed25519, .ecdsaP256: 64
        case .ecdsaP384: 96
        case .rsaPSS: nil
        }
    }
}
