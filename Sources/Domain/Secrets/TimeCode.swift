import Crypto
import Foundation

/// A second factor by time (RFC 6238): HMAC-SHA1, six digits, steps of 30 seconds, as every authenticator app has it.
package struct TimeCode: Sendable {
    /// 160 bits, the block that RFC 4226 4 recommends.
    package static let secretBytes = 20
    static let stepSeconds: Int64 = 30
    /// Steps before and after the present one whose codes are taken, for clocks that differ (RFC 6238 5.2).
    static let tolerance: Int64 = 1

    private let secret: [UInt8]

    /// ``secretBytes`` random bytes; the published vectors have other lengths.
    package init(secret: [UInt8]) {
        self.secret = secret
    }

    /// The code of that step.
    package func code(at step: Int64, digits: Int = 6) -> String {
        let counter = Self.counter(step)
        let mac = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret))
        )
        let offset = Int(mac[mac.count - 1] & 0x0F)
        let number = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let limit = (0..<digits).reduce(UInt32(1)) { power, _ in power * 10 }
        let text = String(number % limit)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The step whose code this is, near `now` and after `last`; nil where there is none. A code of a step that was used
    /// already, or of one before it, is a replay.
    package func step(of code: String, at now: Timestamp, after last: Int64?) -> Int64? {
        let present = Self.step(at: now)
        // Every candidate is compared: the time tells nothing about which it was.
        var found: Int64?
        let candidates = (present - Self.tolerance)...(present + Self.tolerance)
        for step in candidates where Self.equal(self.code(at: step), code) {
            found = step
        }
        guard let found, found > last ?? .min else { return nil }
        return found
    }

    /// The step that `now` is in.
    package static func step(at now: Timestamp) -> Int64 { now.seconds / stepSeconds }

    private static func counter(_ step: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: step >> (56 - 8 * Int64($0))) }
    }

    private static func equal(_ one: String, _ other: String) -> Bool {
        let (one, other) = (Array(one.utf8), Array(other.utf8))
        guard one.count == other.count else { return false }
        return zip(one, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    // MARK: Enrolment

    /// The secret as an authenticator app is told it: base 32 (RFC 4648 6) without padding.
    package var base32: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var text = ""
        var bits: UInt32 = 0
        var count = 0
        for byte in secret {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(alphabet[Int(bits >> UInt32(count) & 31)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(5 - count) & 31)]) }
        return text
    }

    /// The `otpauth` address that an authenticator app opens.
    package func enrolmentAddress(of username: String, at issuer: String) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        let parts = [issuer, username].map { $0.addingPercentEncoding(withAllowedCharacters: allowed) ?? "" }
        return "otpauth://totp/\(parts[0]):\(parts[1])?secret=\(base32)&issuer=\(parts[0])"
            + "&algorithm=SHA1&digits=6&period=\(Self.stepSeconds)"
    }
}
