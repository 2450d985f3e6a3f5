import Transparency

/// Finds in a request what a rule names: signature, id, time, and the parts that are signed.
struct MessageParts {
    let rule: SigningProfile.SignatureRule
    let request: HookRequest
    /// The body as JSON, where nothing can be judged without. Elsewhere it is read once the proof holds.
    private let body: JSON?

    init(rule: SigningProfile.SignatureRule, request: HookRequest) throws(Verdict.Refusal) {
        self.rule = rule
        self.request = request
        guard rule.needsBody else {
            body = nil
            return
        }
        do { body = try JSON.parse(request.body) } catch { throw .bodyMalformed }
    }

    func signature() throws(Verdict.Refusal) -> String {
        switch rule.place {
        case .header(let name):
            return try request.one(name, longest: SignatureHeader.longest, .signature)
        case .field(let pointer):
            guard let value = body?[pointer: pointer] else { throw .signatureMissing }
            guard let text = value.string else { throw .signatureMalformed }
            guard text.utf8.count <= SignatureHeader.longest else { throw .signatureTooLong }
            return text
        }
    }

    /// The id in a header; nil where the rule has none there.
    func headerID() throws(Verdict.Refusal) -> String? {
        guard case .header(let name) = rule.id else { return nil }
        let text = try request.one(name, .id)
        guard Self.isID(text) else { throw .idMalformed }
        return text
    }

    /// The id in the body, nil where the rule or the body has none. Parses the body, so only of a request that is proved.
    func bodyID() throws(Verdict.Refusal) -> String? {
        guard case .fields(let pointers) = rule.id else { return nil }
        // A body that is no JSON has no id: the signed bytes tell repetitions then.
        guard let body = body ?? (try? JSON.parse(request.body)) else { return nil }
        for pointer in pointers {
            guard let value = body[pointer: pointer], !value.isNull else { continue }
            guard let text = value.string ?? value.number?.literal,
                (1...HookRequest.longestValue).contains(text.utf8.count)
            else { throw .idMalformed }
            return text
        }
        return nil
    }

    /// Nil where the rule has none.
    func timestamp(in group: SignatureHeader.Group) throws(Verdict.Refusal) -> String? {
        switch rule.timestamp?.place {
        case nil:
            return nil
        case .header(let name):
            return try request.one(name, .timestamp)
        case .pair(let name):
            return try group.one(name, .timestamp)
        case .field(let pointer):
            guard let text = try field(pointer) else { throw .timestampMissing }
            return text
        }
    }

    /// The bytes that a scheme's signature is made over.
    func signedBytes(
        _ scheme: SigningProfile.Scheme,
        id: String?,
        timestamp: String?,
        in group: SignatureHeader.Group
    ) throws(Verdict.Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(request.body.count + HookRequest.longestValue)
        guard !isBodyAmbiguous(in: scheme) else { throw .bodyMalformed }
        for (place, part) in scheme.signed.enumerated() {
            switch part {
            case .literal(let text): bytes += text.utf8
            case .timestamp: bytes += (timestamp ?? "").utf8
            case .method: bytes += request.method.utf8
            case .body: bytes += request.body
            case .id:
                let id = id ?? ""
                guard !Self.isAmbiguous(id, at: place, of: scheme.signed) else { throw .idMalformed }
                bytes += id.utf8
            case .header(let name):
                let value = try request.one(name, .signed)
                guard Self.isValue(value), !Self.isAmbiguous(value, at: place, of: scheme.signed) else {
                    throw .signedHeaderMissing
                }
                bytes += value.utf8
            case .field(let pointer):
                guard let text = try field(pointer) else { throw .bodyMalformed }
                bytes += text.utf8
            case .listedNames:
                guard let pair = rule.listedPair else { break }
                bytes += try group.one(pair, .signed).utf8
            case .listedValues:
                bytes += try listedValues(in: group).utf8
            }
        }
        return bytes
    }

