/// What one admin asks for and another one has to agree to. Raw values are those of the API and stand in entries.
package enum ApprovalKind: String, Sendable, CaseIterable {
    case grantCreation = "grant.create"
    case grantChange = "grant.change"
    /// A link by which the password of an account that has one can be set anew.
    case passwordLink = "password_link.create"
    /// Needing a second admin less often than now.
    case settingsChange = "organization.change"

    /// Without it nobody asks, and nobody agrees.
    package var scope: Scope {
        switch self {
        case .grantCreation, .grantChange: .grantsWrite
        case .passwordLink: .usersWrite
        case .settingsChange: .organizationWrite
        }
    }

    /// Whether agreeing does it. Otherwise who asked may do it once, because what comes of it is shown to them alone.
    package var isDoneByAgreeing: Bool { self != .passwordLink }
}

/// What an organization may want a second admin for.
package enum ApprovalRequirement: String, Sendable, CaseIterable {
    /// A grant that may change something: see ``Scope/isReadOnly``.
    case grantWithWriteScope = "grant_with_write_scope"
    /// A grant that works from anywhere.
    case grantWithoutIPRestriction = "grant_without_ip_restriction"
}

/// What became of a request. All but `pending` are final.
package enum ApprovalStatus: String, Sendable, CaseIterable {
    case pending
    case approved
    case refused
    /// Taken back by who asked.
    case withdrawn
    /// Agreed to, and no longer possible as it was asked for: nothing was done.
    case moved
    /// Nobody decided in time.
    case expired
}
