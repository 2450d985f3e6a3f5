/// One request of a sender, as it came: what a proof is judged by.
package struct HookRequest: Sendable {
    /// As it came: methods are case-sensitive.
    package var method: String
    /// Absolute: the public URL, with path and query as they were received.
    package var url: String
    /// In order, repeated ones each.
    package var headers: [(name: String, value: String)]
    /// As it came, byte for byte.
    package var body: [UInt8]

    /// Nothing is checked here; `SignatureVerifier` does.
    package init(method: String = "POST", url: String, headers: [(name: String, value: String)], body: [UInt8]) {
        (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
    }

    /// Bytes of a body at most that a hook takes.
    package static let mostBodyBytes = 1024 * 1024
    /// Characters of an id or another header that is signed.
    static let longestValue = 256

    /// The value of a header that must be there once; `name` is in lower case. Two of a name are refused even when they
    /// agree: which of them counts is a question that two programs on the way may answer differently.
    func one(_ name: String, longest: Int = longestValue, _ refusals: HeaderRefusals) throws(Verdict.Refusal) -> String
    {
        var found: String?
        for header in headers where Self.isSame(header.name, name) {
            guard found == nil else { throw refusals.repeated }
            found = header.value
        }
        guard let found else { throw refusals.missing }
        guard found.utf8.count <= longest else { throw refusals.tooLong }
        return found
    }

    /// Whether a header of that name is there at all.
    func has(_ name: String) -> Bool {
        headers.contains { Self.isSame($0.name, name) }
    }

    private static func isSame(_ name: String, _ lowercased: String) -> Bool {
        name.utf8.count == lowercased.utf8.count
            && zip(name.utf8, lowercased.utf8).allSatisfy { byte, other in
                byte == other || ((0x41...0x5A).contains(byte) && byte | 0x20 == other)
            }
    }
}

/// What it means that a header is not there once.
struct HeaderRefusals {
    let missing: Verdict.Refusal
    let repeated: Verdict.Refusal
    let tooLong: Verdict.Refusal

    static let signature = HeaderRefusals(
        missing: .signatureMissing,
        repeated: .signatureRepeated,
        tooLong: .signatureTooLong
    )
    static let id = HeaderRefusals(missing: .idMissing, repeated: .idRepeated, tooLong: .idMalformed)
    static let timestamp = HeaderRefusals(
        missing: .timestampMissing,
        repeated: .timestampRepeated,
        tooLong: .timestampMalformed
    )
    static let signed = HeaderRefusals(
        missing: .signedHeaderMissing,
        repeated: .signedHeaderMissing,
        tooLong: .signedHeaderMissing
    )
    static let credential = HeaderRefusals(
        missing: .credentialMissing,
        repeated: .credentialRepeated,
        tooLong: .credentialMalformed
    )
    static let digest = HeaderRefusals(missing: .digestMissing, repeated: .digestMalformed, tooLong: .digestMalformed)
}
