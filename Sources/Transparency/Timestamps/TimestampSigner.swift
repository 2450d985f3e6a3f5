internal import Crypto
internal import SwiftASN1
internal import X509

/// Who signed a time stamp, and how (RFC 5652 section 5.3).
struct TimestampSigner: Hashable, Sendable {
    private let issuerAndSerial: [UInt8]?
    private let digestAlgorithm: ASN1ObjectIdentifier
    private let signatureAlgorithm: ASN1ObjectIdentifier
    private let signature: [UInt8]
    /// What the signature is over: the attributes as a SET OF.
    private let attributes: [UInt8]
    private let messageDigest: [UInt8]
    /// ESSCertID: digest of the signer's certificate, and of which algorithm.
    private let certificateDigest: [UInt8]
    private let certificateAlgorithm: ASN1ObjectIdentifier
    /// DER of the certificates that came with it.
    private let embedded: [[UInt8]]

    init(_ node: ASN1Node, embedded: [ASN1Node]) throws(TimestampError) {
        var parts = try DERNodes(node, as: .sequence, "signer")
        _ = try parts.next(.integer, "signer")
        // By issuer and serial number, or by the key's identifier; the digest of the certificate decides in any case.
        issuerAndSerial = parts.nextIf(.sequence).map { Array($0.encodedBytes) }
        if issuerAndSerial == nil { _ = try parts.next(.tagged(0), "signer") }
        digestAlgorithm = try parts.next(.sequence, "digest").algorithm("digest")
        let signed = try parts.next(.tagged(0), "attributes")
        attributes = [0x31] + signed.encodedBytes.dropFirst()
        signatureAlgorithm = try parts.next(.sequence, "signature").algorithm("signature")
        signature = Array(try parts.next(.octetString, "signature").primitive("signature"))
        var values: [ASN1ObjectIdentifier: ASN1Node] = [:]
        for attribute in try signed.children(as: .tagged(0), "attributes") {
            var pair = try DERNodes(attribute, as: .sequence, "attributes")
            let name = try pair.next(.objectIdentifier, "attributes").oid("attributes")
            let found = try pair.next(.set, "attributes").children(as: .set, "attributes")
            guard found.count == 1, values[name] == nil else { throw .malformed("attributes") }
            values[name] = found[0]
        }
        guard let type = values[.contentType], try type.oid("content type") == .timeStampInfo,
            let digest = values[.messageDigest]
        else { throw .malformed("attributes") }
        messageDigest = Array(try digest.primitive("digest"))
        (certificateAlgorithm, certificateDigest) = try Self.certificate(
            version1: values[.signingCertificate],
            version2: values[.signingCertificateV2]
        )
        self.embedded = embedded.map { Array($0.encodedBytes) }
    }

    /// The first ESSCertID, which is the signer's (RFC 5816).
    private static func certificate(
        version1: ASN1Node?,
        version2: ASN1Node?
    ) throws(TimestampError) -> (ASN1ObjectIdentifier, [UInt8]) {
        let what = "signing certificate"
        guard let node = version2 ?? version1 else { throw .malformed(what) }
        var signing = try DERNodes(node, as: .sequence, what)
        var list = try DERNodes(signing.next(.sequence, what), as: .sequence, what)
        var first = try DERNodes(list.next(.sequence, what), as: .sequence, what)
        var algorithm: ASN1ObjectIdentifier = version2 == nil ? .sha1 : .sha256
        if version2 != nil, let other = first.nextIf(.sequence) { algorithm = try other.algorithm(what) }
        return (algorithm, Array(try first.next(.octetString, what).primitive(what)))
    }

    /// Refuses unless one of the authorities signed the content, with a certificate that lets it, valid at the time.
    func verify(_ content: [UInt8], at time: Int, by authorities: TimestampAuthorities) throws(TimestampError) {
        guard try Self.digest(content, digestAlgorithm) == messageDigest else { throw .signatureWrong }
        // What came along and cannot be read is nobody's certificate.
        let candidates = authorities.certificates + embedded.compactMap { try? Certificate(derEncoded: $0) }
        var found: Certificate?
        for candidate in candidates where found == nil {
            guard try Self.digest(candidate.der, certificateAlgorithm) == certificateDigest else { continue }
            found = candidate
        }
        guard let certificate = found else { throw .notTrusted }
        try authorities.check(certificate, at: time)
        let isValid = certificate.publicKey.isValidSignature(
            signature,
            for: attributes,
            signatureAlgorithm: try algorithm()
        )
        guard isValid else { throw .signatureWrong }
    }

    private func algorithm() throws(TimestampError) -> Certificate.SignatureAlgorithm {
        switch (signatureAlgorithm, digestAlgorithm) {
        case (.rsa, .sha256), (.rsaSHA256, .sha256): .sha256WithRSAEncryption
        case (.rsa, .sha384), (.rsaSHA384, .sha384): .sha384WithRSAEncryption
        case (.rsa, .sha512), (.rsaSHA512, .sha512): .sha512WithRSAEncryption
        case (.ecdsaSHA256, .sha256): .ecdsaWithSHA256
        case (.ecdsaSHA384, .sha384): .ecdsaWithSHA384
        case (.ecdsaSHA512, .sha512): .ecdsaWithSHA512
        default: throw .algorithm("\(signatureAlgorithm) over \(digestAlgorithm)")
        }
    }

    private static func digest(_ bytes: [UInt8], _ algorithm: ASN1ObjectIdentifier) throws(TimestampError) -> [UInt8] {
        switch algorithm {
        case .sha256: Array(SHA256.hash(data: bytes))
        case .sha384: Array(SHA384.hash(data: bytes))
        case .sha512: Array(SHA512.hash(data: bytes))
        // Only in ESSCertID of version 1, where it names a certificate that has to be trusted anyway.
        case .sha1: Array(Insecure.SHA1.hash(data: bytes))
        default: throw .algorithm("\(algorithm)")
        }
    }
}

extension Certificate {
    /// As it was signed: what is read here is written again byte for byte.
    var der: [UInt8] {
        var serializer = DER.Serializer()
        // A certificate that was read can be written.
        do { try serializer.serialize(self) } catch { return [] }
        return serializer.serializedBytes
    }
}
