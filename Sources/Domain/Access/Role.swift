/// What an account itself may do, whatever a token of it says.
package enum Role: String, Sendable, CaseIterable {
    /// Operates the organization.
    case securityAdmin = "security_admin"
    /// Reads everything, changes nothing but tokens of its own.
    case auditor
    /// A person's own account.
    case member
    /// Acts for an integration; its grant and the integration's ceiling bound it.
    case integration
    /// A source's changes are attributed to it; it never signs in.
    case source

    /// What of these an account of the role may do. Scopes of an organization's own are for those who may do everything.
    package func bounding(_ scopes: ScopeSet) -> ScopeSet {
        switch self {
        case .securityAdmin, .integration: scopes
        case .auditor, .member, .source: scopes.intersection(permissions)
        }
    }

    /// Of Rollcall's own scopes.
    package var permissions: ScopeSet {
        switch self {
        case .securityAdmin, .integration: .all
        case .auditor:
            ScopeSet([
                .peopleRead, .usersRead, .integrationsRead, .grantsRead, .sourcesRead, .eventsRead, .auditRead,
                .tokensRead, .tokensWrite,
            ])
        case .member: ScopeSet([.peopleReadSelf, .tokensRead, .tokensWrite])
        case .source: .none
        }
    }
}

/// Whether an account is a human's or acts for something.
package enum UserKind: String, Sendable {
    case member
    case integration
}

/// Whether an account may act.
package enum UserStatus: String, Sendable {
    case active
    case deactivated
}

/// A grant's life. `ended` is final.
package enum GrantStatus: String, Sendable {
    case active
    case suspended
    case ended
}
