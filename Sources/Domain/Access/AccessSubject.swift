/// Whose access a change ends or narrows: every token that names the subject is judged anew by what the change committed.
package enum AccessSubject: Sendable, Hashable {
    /// All tokens of the account.
    case user(UserID)
    case grant(GrantID)
    case token(TokenID)
    /// All tokens of the users of the integration.
    case integration(IntegrationID)
    /// What a user let an app do.
    case authorization(AuthorizationID)
    /// All tokens of the organization whose change it is.
    case organization(OrganizationID)
}

extension AccessSubject {
    /// The noun, as it stands in `access_endings.subject`. Never changes.
    package var word: String {
        switch self {
        case .user: "user"
        case .grant: "grant"
        case .token: "token"
        case .integration: "integration"
        case .authorization: "authorization"
        case .organization: "organization"
        }
    }

    package var bits: IDBits {
        switch self {
        case .user(let id): IDBits(high: id.high, low: id.low)
        case .grant(let id): IDBits(high: id.high, low: id.low)
        case .token(let id): IDBits(high: id.high, low: id.low)
        case .integration(let id): IDBits(high: id.high, low: id.low)
        case .authorization(let id): IDBits(high: id.high, low: id.low)
        case .organization(let id): IDBits(high: id.high, low: id.low)
        }
    }

    /// nil for a word that names no subject.
    package init?(word: String, bits: IDBits) {
        switch word {
        case "user": self = .user(ID(high: bits.high, low: bits.low))
        case "grant": self = .grant(ID(high: bits.high, low: bits.low))
        case "token": self = .token(ID(high: bits.high, low: bits.low))
        case "integration": self = .integration(ID(high: bits.high, low: bits.low))
        case "authorization": self = .authorization(ID(high: bits.high, low: bits.low))
        case "organization": self = .organization(ID(high: bits.high, low: bits.low))
        default: return nil
        }
    }
}