    /// The text or number that a pointer leads to, as it is written; nil where there is none.
    private func field(_ pointer: String) throws(Verdict.Refusal) -> String? {
        guard let value = body?[pointer: pointer], !value.isNull else { return nil }
        guard let text = value.string ?? value.number?.literal, text.utf8.count <= HookRequest.longestValue else {
            throw .bodyMalformed
        }
        return text
    }

    /// The values of the headers that the sender lists as signed, each there once. They stand one behind the other with a
    /// full stop between, so only the last may hold one: else a piece of one value could pass for a piece of the next.
    private func listedValues(in group: SignatureHeader.Group) throws(Verdict.Refusal) -> String {
        let list = try listedNames(in: group)
        var values: [String] = []
        for (place, name) in list.enumerated() {
            let value = try request.one(name, .signed)
            guard Self.isValue(value), place == list.count - 1 || !value.contains(".") else {
                throw .signedHeaderMissing
            }
            values.append(value)
        }
        return values.joined(separator: ".")
    }

    /// The names that the sender lists, in lower case and each once.
    func listedNames(in group: SignatureHeader.Group) throws(Verdict.Refusal) -> [String] {
        guard let pair = rule.listedPair else { return [] }
        let list = try group.one(pair, .signed).lowercased().split(separator: " ", omittingEmptySubsequences: false)
        guard list.count <= SignatureHeader.mostValues, Set(list).count == list.count, list.allSatisfy(Self.isName)
        else { throw .signedHeaderMissing }
        return list.map(String.init)
    }

    private static func isName(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(isOfName)
    }

    /// Of a header's name in lower case.
    private static func isOfName(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
    }

    /// Whether another body could be read from the same signed bytes: one that ends in what a time is made of, with the
    /// time right behind it; or one that begins as the list of headers of another version would.
    private func isBodyAmbiguous(in scheme: SigningProfile.Scheme) -> Bool {
        guard let place = scheme.signed.firstIndex(of: .body) else { return false }
        let isBeforeTime = place + 1 < scheme.signed.count && scheme.signed[place + 1] == .timestamp
        if isBeforeTime, let last = request.body.last, SigningProfile.TimestampRule.isOfTime(last) { return true }
        guard rule.listedPair != nil, !scheme.signed.contains(.listedNames) else { return false }
        let names = request.body.prefix { $0 == 0x20 || Self.isOfName($0) || Self.isOfName($0 | 0x20) }
        return !names.isEmpty && request.body.dropFirst(names.count).first == UInt8(ascii: ".")
    }

    /// Whether the value holds the separator that ends it, so that its end could be read in two places.
    private static func isAmbiguous(_ value: String, at place: Int, of signed: [SigningProfile.Part]) -> Bool {
        guard place + 1 < signed.count, case .literal(let separator) = signed[place + 1] else { return false }
        return value.contains(separator)
    }

    /// Letters, digits and `-_.~:=+/@|`. Id, time and body are signed one behind the other, so without this the first
    /// bytes of a body could be read as part of an id, and a repetition would pass for a new delivery; no JSON object
    /// or array begins with one of these characters.
    static func isID(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "-_.~:=+/@|".utf8.contains(byte)
                }
            }
    }

    /// Printable ASCII without the characters that a JSON body begins with, for the reason of `isID`.
    private static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20..<0x7F).contains($0) && !#"{["#.utf8.contains($0) }
    }
}

extension SigningProfile.SignatureRule {
    /// Whether judging is impossible where the body is no JSON.
    var needsBody: Bool {
        if case .field = place { return true }
        if case .field = timestamp?.place { return true }
        return schemes.contains { $0.signed.contains { if case .field = $0 { true } else { false } } }
    }

    /// Whether a signature of the scheme covers the id, when the sender lists these headers; nil for any list.
    func provesID(_ scheme: SigningProfile.Scheme, listed: [String]? = nil) -> Bool {
        switch id {
        case nil: false
        case .header(let name):
            scheme.signed.contains(.id) || scheme.signed.contains(.header(name))
                || (scheme.signed.contains(.listedValues) && listed?.contains(name) ?? true)
        case .fields(let pointers):
            scheme.signed.contains(.body) || pointers.allSatisfy { scheme.signed.contains(.field($0)) }
        }
    }
}
