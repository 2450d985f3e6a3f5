import Crypto
import Foundation

/// Requests as bytes.
enum HTTP {
    static func get(_ path: String, bearer: String? = nil) -> [UInt8] {
        let authorization = bearer.map { "authorization: Bearer \($0)\r\n" } ?? ""
        return Array("GET \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\n\(authorization)\r\n".utf8)
    }

    /// As a proxy asks.
    static func check(_ question: String, token: String?) -> [UInt8] {
        var head = "GET /authz/check?\(question) HTTP/1.1\r\nhost: 127.0.0.1\r\nx-forwarded-for: 127.0.0.1\r\n"
        head += "x-rollcall-proxy: \(proxySecret)\r\n"
        if let token { head += "authorization: Bearer \(token)\r\n" }
        return Array((head + "\r\n").utf8)
    }

    static let proxySecret = "proxy-of-the-benchmarks-0123456789abcdef"

    static func post(
        _ path: String,
        body: String,
        type: String,
        bearer: String? = nil,
        basic: (id: String, secret: String)? = nil
    ) -> [UInt8] {
        var head = "POST \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: \(type)\r\n"
        if let bearer { head += "authorization: Bearer \(bearer)\r\n" }
        if let basic {
            head += "authorization: Basic \(Data("\(basic.id):\(basic.secret)".utf8).base64EncodedString())\r\n"
        }
        return Array((head + "content-length: \(body.utf8.count)\r\n\r\n" + body).utf8)
    }
}

/// A source's sender: signs by Standard Webhooks.
struct Sender {
    let path: String
    let key: SymmetricKey

    func request(id: String, body: String, path: String? = nil) -> [UInt8] {
        let timestamp = Int(Date().timeIntervalSince1970)
        let code = HMAC<SHA256>.authenticationCode(for: Data("\(id).\(timestamp).\(body)".utf8), using: key)
        let head = """
            POST \(path ?? self.path) HTTP/1.1\r
            host: 127.0.0.1\r
            content-type: application/json\r
            webhook-id: \(id)\r
            webhook-timestamp: \(timestamp)\r
            webhook-signature: v1,\(Data(code).base64EncodedString())\r
            content-length: \(body.utf8.count)\r
            \r

            """
        return Array((head + body).utf8)
    }
}

/// What an HR system says of somebody new.
enum Joiner {
    /// Each run's people are its own.
    private static let run = String(UInt32.random(in: 0...UInt32.max), radix: 36)

    static func id(of number: Int) -> String { "msg_\(run)_\(number)" }

    static func body(of number: Int) -> String {
        """
        {"type": "joiner", "occurred_at": "2026-11-21T09:00:00Z", "person": {"externalId": "e-\(run)-\(number)", \
        "userName": "ada.\(run).\(number)@acme.example", "name": {"givenName": "Ada", "familyName": "Lovelace"}, \
        "emails": [{"value": "ada.\(run).\(number)@acme.example", "type": "work", "primary": true}], \
        "title": "Analyst", "active": true, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": \
        {"employeeNumber": "\(number)", "department": "Finance", "manager": {"value": "e-1"}}}}
        """
    }
}

/// A client secret in the product's form (design: `rcs_`, 43 characters of base 62, 6 of CRC-32), and its digest as it is
/// stored. The one thing here that follows the product from inside: a secret is otherwise shown to its custodian only.
enum ClientSecret {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    static func make() -> String {
        // The first digit stays small, so that it is less than 2^256.
        let body = "rcs_0" + String((0..<42).map { _ in alphabet[Int.random(in: 0..<62)] })
        return body + encoded(crc32(Array(body.utf8)))
    }

    static func digest(of secret: String, under material: Data) -> [UInt8] {
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: material),
            info: Data("rollcall.token-digest.v1".utf8),
            outputByteCount: 32
        )
        return Array(HMAC<SHA256>.authenticationCode(for: Data(secret.utf8), using: key))
    }

    private static func encoded(_ number: UInt32) -> String {
        var rest = number
        var digits: [Character] = []
        for _ in 0..<6 {
            digits.append(alphabet[Int(rest % 62)])
            rest /= 62
        }
        return String(digits.reversed())
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
        }
        return ~crc
    }
}

/// Ids as outsiders write them: TypeID, a prefix and 128 bits in Crockford's base 32.
enum TypeID {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    static func text(_ prefix: String, _ id: UUID) -> String {
        var number = withUnsafeBytes(of: id.uuid) { $0.reduce(UInt128(0)) { $0 << 8 | UInt128($1) } }
        var digits: [Character] = []
        for _ in 0..<26 {
            digits.append(alphabet[Int(number & 31)])
            number >>= 5
        }
        return prefix + "_" + String(digits.reversed())
    }

    /// The UUID of an id, as PostgreSQL reads it; nil for what is no id.
    static func uuid(_ text: String) -> String? {
        guard let underscore = text.lastIndex(of: "_") else { return nil }
        var number = UInt128(0)
        for character in text[text.index(after: underscore)...] {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            number = number << 5 | UInt128(value)
        }
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}

enum FreePort {
    /// A port of the loopback interface that is free now.
    static func take() throws -> Int {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && getsockname(listener, address, &length) == 0
            }
        }
        guard bound else { throw ChildError.unexpected("no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
