/// From whom and for whom a pushed token has to be: what an admin states of one source, beside what its profile says.
package struct TokenParties: Hashable, Sendable {
    /// `iss` has to be one of them; nil: it may be any. Never empty.
    package let issuers: [String]?
    /// `aud` has to hold one of them; nil: it may be any, or none. Never empty.
    package let audiences: [String]?

    /// Issuers of one source at most, and audiences: one each is the rule, two while either is renamed.
    package static let most = 8
    /// Nothing is stated.
    package static let any = TokenParties(issuers: nil, audiences: nil)

    /// Each text is one that ``isParty(_:)``.
    package init(issuers: [String]?, audiences: [String]?) {
        self.issuers = issuers
        self.audiences = audiences
    }

    /// Whether a text can be a party: 1 to 256 bytes that print, compared byte for byte.
    package static func isParty(_ text: String) -> Bool {
        (1...HookRequest.longestValue).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.value > 0x20 && !(0x7F...0xA0).contains($0.value) }
    }

    /// What an admin should know of what is not stated; empty where both are.
    package var cautions: [String] {
        [
            issuers == nil
                ? "Tokens of any issuer are taken that a key of this source signed: state token_issuers." : nil,
            audiences == nil
                ? "Tokens are taken whoever they are for, so one that was meant for another receiver passes here: "
                    + "state token_audiences." : nil,
        ].compactMap(\.self)
    }
}

extension SigningProfile {
    /// Whether deliveries are tokens, which name their parties.
    package var carriesTokens: Bool { if case .securityEvent = proof { true } else { false } }

    /// The profile with what is stated of one source. Where deliveries are no tokens nothing can be stated.
    package func expecting(_ parties: TokenParties) -> SigningProfile {
        guard case .securityEvent(var rule) = proof else { return self }
        rule.parties = parties
        var profile = self
        profile.proof = .securityEvent(rule)
        return profile
    }
}
