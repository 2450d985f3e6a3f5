extension SigningProfile {
    /// A signature over chosen parts of the request.
    package struct SignatureRule: Hashable, Sendable {
        let place: Place
        let grammar: Grammar
        /// The kinds of signature that count. At least one; tags differ.
        let schemes: [Scheme]
        /// Where the sender's id of the delivery stands; nil when it gives none.
        let id: IDPlace?
        /// Nil when the sender signs no time; then only deduplication stops a replay.
        let timestamp: TimestampRule?
        /// The pair of the signature header in which the sender lists headers that it signs; nil where it lists none.
        let listedPair: String?
        /// The header in which the sender names the key, lower-cased. A hint: it is not signed.
        let keyLabelHeader: String?

        /// Where the signature stands.
        enum Place: Hashable, Sendable {
            /// The header's name, lower-cased.
            case header(String)
            /// A pointer into the body.
            case field(String)
        }

        /// Where an id stands.
        enum IDPlace: Hashable, Sendable {
            /// The header's name, lower-cased.
            case header(String)
            /// Pointers into the body; the first that leads to a text counts, and there may be none.
            case fields([String])
        }
    }

    /// How the place of a signature is written.
    package enum Grammar: Hashable, Sendable {
        /// The signature alone.
        case raw
        /// This text, then the signature: `sha256=…`.
        case prefixed(String)
        /// This text, then signatures separated by commas.
        case prefixedList(String)
        /// `tag,signature` separated by one space each.
        case list
        /// `name=value` separated by commas; a scheme's tag is the name.
        case pairs
        /// Several `pairs`, separated by one space each: every one signs with its own time.
        case groups

        var isTagged: Bool { self == .list || self == .pairs || self == .groups }
        var hasPairs: Bool { self == .pairs || self == .groups }
    }

    /// One kind of signature.
    package struct Scheme: Hashable, Sendable {
        /// What names it in a `list` or `pairs`; empty in the other grammars, which have one scheme.
        let tag: String
        let algorithm: Algorithm
        let encoding: Encoding
        /// What the signature is made over, in order.
        let signed: [Part]
    }

    /// How a signature is made.
    package enum Algorithm: String, CaseIterable, Sendable {
        case hmacSHA256 = "hmac-sha256"
        case hmacSHA512 = "hmac-sha512"
        case ed25519
        case ecdsaP256 = "ecdsa-p256-sha256"
        case ecdsaP384 = "ecdsa-p384-sha384"
        case rsaPSS = "rsa-pss-sha512"
    }

    /// How a signature's bytes are written.
    package enum Encoding: String, CaseIterable, Sendable {
        /// Either case.
        case hex
        case base64
        /// Without padding.
        case base64url
        /// With padding or without: senders of one kind were seen to do both.
        case base64urlAnyPadding = "base64url-any-padding"
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
        /// The text or number that a pointer into the body leads to, as it is written.
        case field(String)
        /// The listed headers' names, as the sender wrote them.
        case listedNames
        /// The listed headers' values, each separated by a full stop.
        case listedValues
    }

    /// Where the signed time stands and how far it may be from the time of receipt.
    package struct TimestampRule: Hashable, Sendable {
        let place: Place
        let unit: Unit
        let window: Window

        /// Where the sender writes the time.
        enum Place: Hashable, Sendable {
            case header(String)
            /// The value of that name in a signature header written as `pairs`.
            case pair(String)
            /// A pointer into the body.
            case field(String)
        }

        /// How the sender writes the time.
        enum Unit: String, CaseIterable, Sendable {
            case seconds
            case milliseconds
            case rfc3339
            /// Any of these, and ISO 8601 with a shorter offset; what cannot be read is signed all the same. It bounds
            /// no replay, so deliveries are remembered as if there were no time.
            case lenient
        }
    }

    /// How far a signed time may be from the receipt, in seconds, both ends included; nil for an open end.
    package struct Window: Hashable, Sendable {
        let past: Int64?
        let future: Int64?

        /// Senders whose retries keep the first time. Less than the seven days for which deliveries are remembered at
        /// least, so that what is forgotten is refused by its age.
        static let widePast: Int64 = 6 * 86_400
    }

    /// A secret that is sent along with each request.
    package struct CredentialRule: Hashable, Sendable {
        /// The header's name, lower-cased.
        let header: String
        let kind: Kind

        /// How the header says it.
        enum Kind: String, CaseIterable, Sendable {
            /// The secret alone.
            case header
            /// RFC 6750: `Bearer` and the secret.
            case bearer
            /// RFC 7617: `Basic` and base64 of `user:password`.
            case basic
        }
    }

    /// What RFC 9421 leaves to the application (3.2.1 there).
    package struct MessageSignatureRule: Hashable, Sendable {
        /// Each must be covered; where one names several, one of them.
        let components: [[String]]
        let algorithms: [Algorithm]
        /// For `created`, which must be there.
        let window: Window
    }

    /// What RFC 8417 leaves to the profile.
    package struct SecurityEventRule: Hashable, Sendable {
        /// Algorithms of RFC 7518 that count. A key has one; the token only repeats it.
        let algorithms: [TokenAlgorithm]
        /// For `iat`.
        let window: Window
        /// What `iss` must be; nil for any.
        let issuer: String?
        /// What `aud` must hold; nil for any.
        let audience: String?
        /// What an admin stated of the source, besides.
        var parties = TokenParties.any
    }

    /// Algorithms of RFC 7518 and RFC 8037.
    package enum TokenAlgorithm: String, CaseIterable, Sendable {
        case hs256 = "HS256"
        case es256 = "ES256"
        case es384 = "ES384"
        case edDSA = "EdDSA"
        case rs256 = "RS256"
        case ps256 = "PS256"
    }
}
