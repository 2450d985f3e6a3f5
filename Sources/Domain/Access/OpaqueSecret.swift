import Crypto

/// A secret that Rollcall hands out once: `rc`, a letter for its kind, `_`, 256 bits in base 62, and six characters of
/// CRC-32, so that scanners find a leaked one and a typing error costs no look-up.
///
/// An access token may be a signed one instead (RFC 9068). To us it is as opaque as every other: nothing that it says is
/// read, its signature is not looked at, and it is worth what the row of its digest says. So whatever nobody was handed,
/// however it is signed, is unknown.
///
/// Printing it, also by reflection or string interpolation, shows the kind alone. Only ``reveal()`` gives the text.
package struct OpaqueSecret: Sendable {
    /// What a secret is for. The raw value is the third letter of its prefix.
    package enum Kind: Character, Sendable, CaseIterable {
        case access = "a"
        case refresh = "r"
        case personal = "p"
        case workspace = "w"
        case client = "s"
        case claim = "c"
        /// Of a browser that is signed in, in its cookie.
        case session = "i"
        /// Of a link by which a member sets a password.
        case passwordLink = "l"
        /// An authorization code (RFC 6749 4.1).
        case code = "o"

        /// Whether a caller may present it as its token (RFC 6750).
        package var isBearer: Bool {
            switch self {
            case .access, .personal, .workspace: true
            case .refresh, .client, .claim, .session, .passwordLink, .code: false
            }
        }
    }

    package let kind: Kind
    private let text: Sealed

    // A closure shows nothing of what it holds to dump() or a debugger's print.
    private struct Sealed: Sendable {
        let open: @Sendable () -> String
    }

    package static func make(_ kind: Kind, using randomness: some Randomness) -> OpaqueSecret {
        let body = "rc\(kind.rawValue)_" + Base62.encode(randomness.bytes(32), width: 43)
        return OpaqueSecret(kind: kind, body + checksum(body))
    }

    /// Refuses what is not of the form, or whose checksum is wrong: such a text was never handed out.
    package init?(_ text: String) {
        if text.hasPrefix("ey") {
            guard Self.isCompact(text) else { return nil }
            self.init(kind: .access, text)
            return
        }
        guard text.utf8.count == Self.length, text.hasPrefix("rc"), let letter = text.dropFirst(2).first,
            let kind = Kind(rawValue: letter), text.utf8.dropFirst(3).first == UInt8(ascii: "_"),
            text.utf8.dropFirst(4).allSatisfy({ Base62.alphabet.contains($0) })
        else { return nil }
        guard Self.checksum(String(text.dropLast(6))) == text.suffix(6) else { return nil }
        self.init(kind: kind, text)
    }

    private init(kind: Kind, _ text: String) {
        self.kind = kind
        self.text = Sealed { text }
    }

    /// An access token that was just signed.
    init(signed text: String) { self.init(kind: .access, text) }

    /// Bytes of a signed token at most.
    package static let longestSigned = 4096

    /// Three parts in base64url (RFC 7515 7.1).
    private static func isCompact(_ text: String) -> Bool {
        guard text.utf8.count <= longestSigned else { return false }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 3
            && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { Base62.alphabet.contains($0) || "-_".utf8.contains($0) }
            }
    }

    /// The whole secret. For the one answer that shows it, and for its digest.
    package func reveal() -> String { text.open() }

    /// Characters of every secret that is not signed: 4 of prefix, 43, 6.
    package static let length = 53

    private static func checksum(_ body: String) -> String {
        let crc = CRC32.of(body.utf8)
        return Base62.encode((0..<4).map { UInt8(truncatingIfNeeded: crc >> (24 - 8 * UInt32($0))) }, width: 6)
    }
}

extension OpaqueSecret: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String { "rc\(kind.rawValue)_…" }
    package var debugDescription: String { description }
}

enum Base62 {
    static let alphabet = [UInt8]("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// `bytes` as one number, most significant first, in exactly `width` digits.
    static func encode(_ bytes: [UInt8], width: Int) -> String {
        var number = bytes
        var digits = [UInt8](repeating: alphabet[0], count: width)
        for place in digits.indices.reversed() {
            var remainder = 0
            for index in number.indices {
                let value = remainder << 8 | Int(number[index])
                number[index] = UInt8(value / 62)
                remainder = value % 62
            }
            digits[place] = alphabet[remainder]
        }
        return String(decoding: digits, as: UTF8.self)
    }
}

/// CRC-32 of ISO-HDLC, as zip and PNG use it.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { entry in
        (0..<8).reduce(UInt32(entry)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ ($0 >> 8) }
    }
}
