internal import Crypto
internal import SwiftASN1
internal import X509

/// A time stamp (RFC 3161 section 2.4.2): an authority's word that it saw a hash at a time. Reading one trusts nobody yet.
package struct TimestampToken: Hashable, Sendable {
    /// DER of the ContentInfo, as `openssl ts -verify -token_in` reads it.
    package let bytes: [UInt8]
    /// SHA-256 of what was stamped.
    package let imprint: [UInt8]
    /// Of the request; nil where it had none.
    package let nonce: [UInt8]?
    /// Whole seconds since 1970, by the authority's clock.
    package let time: Int
    let signer: TimestampSigner
    /// The signed TSTInfo.
    let content: [UInt8]

    /// Bytes of the largest token that is read.
    package static let largestBytes = TimestampRequest.largestAnswer

    /// Reads a token. Refuses what is not DER, hashes other than SHA-256, and any number of signers but one.
    package init(parsing bytes: [UInt8]) throws(TimestampError) {
        guard bytes.count <= Self.largestBytes else { throw .malformed("size") }
        var outer = try DERNodes(.read(bytes, "token"), as: .sequence, "token")
        guard try outer.next(.objectIdentifier, "type").oid("type") == .signedData else { throw .malformed("type") }
        var wrapped = try DERNodes(outer.next(.tagged(0), "content"), as: .tagged(0), "content")
        var signed = try DERNodes(wrapped.next(.sequence, "content"), as: .sequence, "content")
        _ = try signed.next(.integer, "version")
        _ = try signed.next(.set, "digest algorithms")
        var encapsulated = try DERNodes(signed.next(.sequence, "time"), as: .sequence, "time")
        guard try encapsulated.next(.objectIdentifier, "time").oid("time") == .timeStampInfo else {
            throw .malformed("time")
        }
        var explicit = try DERNodes(encapsulated.next(.tagged(0), "time"), as: .tagged(0), "time")
        content = Array(try explicit.next(.octetString, "time").primitive("time"))
        let certificates = try signed.nextIf(.tagged(0)).map { node throws(TimestampError) in
            try node.children(as: .tagged(0), "certificates")
        }
        _ = signed.nextIf(.tagged(1))
        let signers = try signed.next(.set, "signer").children(as: .set, "signer")
        guard signers.count == 1 else { throw .malformed("signer") }
        signer = try TimestampSigner(signers[0], embedded: certificates ?? [])
        self.bytes = bytes
        (imprint, nonce, time) = try Self.info(content)
    }

    /// TSTInfo: what was stamped, and when.
    private static func info(
        _ content: [UInt8]
    ) throws(TimestampError) -> (imprint: [UInt8], nonce: [UInt8]?, time: Int) {
        var info = try DERNodes(.read(content, "time"), as: .sequence, "time")
        guard try info.next(.integer, "version").primitive("version") == [1] else { throw .malformed("version") }
        _ = try info.next(.objectIdentifier, "policy")
        var imprint = try DERNodes(info.next(.sequence, "imprint"), as: .sequence, "imprint")
        let algorithm = try imprint.next(.sequence, "imprint").algorithm("imprint")
        guard algorithm == .sha256 else { throw .algorithm("\(algorithm)") }
        let digest = Array(try imprint.next(.octetString, "imprint").primitive("imprint"))
        guard digest.count == SHA256.byteCount else { throw .malformed("imprint") }
        _ = try info.next(.integer, "serial number")
        let time = try seconds(of: info.next(.generalizedTime, "time"))
        _ = info.nextIf(.sequence)
        _ = info.nextIf(.boolean)
        let nonce = try info.nextIf(.integer).map { node throws(TimestampError) in
            Array(try node.primitive("nonce"))
        }
        return (digest, nonce, time)
    }

    /// Refuses unless one of the authorities signed it.
    package func verify(by authorities: TimestampAuthorities) throws(TimestampError) {
        try signer.verify(content, at: time, by: authorities)
    }

    /// Refuses unless it is of exactly these bytes, and one of the authorities signed it.
    package func verify(of stamped: [UInt8], by authorities: TimestampAuthorities) throws(TimestampError) {
        guard imprint == Array(SHA256.hash(data: stamped)) else { throw .otherImprint }
        try verify(by: authorities)
    }

    private static func seconds(of node: ASN1Node) throws(TimestampError) -> Int {
        let time: GeneralizedTime
        do {
            time = try GeneralizedTime(derEncoded: node)
        } catch {
            throw .malformed("time")
        }
        // Days since 1970 in the proleptic Gregorian calendar; years begin in March, so that the leap day is their last.
        let year = time.month > 2 ? time.year : time.year - 1
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (time.month + (time.month > 2 ? -3 : 9)) + 2) / 5 + time.day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return ((days * 24 + time.hours) * 60 + time.minutes) * 60 + time.seconds
    }
}
