import Transparency

/// Signs chosen parts of a request as a rule says.
struct DetachedSignatureMaker {
    let rule: SigningProfile.SignatureRule
    let id: String?
    let instant: Timestamp
    var request: HookRequest
    private var made: [(name: String, value: String)] = []

    init(rule: SigningProfile.SignatureRule, id: String?, instant: Timestamp, request: HookRequest) {
        (self.rule, self.id, self.instant, self.request) = (rule, id, instant, request)
    }

    mutating func make(_ keys: [SigningKey]) throws(SignatureMakerError) -> SignatureMaker.Delivery {
        try addID()
        var values: [(name: String, value: String)] = []
        let timestamp = try addTime(to: &values)
        if let pair = rule.listedPair, case .header(let name) = rule.id { values.append((pair, name)) }
        let fixed = values.map { "\($0.name)=\($0.value)" }
        var signatures: [String] = []
        for key in keys {
            for scheme in rule.schemes where scheme.signed == rule.schemes.first?.signed {
                let bytes = try signedBytes(scheme, timestamp, SignatureHeader.Group(values: values))
                guard let signature = try key.trySign(bytes, with: scheme.algorithm) else { continue }
                signatures.append(rule.grammar.item(tag: scheme.tag, text: scheme.encode(signature)))
            }
        }
        guard !signatures.isEmpty else { throw .noKeyThatSigns }
        let groups = rule.grammar == .groups ? signatures.map { fixed + [$0] } : [fixed + signatures]
        guard let text = rule.grammar.join(groups) else { throw .tooManyKeys }
        if let header = rule.keyLabelHeader, let label = keys.first?.label { add(header, label) }
        switch rule.place {
        case .header(let name): add(name, text)
        case .field(let pointer): try set(pointer, text)
        }
        return SignatureMaker.Delivery(headers: made, body: request.body)
    }

    private mutating func add(_ name: String, _ value: String) {
        made.append((name, value))
        request.headers.append((name, value))
    }

    /// An id in the body is the sender's payload and stays as it is.
    private mutating func addID() throws(SignatureMakerError) {
        guard case .header(let name) = rule.id, !request.has(name) else { return }
        guard let id, id.utf8.count <= HookRequest.longestValue, MessageParts.isID(id) else { throw .idUnusable }
        add(name, id)
    }

    private mutating func addTime(
        to values: inout [(name: String, value: String)]
    ) throws(SignatureMakerError) -> String? {
        guard let rule = rule.timestamp else { return nil }
        let text = rule.text(instant)
        switch rule.place {
        case .header(let name): add(name, text)
        case .pair(let name): values.append((name, text))
        case .field(let pointer): try set(pointer, text, isNumber: rule.unit == .seconds || rule.unit == .milliseconds)
        }
        return text
    }

    private func signedBytes(
        _ scheme: SigningProfile.Scheme,
        _ timestamp: String?,
        _ group: SignatureHeader.Group
    ) throws(SignatureMakerError) -> [UInt8] {
        do throws(Verdict.Refusal) {
            let parts = try MessageParts(rule: rule, request: request)
            return try parts.signedBytes(scheme, id: try parts.headerID(), timestamp: timestamp, in: group)
        } catch {
            switch error {
            case .idMalformed: throw .idUnusable
            case .bodyMalformed: throw .bodyUnusable
            default: throw .signedHeaderMissing
            }
        }
    }

    /// Sets a member of the body's own object; profiles whose proof stands deeper can be judged and not made.
    private mutating func set(_ pointer: String, _ text: String, isNumber: Bool = false) throws(SignatureMakerError) {
        let name = String(pointer.dropFirst())
        // What is no JSON object has no place for it.
        guard !name.contains("/"), var object = try? JSON.parse(request.body).object else { throw .bodyUnusable }
        object[name] = isNumber ? Int64(text).map { .integer($0) } : .string(text)
        request.body = JSON.object(object).bytes
    }
}
