internal import Crypto

/// One personal value that a signed document names only by a salted digest, in the manner of RFC 9901 section 4.2.
/// Whoever holds the disclosure can show that the document meant this value; destroying it leaves the document valid
/// and the value unrecoverable.
package struct Disclosure: Hashable, Sendable {
    /// 128 random bits or more in base64url, used for one disclosure only: without it a digest of a short value could
    /// be found by trying.
    package let salt: String
    /// The name of the member.
    package let name: String
    /// The value of the member.
    package let value: JSON
    /// base64url of the JSON array `[salt, name, value]`. What is signed is the digest of this text, so it is kept as
    /// it came and never made anew.
    package let encoded: String

    /// Fewer characters of salt than 128 bits take are refused.
    package static let shortestSalt = 22

    /// Encodes by RFC 8785, so that the same three parts always have the same digest. Refuses values that have no
    /// canonical form.
    package init(salt: String, name: String, value: JSON) throws(DisclosureError) {
        guard salt.utf8.count >= Self.shortestSalt else { throw .saltTooShort }
        do {
            encoded = Base64.url.encode(try JSON.array([.string(salt), .string(name), value]).canonical())
        } catch {
            throw .valueNotCanonical
        }
        (self.salt, self.name, self.value) = (salt, name, value)
    }

    /// Reads a disclosure that somebody else may have encoded; keeps the text.
    package init(encoded: String, limits: JSON.Limits = .standard) throws(DisclosureError) {
        guard let bytes = Base64.url.decode(encoded) else { throw .malformed }
        let parts: [JSON]?
        do {
            parts = try JSON.parse(bytes, limits: limits).array
        } catch {
            throw .malformed
        }
        guard let parts, parts.count == 3, let salt = parts[0].string, let name = parts[1].string else {
            throw .malformed
        }
        guard salt.utf8.count >= Self.shortestSalt else { throw .saltTooShort }
        (self.salt, self.name, self.value, self.encoded) = (salt, name, parts[2], encoded)
    }

    /// base64url of the SHA-256 of the encoded text (RFC 9901 section 4.2.3).
    package var digest: String { Base64.url.encode(Array(SHA256.hash(data: Array(encoded.utf8)))) }
}

/// Why something is no disclosure.
package enum DisclosureError: Error, Hashable, Sendable {
    /// Not base64url of a JSON array of two strings and a value.
    case malformed
    /// The salt has less than 128 bits.
    case saltTooShort
    /// The value has no canonical form.
    case valueNotCanonical
}
