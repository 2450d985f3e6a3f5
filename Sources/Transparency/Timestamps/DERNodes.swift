internal import SwiftASN1

/// The children of a constructed node, one after the other.
struct DERNodes {
    private var rest: ASN1NodeCollection.Iterator
    private var ahead: ASN1Node?

    init(_ node: ASN1Node, as identifier: ASN1Identifier, _ what: String) throws(TimestampError) {
        guard node.identifier == identifier, case .constructed(let children) = node.content else {
            throw .malformed(what)
        }
        rest = children.makeIterator()
        ahead = rest.next()
    }

    mutating func next(_ identifier: ASN1Identifier, _ what: String) throws(TimestampError) -> ASN1Node {
        guard let node = nextIf(identifier) else { throw .malformed(what) }
        return node
    }

    mutating func nextIf(_ identifier: ASN1Identifier) -> ASN1Node? {
        ahead?.identifier == identifier ? next() : nil
    }

    mutating func next() -> ASN1Node? {
        defer { ahead = rest.next() }
        return ahead
    }
}

extension ASN1Node {
    static func read(_ bytes: some Collection<UInt8>, _ what: String) throws(TimestampError) -> ASN1Node {
        do {
            return try DER.parse(Array(bytes))
        } catch {
            throw .malformed(what)
        }
    }

    func primitive(_ what: String) throws(TimestampError) -> ArraySlice<UInt8> {
        guard case .primitive(let bytes) = content else { throw .malformed(what) }
        return bytes
    }

    func oid(_ what: String) throws(TimestampError) -> ASN1ObjectIdentifier {
        do {
            return try ASN1ObjectIdentifier(derEncoded: self)
        } catch {
            throw .malformed(what)
        }
    }

    /// The algorithm of an AlgorithmIdentifier; parameters are no matter of ours.
    func algorithm(_ what: String) throws(TimestampError) -> ASN1ObjectIdentifier {
        var parts = try DERNodes(self, as: .sequence, what)
        return try parts.next(.objectIdentifier, what).oid(what)
    }

    func children(as identifier: ASN1Identifier, _ what: String) throws(TimestampError) -> [ASN1Node] {
        var nodes = try DERNodes(self, as: identifier, what)
        var all: [ASN1Node] = []
        while let node = nodes.next() { all.append(node) }
        return all
    }
}

extension ASN1Identifier {
    /// `[n]`.
    static func tagged(_ number: UInt) -> ASN1Identifier {
        ASN1Identifier(tagWithNumber: number, tagClass: .contextSpecific)
    }
}

extension ASN1ObjectIdentifier {
    static let signedData: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 7, 2]
    static let timeStampInfo: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 9, 16, 1, 4]
    static let contentType: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 9, 3]
    static let messageDigest: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 9, 4]
    static let signingCertificate: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 9, 16, 2, 12]
    static let signingCertificateV2: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 9, 16, 2, 47]
    static let sha1: ASN1ObjectIdentifier = [1, 3, 14, 3, 2, 26]
    static let sha256: ASN1ObjectIdentifier = [2, 16, 840, 1, 101, 3, 4, 2, 1]
    static let sha384: ASN1ObjectIdentifier = [2, 16, 840, 1, 101, 3, 4, 2, 2]
    static let sha512: ASN1ObjectIdentifier = [2, 16, 840, 1, 101, 3, 4, 2, 3]
    static let rsa: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 1]
    static let rsaSHA256: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 11]
    static let rsaSHA384: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 12]
    static let rsaSHA512: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 13]
    static let ecdsaSHA256: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 2]
    static let ecdsaSHA384: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 3]
    static let ecdsaSHA512: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 4]
}
