/// How one kind of sender proves that a delivery is its own, as data: a YAML file under Profiles/. No sender needs code.
///
/// A file that holds an unknown field, an unknown word or a contradiction refuses to load and names file and field:
/// a profile that is half understood would accept what it should not.
package struct SigningProfile: Sendable, Hashable {
    /// The name by which a source chooses it; the same as the file's.
    package let name: String
    /// What people read.
    package let title: String
    /// False while the facts were not checked against the sender itself.
    package let isConfirmed: Bool
    /// The header that carries the signatures, lower-cased.
    package let signatureHeader: String
    /// How that header is written.
    package let grammar: Grammar
    /// The kinds of signature that count. At least one; tags differ.
    package let schemes: [Scheme]
    /// What the signature is made over, in order. Always holds the body.
    package let signed: [Part]
    /// The header that carries the delivery's id, lower-cased; nil when the sender gives none.
    package let idHeader: String?
    /// Nil when the sender signs no time; then only deduplication stops a replay.
    package let timestamp: TimestampRule?
    /// What makes two deliveries the same.
    package let deduplication: Deduplication
    /// The forms in which a key of this sender may be written.
    package let secretForms: [SecretForm]
    /// What the sender expects to be answered.
    package let response: Response
    /// What the sender asks before it sends.
    package let handshake: Handshake
    /// Headers whose values may be kept as keyed digests only, lower-cased.
    package let credentialHeaders: Set<String>

    /// How the signature header is written.
    package enum Grammar: Hashable, Sendable {
        /// The signature alone.
        case raw
        /// This text, then the signature: `sha256=…`.
        case prefixed(String)
        /// `tag,signature` separated by one space each.
        case list
        /// `name=value` separated by commas; a scheme's tag is the name.
        case pairs
    }

    /// One kind of signature.
    package struct Scheme: Hashable, Sendable {
        /// What names it in a `list` or `pairs`; empty in the other grammars, which have one scheme.
        package let tag: String
        package let algorithm: Algorithm
        package let encoding: Encoding
    }

    /// How a signature is made.
    package enum Algorithm: String, CaseIterable, Sendable {
        case hmacSHA256 = "hmac-sha256"
        case hmacSHA512 = "hmac-sha512"
        case ed25519
    }

    /// How a signature's bytes are written.
    package enum Encoding: String, CaseIterable, Sendable {
        /// Either case.
        case hex
        case base64
        /// Without padding.
        case base64url
    }

    /// A piece of the signed bytes.
    package enum Part: Hashable, Sendable {
        case literal(String)
        case id
        case timestamp
        case method
        case body
        /// The value of another header, which then must be there once.
        case header(String)
    }

    /// Where the signed time stands and how far it may be from the time of receipt.
    package struct TimestampRule: Hashable, Sendable {
        package let place: Place
        package let unit: Unit
        /// Both bounds are inclusive; nil where the sender's retries keep the first time.
        package let pastSeconds: Int64?
        package let futureSeconds: Int64?

        /// Where the sender writes the time.
        package enum Place: Hashable, Sendable {
            case header(String)
            /// The value of that name in a signature header written as `pairs`.
            case pair(String)
        }

        /// How the sender writes the time.
        package enum Unit: String, CaseIterable, Sendable {
            case seconds
            case milliseconds
            case rfc3339
        }
    }

    /// What makes two deliveries of one source the same.
    package enum Deduplication: String, CaseIterable, Sendable {
        /// The id, which must be signed.
        case id
        /// Everything that is signed.
        case signedBytes = "signed-bytes"
    }

    /// How a key is written where people paste it.
    package enum SecretForm: String, CaseIterable, Sendable {
        /// `whsec_` and base64: a symmetric key.
        case whsec
        /// `whpk_` and base64: an Ed25519 public key of 32 bytes.
        case whpk
        /// `whsk_` and base64: an Ed25519 private key, 32 bytes of seed, or 64 with the public key behind it.
        case whsk
        /// The text's own bytes: a symmetric key.
        case utf8
        /// base64 of a symmetric key.
        case base64
    }

    /// Status codes and the sender's patience. A fault of ours is 503 always, so no field says it.
    package struct Response: Hashable, Sendable {
        package let success: Int
        package let reject: Int
        package let acknowledgeWithinMilliseconds: Int
    }

    /// What the sender asks before it sends.
    package enum Handshake: String, CaseIterable, Sendable {
        case none
    }

    /// Whether a header's value may be kept as a keyed digest only.
    package func isCredential(header name: String) -> Bool {
        credentialHeaders.contains(name.lowercased())
    }
}

extension SigningProfile {
    /// The profiles that the program carries, by name.
    package static func embedded() throws(SigningProfileError) -> [String: SigningProfile] {
        let files = [("standard-webhooks.yaml", PackageResources.standard_webhooks_yaml)]
        var profiles: [String: SigningProfile] = [:]
        for (file, bytes) in files {
            let profile = try SigningProfile(yaml: String(decoding: bytes, as: UTF8.self), file: file)
            profiles[profile.name] = profile
        }
        return profiles
    }
}

/// Why a profile's file was not loaded.
package struct SigningProfileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file's name.
    package let file: String
    /// The path of the field, as `signature.schemes[0].algorithm`; empty for the whole file.
    package let field: String
    /// What is wrong with it.
    package let problem: String

    package var description: String {
        field.isEmpty ? "\(file) \(problem)" : "\(file): \(field) \(problem)"
    }
}
