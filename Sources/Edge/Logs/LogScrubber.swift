/// The last line of defence: blanks what looks like a secret in a text that is about to be logged.
///
/// Secrets are types whose description shows nothing, and no line should hold one; this is for the line that was not
/// thought of. It knows our own prefixes, Standard Webhooks keys, `Bearer` and `Basic` credentials, JWTs and PEM blocks.
package enum LogScrubber {
    /// The text with every secret that it recognises blanked after what tells its kind.
    package static func scrub(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var scrubbed: [UInt8] = []
        var copied = 0
        var index = 0
        while index < bytes.count {
            guard let found = secret(at: index, in: bytes) else {
                index += 1
                continue
            }
            scrubbed += bytes[copied..<found.keeps]
            scrubbed += mark
            copied = found.end
            index = found.end
        }
        guard copied > 0 else { return text }
        return String(decoding: scrubbed + bytes[copied...], as: UTF8.self)
    }

    private static let mark = Array("[redacted]".utf8)

    /// `keeps`: up to where the text tells only what kind of secret it was.
    private typealias Found = (keeps: Int, end: Int)

    private static func secret(at index: Int, in bytes: [UInt8]) -> Found? {
        switch bytes[index] {
        case UInt8(ascii: "r"), UInt8(ascii: "w"): prefixed(at: index, in: bytes)
        case UInt8(ascii: "b"), UInt8(ascii: "B"): credential(at: index, in: bytes)
        case UInt8(ascii: "e"): webToken(at: index, in: bytes)
        case UInt8(ascii: "-"): pem(at: index, in: bytes)
        default: nil
        }
    }

    private static let prefixes = [
        "rca_", "rcr_", "rcp_", "rcw_", "rcs_", "rcc_", "rci_", "rcl_", "rco_", "whsec_", "whsk_",
    ].map { Array($0.utf8) }

    private static func prefixed(at index: Int, in bytes: [UInt8]) -> Found? {
        guard let prefix = prefixes.first(where: { bytes[index...].starts(with: $0) }) else { return nil }
        return blanked(from: index + prefix.count, in: bytes)
    }

    private static func credential(at index: Int, in bytes: [UInt8]) -> Found? {
        for scheme in ["bearer ", "basic "] {
            let word = bytes[index...].prefix(scheme.utf8.count).map { $0 | 0x20 }
            guard word.elementsEqual(scheme.utf8) else { continue }
            return blanked(from: index + scheme.utf8.count, in: bytes)
        }
        return nil
    }

    private static func blanked(from start: Int, in bytes: [UInt8]) -> Found? {
        let end = bytes[start...].firstIndex { !isTokenByte($0) } ?? bytes.count
        return end - start >= shortest ? (start, end) : nil
    }

    /// Shorter is a word in a message, not a secret.
    private static let shortest = 8

    private static func webToken(at index: Int, in bytes: [UInt8]) -> Found? {
        guard bytes[index...].starts(with: "eyJ".utf8) else { return nil }
        let end = bytes[index...].firstIndex { !isTokenByte($0) } ?? bytes.count
        guard bytes[index..<end].contains(UInt8(ascii: ".")) else { return nil }
        return (index + 3, end)
    }

    private static func pem(at index: Int, in bytes: [UInt8]) -> Found? {
        let begin = Array("-----BEGIN ".utf8)
        guard bytes[index...].starts(with: begin) else { return nil }
        // Blanked to the end of the text: a block that was cut has no end of its own.
        return (index + begin.count, bytes.count)
    }

    /// base64, base64url and the dots of a JWT.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "+/=-_.~".utf8.contains(byte)
        }
    }
}
