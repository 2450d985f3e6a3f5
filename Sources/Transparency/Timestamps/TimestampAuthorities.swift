internal import FoundationEssentials
internal import SwiftASN1
internal import X509

/// Certificates of the time stamp authorities that one trusts: their own, or those of who issued these.
package struct TimestampAuthorities: Hashable, Sendable {
    let certificates: [Certificate]

    /// Bytes of the largest text, and certificates in it.
    package static let largestBytes = 262_144
    package static let mostCertificates = 32

    /// Reads PEM. Refuses a text without a certificate, and with anything else.
    package init(pem text: String) throws(TimestampError) {
        guard text.utf8.count <= Self.largestBytes else { throw .malformed("certificates") }
        do {
            certificates = try PEMDocument.parseMultiple(pemString: text).map { try Certificate(pemDocument: $0) }
        } catch {
            throw .malformed("certificates")
        }
        guard (1...Self.mostCertificates).contains(certificates.count) else { throw .malformed("certificates") }
    }

    /// Refuses a certificate that is neither trusted itself nor issued by one that is, is no time stamp authority's
    /// (RFC 3161 section 2.3), or was not valid then.
    func check(_ certificate: Certificate, at time: Int) throws(TimestampError) {
        guard
            certificates.contains(certificate) || certificates.contains(where: { $0.hasIssued(certificate, at: time) })
        else { throw .notTrusted }
        // Unreadable is the same as not there.
        let usage = try? certificate.extensions.extendedKeyUsage
        guard usage?.contains(.timeStamping) == true, certificate.isValid(at: time) else { throw .notAnAuthority }
    }
}

extension Certificate {
    fileprivate func isValid(at time: Int) -> Bool {
        let then = Date(timeIntervalSince1970: TimeInterval(time))
        return notValidBefore <= then && then <= notValidAfter
    }

    fileprivate func hasIssued(_ other: Certificate, at time: Int) -> Bool {
        // Unreadable is the same as not there.
        guard case .isCertificateAuthority? = try? extensions.basicConstraints else { return false }
        return other.issuer == subject && isValid(at: time) && publicKey.isValidSignature(other.signature, for: other)
    }
}
