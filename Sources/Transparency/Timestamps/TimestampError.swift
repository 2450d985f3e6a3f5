/// Why a time stamp is refused.
package enum TimestampError: Error, Hashable, Sendable {
    /// Not DER of its form (RFC 3161, RFC 5652).
    case malformed(String)
    /// The authority answered that it makes none; the number is its PKIStatus.
    case refused(status: Int)
    /// It is of other bytes.
    case otherImprint
    /// It answers another request.
    case otherNonce
    /// Nobody who is trusted signed it.
    case notTrusted
    /// Whoever signed it was not to make time stamps, or not then.
    case notAnAuthority
    /// It names a trusted signer, and the signature does not hold.
    case signatureWrong
    /// An algorithm that is not checked here.
    case algorithm(String)
}

extension TimestampError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let what): "not a time stamp, by its \(what)"
        case .refused(let status): "the authority made no time stamp (status \(status))"
        case .otherImprint: "the time stamp is of other bytes"
        case .otherNonce: "the time stamp answers another request"
        case .notTrusted: "no time stamp authority that is trusted signed it"
        case .notAnAuthority: "its signer's certificate does not let it make time stamps then"
        case .signatureWrong: "the signature of the time stamp does not hold"
        case .algorithm(let name): "the algorithm \(name) is not checked here"
        }
    }
}
