import Edge

/// What somebody sends back who was asked to look again: the `confirmation` of a 409.
struct Confirmation: Decodable, Sendable {
    let text: String

    static let mostCharacters = 100

    /// nil for what never came with a 409: those are short, of visible ASCII.
    init?(_ text: String) {
        guard (1...Self.mostCharacters).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.text = text
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let confirmation = Confirmation(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Self.refusal)
        }
        self = confirmation
    }

    static let refusal = "This is not a value that came with a 409."
}

extension APICall {
    /// The `confirmation` of the query.
    func queriedConfirmation() throws(EdgeError) -> String? {
        guard let text = parameters["confirmation"] else { return nil }
        guard let confirmation = Confirmation(text) else {
            throw .invalid([.init(parameter: "confirmation", Confirmation.refusal)])
        }
        return confirmation.text
    }
}

extension Schema {
    private static let confirmed = Schema.string(length: 1...Confirmation.mostCharacters, matching: "^[!-~]+$")

    /// Of a body.
    static let confirmation = confirmed.orNull.described("`confirmation` of the 409, where one came.")

    fileprivate static let queriedConfirmation = confirmed
}

extension Operation.Parameter {
    static let confirmation = Operation.Parameter(
        "confirmation",
        in: .query,
        .queriedConfirmation,
        "`confirmation` of the 409, where one came."
    )
}
