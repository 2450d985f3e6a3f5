/// What an API of the organization calls something that was done there: lower-case words of letters, digits, `_` and `-`,
/// parted by dots, at most 64 characters (`payroll.read`).
package struct ExternalAction: Hashable, Sendable, LosslessStringConvertible {
    package let description: String

    package init?(_ description: String) {
        let words = description.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isOfForm = words.allSatisfy { word in
            !word.isEmpty
                && word.allSatisfy { character in
                    (97...122).contains(character) || (48...57).contains(character) || "_-".utf8.contains(character)
                }
        }
        guard isOfForm, (1...Self.mostCharacters).contains(description.utf8.count) else { return nil }
        self.description = description
    }

    package static let mostCharacters = 64
}

/// What an entry says was done.
package enum AuditAction: Hashable, Sendable, LosslessStringConvertible {
    case own(ActionCode)
    /// Said by an API of the organization: the name stands behind `ext.`, so that none can be taken for one of ours.
    case external(ExternalAction)

    package static let externalPrefix = "ext."

    package init?(_ description: String) {
        if let own = ActionCode(rawValue: description) {
            self = .own(own)
            return
        }
        guard description.hasPrefix(Self.externalPrefix),
            let external = ExternalAction(String(description.dropFirst(Self.externalPrefix.count)))
        else { return nil }
        self = .external(external)
    }

    package var description: String {
        switch self {
        case .own(let code): code.rawValue
        case .external(let action): Self.externalPrefix + action.description
        }
    }
}
