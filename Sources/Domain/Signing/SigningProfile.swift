/// How one kind of sender proves that a delivery is its own, as data: a YAML file under Profiles/. No sender needs code.
///
/// A file that holds an unknown field, an unknown word or a contradiction refuses to load and names file and field:
/// a profile that is half understood would accept what it should not.
package struct SigningProfile: Sendable, Hashable {
    /// The name by which a source chooses it; the same as the file's.
    package let name: String
    /// What people read.
    package let title: String
    /// Facts that were not confirmed with the sender itself, one short sentence each, for an admin to read.
    package let unconfirmed: [String]
    /// What makes a delivery this sender's.
    package internal(set) var proof: Proof
    /// False where the proof does not cover the body: a token that is the same on every request, or a MAC over other
    /// things. What such a body says is kept and held.
    package let provesBody: Bool
    /// What makes two deliveries the same.
    package let deduplication: Deduplication
    /// What two genuine deliveries mean that are equal where the sender signs no id.
    package let equalDeliveries: EqualDeliveries
    /// The forms in which a key of this sender may be written.
    package let secretForms: [SecretForm]
    /// Media types of a body, in lower case; `*+json` stands for every type that ends so.
    package let contentTypes: [String]
    /// What the sender sends besides events, before them or between them.
    package let handshakes: [Handshake]
    /// What the sender expects to be answered.
    package let response: Response
    /// Headers whose values may be kept as keyed digests only, lower-cased.
    package let credentialHeaders: Set<String>

    /// What makes a delivery a sender's.
    package enum Proof: Hashable, Sendable {
        /// A signature over chosen parts of the request, in a header or in the body.
        case signature(SignatureRule)
        /// A secret that is sent along. It proves nothing of the body.
        case credential(CredentialRule)
        /// RFC 9421, with RFC 9530 for the body.
        case messageSignature(MessageSignatureRule)
        /// The body is a Security Event Token (RFC 8417), pushed by RFC 8935.
        case securityEvent(SecurityEventRule)
    }

    /// What makes two deliveries of one source the same.
    package enum Deduplication: String, CaseIterable, Sendable {
        /// The id, which must be proved.
        case id
        /// Everything that is signed; the body, where nothing is.
        case signedBytes = "signed-bytes"
    }

    /// What two genuine deliveries mean that are equal where the sender signs no id.
    package enum EqualDeliveries: String, CaseIterable, Sendable {
        /// One thing that was said twice: the second has no effect.
        case merge
        /// A hint only, which is answered by asking for the present state: the second has no effect of its own either,
        /// since the first was answered after both were true.
        case refetch
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
        /// base64 of a symmetric key of 256 bits or more, as RFC 7518 3.2 asks for.
        case base64Long = "base64-32"
        /// base64 of an Ed25519 public key's 32 bytes.
        case ed25519
        /// A JSON Web Key (RFC 7517), public, private or symmetric. Its `kid` names it, its `alg` fixes the algorithm.
        case jwk
        /// PEM of a public or private key: Ed25519, P-256, P-384 or RSA.
        case pem
        /// The text that is sent along: a token, or `user:password`.
        case token
    }

    /// Status codes and the sender's patience. A fault of ours is 503 always, so no field says it.
    package struct Response: Hashable, Sendable {
        package let success: Int
        package let reject: Int
        package let rejectForm: RejectForm
        package let acknowledgeWithinMilliseconds: Int

        /// The form in which a refusal is written.
        package enum RejectForm: String, CaseIterable, Sendable {
            /// RFC 9457.
            case problem
            /// RFC 8935 2.4, where a success has no body either.
            case securityEvent = "secevent"
        }

        /// How long the sender waits for an answer.
        package var ackBudget: Duration { .milliseconds(acknowledgeWithinMilliseconds) }
    }

    /// Whether every fact of the profile was confirmed with the sender itself.
    package var isConfirmed: Bool { unconfirmed.isEmpty }

    /// Whether a replay is refused by its age alone, some time. Where not, what was received must be remembered for as
    /// long as the source lives.
    package var hasSignedTime: Bool {
        switch proof {
        case .signature(let rule): rule.timestamp.map { $0.unit != .lenient && $0.window.past != nil } ?? false
        case .credential: false
        case .messageSignature(let rule): rule.window.past != nil
        case .securityEvent(let rule): rule.window.past != nil
        }
    }

    /// Whether two genuine deliveries that say the same differ in what is signed. Where they do not, the second cannot be
    /// told from a replay of the first; ``equalDeliveries`` says what it means.
    package var tellsEqualsApart: Bool {
        if deduplication == .id { return true }
        if case .signature(let rule) = proof { return rule.timestamp != nil }
        return hasSignedTime
    }

    /// Whether a header's value may be kept as a keyed digest only.
    package func isCredential(header name: String) -> Bool {
        credentialHeaders.contains(name.lowercased())
    }

    /// Whether a body of that type is read; `value` is the header's, parameters included.
    package func accepts(contentType value: String) -> Bool {
        let type = MediaType.essence(of: value)
        return contentTypes.contains { accepted in
            accepted == type || (accepted.hasPrefix("*") && type.hasSuffix(accepted.dropFirst()))
        }
    }
}

/// Media types (RFC 9110 8.3.1).
enum MediaType {
    static let form = "application/x-www-form-urlencoded"

    /// Type and subtype in lower case, without parameters.
    static func essence(of value: String) -> String {
        value.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
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
