extension SigningProfile.SignatureRule {
    /// Reads `signature`, and beside it `signed`, `id` and `timestamp`.
    init(_ signature: inout ProfileFields, beside fields: inout ProfileFields) throws(SigningProfileError) {
        if signature.has("field") {
            place = .field(try signature.pointer("field"))
        } else {
            place = .header(try signature.header("header"))
        }
        grammar = try SigningProfile.Grammar(&signature)
        let signed = try fields.list("signed", of: SigningProfile.Part.init)
        schemes = try signature.list("schemes") { element throws(SigningProfileError) in
            try SigningProfile.Scheme(try element.fields(), signed: signed)
        }
        listedPair = try signature.optionalFields("listed").map { listed throws(SigningProfileError) in
            try listed.onlyText("pair")
        }
        keyLabelHeader = try signature.optionalFields("key_label").map { label throws(SigningProfileError) in
            try label.onlyHeader()
        }
        id = try fields.optionalFields("id").map { id throws(SigningProfileError) in try IDPlace(id) }
        timestamp = try fields.optionalFields("timestamp").map { rule throws(SigningProfileError) in
            try SigningProfile.TimestampRule(rule)
        }
        try checkSchemes(signature)
        for scheme in schemes { try check(scheme, fields) }
        try signature.end()
    }

    private func checkSchemes(_ signature: ProfileFields) throws(SigningProfileError) {
        let isTagged = grammar.isTagged
        guard !schemes.isEmpty, isTagged || schemes.count == 1, schemes.allSatisfy({ $0.tag.isEmpty != isTagged }),
            Set(schemes.map(\.tag)).count == schemes.count
        else { throw signature.error("schemes", "needs one scheme, or several of different tags in a list or pairs") }
        guard listedPair == nil || grammar.hasPairs else {
            throw signature.error("listed", "needs a signature header written as pairs")
        }
    }

    /// What no single field can say of itself.
    private func check(_ scheme: SigningProfile.Scheme, _ fields: ProfileFields) throws(SigningProfileError) {
        let signed = scheme.signed
        guard !signed.isEmpty else { throw fields.error("signed", "is empty") }
        guard signed.filter({ $0 == .body }).count <= 1 else { throw fields.error("signed", "names the body twice") }
        if signed.contains(.id) {
            guard case .header = id else { throw fields.error("signed", "names an id that is in no header") }
        }
        guard signed.contains(.listedNames) == signed.contains(.listedValues),
            !signed.contains(.listedNames) || listedPair != nil
        else { throw fields.error("signed", "needs listed-names, listed-values and signature.listed together") }
        guard covers(timestamp, signed) else {
            throw fields.error("timestamp", "has to be signed, or the field left out")
        }
        if case .pair = timestamp?.place, !grammar.hasPairs {
            throw fields.error("timestamp.pair", "needs a signature header written as pairs")
        }
        if timestamp?.unit == .lenient, timestamp?.window.past != nil {
            throw fields.error("timestamp.past_seconds", "must be none: a time that may be unreadable bounds nothing")
        }
    }

    private func covers(_ timestamp: SigningProfile.TimestampRule?, _ signed: [SigningProfile.Part]) -> Bool {
        guard let timestamp else { return !signed.contains(.timestamp) }
        if case .field = timestamp.place { return signed.contains(.timestamp) || signed.contains(.body) }
        return signed.contains(.timestamp)
    }
}

extension SigningProfile.SignatureRule.IDPlace {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        if fields.has("header") {
            self = .header(try fields.header("header"))
        } else {
            let pointers = try fields.list("fields") { element throws(SigningProfileError) in try element.innerPointer()
            }
            guard !pointers.isEmpty else { throw fields.error("fields", "is empty") }
            self = .fields(pointers)
        }
        try fields.end()
    }
}

extension SigningProfile.Grammar {
    fileprivate init(_ signature: inout ProfileFields) throws(SigningProfileError) {
        enum Word: String, CaseIterable {
            case raw, prefixed, list, pairs, groups
            case prefixedList = "prefixed-list"
        }
        let word: Word = try signature.word("grammar")
        switch word {
        case .raw: self = .raw
        case .list: self = .list
        case .pairs: self = .pairs
        case .groups: self = .groups
        case .prefixed: self = .prefixed(try signature.text("prefix"))
        case .prefixedList: self = .prefixedList(try signature.text("prefix"))
        }
    }
}

extension SigningProfile.Scheme {
    fileprivate init(_ fields: ProfileFields, signed: [SigningProfile.Part]) throws(SigningProfileError) {
        var fields = fields
        tag = try fields.optionalText("tag") ?? ""
        algorithm = try fields.word("algorithm")
        encoding = try fields.word("encoding")
        self.signed = fields.has("signed") ? try fields.list("signed", of: SigningProfile.Part.init) : signed
        try fields.end()
    }
}

extension SigningProfile.Part {
    fileprivate init(_ element: ProfileElement) throws(SigningProfileError) {
        guard element.isText else {
            var fields = try element.fields()
            if let literal = try fields.optionalText("literal") {
                self = .literal(literal)
            } else if fields.has("field") {
                self = .field(try fields.pointer("field"))
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
        case "listed-names": self = .listedNames
        case "listed-values": self = .listedValues
        default:
            throw element.error(
                "is neither id, timestamp, method, body, listed-names, listed-values nor one of literal, header, field"
            )
        }
    }
}

extension SigningProfile.TimestampRule {
    fileprivate init(_ fields: ProfileFields) throws(SigningProfileError) {
        var fields = fields
        if let pair = try fields.optionalText("pair") {
            place = .pair(pair)
        } else if fields.has("field") {
            place = .field(try fields.pointer("field"))
        } else {
            place = .header(try fields.header("header"))
        }
        unit = try fields.word("unit")
        window = try SigningProfile.Window(&fields)
        try fields.end()
    }
}

extension SigningProfile.Window {
    /// A day: nothing legitimate is later but where the file says `wide`, and no arithmetic on it overflows.
    private static let widestSeconds = 86_400

    init(_ fields: inout ProfileFields) throws(SigningProfileError) {
        let past = try fields.bound("past_seconds", in: 1...Self.widestSeconds, words: ["none", "wide"])
        let future = try fields.bound("future_seconds", in: 1...Self.widestSeconds, words: ["none"])
        switch past {
        case .number(let seconds): self.past = seconds
        case .word("wide"): self.past = Self.widePast
        case .word: self.past = nil
        }
        if case .number(let seconds) = future { self.future = seconds } else { self.future = nil }
    }
}
