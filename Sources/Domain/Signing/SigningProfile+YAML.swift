import Yams

extension SigningProfile {
    /// Reads a profile. `file` is named in refusals, and its stem must be the profile's name.
    package init(yaml: String, file: String) throws(SigningProfileError) {
        var fields = try ProfileFields(yaml: yaml, file: file)
        name = try fields.text("name")
        guard file == name + ".yaml" else { throw fields.error("name", "is not the file's name") }
        title = try fields.text("title")
        unconfirmed = try fields.list("unconfirmed") { element throws(SigningProfileError) in try element.text() }
        let body: BodyWord = try fields.word("body")
        provesBody = body == .proved
        proof = try Proof(&fields)
        deduplication = try fields.word("deduplication")
        equalDeliveries = try fields.word("equal_deliveries")
        secretForms = try fields.list("secrets") { element throws(SigningProfileError) in try element.word() }
        contentTypes = try fields.list("content_types") { element throws(SigningProfileError) in
            try element.lowercasedText()
        }
        handshakes = try fields.list("handshakes") { element throws(SigningProfileError) in try Handshake(element) }
        response = try Response(try fields.fields("response"))
        credentialHeaders = Set(
            try fields.list("credentials") { element throws(SigningProfileError) in try element.lowercasedText() }
        )
        try fields.end()
        try checkTogether(fields)
    }

    private enum BodyWord: String, CaseIterable {
        case proved
        case unproved
    }

    /// What no single field can say of itself.
    private func checkTogether(_ fields: ProfileFields) throws(SigningProfileError) {
        guard provesBody == proof.coversBody else {
            throw fields.error("body", provesBody ? "is not covered by the proof" : "is covered by the proof")
        }
        guard !contentTypes.isEmpty else { throw fields.error("content_types", "is empty") }
        guard !secretForms.isEmpty else { throw fields.error("secrets", "is empty") }
        guard secretForms.filter({ $0.beginning == nil }).count <= 1 else {
            throw fields.error("secrets", "holds two forms that any text may be")
        }
        let sharesText: Bool
        if case .credential(let rule) = proof {
            sharesText = true
            guard credentialHeaders.contains(rule.header) else {
                throw fields.error("credentials", "leaves out the header that carries the secret")
            }
        } else {
            sharesText = false
        }
        guard secretForms.allSatisfy({ ($0 == .token) == sharesText }) else {
            throw fields.error("secrets", sharesText ? "must be token alone" : "holds token, which signs nothing")
        }
        if deduplication == .id, !proof.provesID {
            throw fields.error("deduplication", "is by an id that is not signed, which anybody could change")
        }
        if case .securityEvent = proof, deduplication != .id {
            throw fields.error("deduplication", "must be by id: every token is another")
        }
    }
}

extension SigningProfile.Proof {
    /// Exactly one kind.
    fileprivate init(_ fields: inout ProfileFields) throws(SigningProfileError) {
        let kinds = ["signature", "credential", "message_signature", "security_event"]
        let named = kinds.filter(fields.has)
        guard named.count == 1 else {
            throw fields.error(named.last ?? "signature", named.isEmpty ? "is missing" : "is a second kind of proof")
        }
        if var signature = try fields.optionalFields("signature") {
            self = .signature(try SigningProfile.SignatureRule(&signature, beside: &fields))
        } else if var credential = try fields.optionalFields("credential") {
            self = .credential(
                SigningProfile.CredentialRule(
                    header: try credential.header("header"),
                    kind: try credential.word("kind")
                )
            )
            try credential.end()
        } else if let message = try fields.optionalFields("message_signature") {
            self = .messageSignature(try SigningProfile.MessageSignatureRule(message))
        } else {
            self = .securityEvent(try SigningProfile.SecurityEventRule(try fields.fields("security_event")))
        }
    }

    /// Whether nobody could put another body under the proof.
    fileprivate var coversBody: Bool {
        switch self {
        case .signature(let rule): rule.schemes.allSatisfy { $0.signed.contains(.body) }
        case .credential: false
        case .messageSignature(let rule): rule.components.contains([ContentDigest.header])
        case .securityEvent: true
        }
    }

    /// Whether there is an id that the proof covers, with the first scheme at least.
    fileprivate var provesID: Bool {
        switch self {
        case .signature(let rule): rule.schemes.first.map { rule.provesID($0) } ?? false
        case .credential: false
        case .messageSignature, .securityEvent: true
        }
    }
}

extension SigningProfile.MessageSignatureRule {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        components = try fields.list("components") { element throws(SigningProfileError) in
            var choices: [String] = []
            for choice in element.isText ? [element] : try element.elements() {
                choices.append(try choice.lowercasedText())
            }
            return choices
        }
        guard components.allSatisfy({ !$0.isEmpty }) else { throw fields.error("components", "holds an empty choice") }
        algorithms = try fields.list("algorithms") { element throws(SigningProfileError) in try element.word() }
        guard !algorithms.isEmpty, !algorithms.contains(.hmacSHA512) else {
            throw fields.error("algorithms", "is empty, or names one that RFC 9421 does not have")
        }
        window = try SigningProfile.Window(&fields)
        try fields.end()
    }
}

extension SigningProfile.SecurityEventRule {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        algorithms = try fields.list("algorithms") { element throws(SigningProfileError) in try element.word() }
        guard !algorithms.isEmpty else { throw fields.error("algorithms", "is empty") }
        window = try SigningProfile.Window(&fields)
        issuer = try fields.optionalText("issuer")
        audience = try fields.optionalText("audience")
        try fields.end()
    }
}

extension Handshake {
    fileprivate init(_ element: ProfileElement) throws(SigningProfileError) {
        var fields = try element.fields()
        if var echo = try fields.optionalFields("echo_get") {
            self = .echoGet(header: try echo.header("header"), member: try echo.text("member"))
            try echo.end()
        } else if var echo = try fields.optionalFields("echo_post") {
            self = .echoPost(
                when: try Condition(try echo.fields("when")),
                challenge: try echo.pointer("challenge")
            )
            try echo.end()
        } else if var capture = try fields.optionalFields("capture_token") {
            self = .captureToken(pointer: try capture.pointer("field"))
            try capture.end()
        } else {
            var ping = try fields.fields("accept_ping")
            let isText = ping.has("text") ? try ping.flag("text") : false
            let when = try ping.optionalFields("when").map { when throws(SigningProfileError) in try Condition(when) }
            guard isText != (when != nil) else {
                throw ping.error("when", "or text: true has to be there, and one alone")
            }
            self = .acceptPing(text: isText, when: when)
            try ping.end()
        }
        try fields.end()
    }
}

extension Handshake.Condition {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        pointer = try fields.pointer("field")
        value = try fields.text("is")
        try fields.end()
    }
}

extension SigningProfile.Response {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        success = try fields.number("success", in: 200...299)
        reject = try fields.number("reject", in: 400...499)
        rejectForm = fields.has("reject_form") ? try fields.word("reject_form") : .problem
        acknowledgeWithinMilliseconds = try fields.number("acknowledge_within_milliseconds", in: 1...120_000)
        try fields.end()
    }
}
