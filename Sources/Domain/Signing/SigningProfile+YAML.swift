import Yams

extension SigningProfile {
    /// Reads a profile. `file` is named in refusals, and its stem must be the profile's name.
    package init(yaml: String, file: String) throws(SigningProfileError) {
        var fields = try ProfileFields(yaml: yaml, file: file)
        name = try fields.text("name")
        title = try fields.text("title")
        isConfirmed = try fields.flag("confirmed")
        guard file == name + ".yaml" else { throw fields.error("name", "is not the file's name") }

        var signature = try fields.fields("signature")
        signatureHeader = try signature.header("header")
        grammar = try Grammar(&signature)
        schemes = try signature.list("schemes") { element throws(SigningProfileError) in
            try Scheme(try element.fields())
        }
        let needsTags = grammar == .list || grammar == .pairs
        guard !schemes.isEmpty, needsTags || schemes.count == 1, schemes.allSatisfy({ $0.tag.isEmpty != needsTags }),
            Set(schemes.map(\.tag)).count == schemes.count
        else { throw signature.error("schemes", "needs one scheme, or several of different tags in a list or pairs") }
        try signature.end()

        idHeader = try fields.optionalFields("id").map { id throws(SigningProfileError) in try id.onlyHeader() }
        timestamp = try fields.optionalFields("timestamp").map { rule throws(SigningProfileError) in
            try TimestampRule(rule)
        }
        signed = try fields.list("signed") { element throws(SigningProfileError) in try Part(element) }
        deduplication = try fields.word("deduplication")
        secretForms = try fields.list("secrets") { element throws(SigningProfileError) in try element.word() }
        response = try Response(try fields.fields("response"))
        handshake = try fields.word("handshake")
        credentialHeaders = Set(
            try fields.list("credentials") { element throws(SigningProfileError) in try element.text().lowercased() }
        )
        try fields.end()
        try checkTogether(fields)
    }

    /// What no single field can say of itself.
    private func checkTogether(_ fields: ProfileFields) throws(SigningProfileError) {
        guard signed.contains(.body) else {
            throw fields.error("signed", "leaves out the body: such a signature proves nothing of what is said")
        }
        guard signed.filter({ $0 == .body }).count == 1 else {
            throw fields.error("signed", "names the body twice")
        }
        guard !signed.contains(.id) || idHeader != nil else {
            throw fields.error("signed", "names an id that is not there")
        }
        guard signed.contains(.timestamp) == (timestamp != nil) else {
            throw fields.error("timestamp", "has to be signed, or the field left out")
        }
        guard deduplication != .id || signed.contains(.id) else {
            throw fields.error("deduplication", "is by an id that is not signed, which anybody could change")
        }
        if case .pair = timestamp?.place, grammar != .pairs {
            throw fields.error("timestamp.pair", "needs a signature header written as pairs")
        }
        guard !secretForms.isEmpty else { throw fields.error("secrets", "is empty") }
    }
}

extension SigningProfile.Grammar {
    fileprivate init(_ signature: inout ProfileFields) throws(SigningProfileError) {
        enum Word: String, CaseIterable {
            case raw
            case prefixed
            case list
            case pairs
        }
        let word: Word = try signature.word("grammar")
        switch word {
        case .raw: self = .raw
        case .list: self = .list
        case .pairs: self = .pairs
        case .prefixed: self = .prefixed(try signature.text("prefix"))
        }
    }
}

extension SigningProfile.Scheme {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        tag = try fields.optionalText("tag") ?? ""
        algorithm = try fields.word("algorithm")
        encoding = try fields.word("encoding")
        try fields.end()
    }
}

extension SigningProfile.Part {
    fileprivate init(_ element: ProfileElement) throws(SigningProfileError) {
        guard element.isText else {
            var fields = try element.fields()
            if let literal = try fields.optionalText("literal") {
                self = .literal(literal)
            } else {
                self = .header(try fields.header("header"))
            }
            try fields.end()
            return
        }
        switch try element.text() {
        case "id": self = .id
        case "timestamp": self = .timestamp
        case "method": self = .method
        case "body": self = .body
        default: throw element.error("is neither id, timestamp, method, body, {literal: …} nor {header: …}")
        }
    }
}

extension SigningProfile.TimestampRule {
    /// A day: nothing legitimate is later, and no arithmetic on it overflows.
    private static let widestSeconds = 86_400

    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        if let pair = try fields.optionalText("pair") {
            place = .pair(pair)
        } else {
            place = .header(try fields.header("header"))
        }
        unit = try fields.word("unit")
        pastSeconds = try fields.optionalNumber("past_seconds", in: 1...Self.widestSeconds).map(Int64.init)
        futureSeconds = try fields.optionalNumber("future_seconds", in: 1...Self.widestSeconds).map(Int64.init)
        try fields.end()
    }
}

extension SigningProfile.Response {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        success = try fields.number("success", in: 200...299)
        reject = try fields.number("reject", in: 400...499)
        acknowledgeWithinMilliseconds = try fields.number("acknowledge_within_milliseconds", in: 1...120_000)
        try fields.end()
    }
}
