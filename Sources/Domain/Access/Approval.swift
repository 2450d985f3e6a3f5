/// What one admin asks for and another one has to agree to. Raw values are those of the API and stand in entries.
package enum ApprovalKind: String, Sendable, CaseIterable {
    case grantCreation = "grant.create"
    case grantChange = "grant.change"
    /// An integration whose rule makes grants: their terms are the integration's, and they wait for nobody.
    case integrationCreation = "integration.create"
    case integrationChange = "integration.change"
    /// A token of a workspace that may change something.
    case workspaceToken = "workspace_token.create"
    /// A workspace token that may change more than before.
    case workspaceTokenChange = "workspace_token.change"
    /// A link by which the password of an account that has one can be set anew.
    case passwordLink = "password_link.create"
    /// Signing in without the second factor of an account that has one, until it gets another.
    case secondFactorReset = "second_factor.reset"
    /// Making somebody a security admin: else one admin would make their own second one.
    case roleAssignment = "role.assign"
    /// Another custodian for a user whose grants needed a second admin: somebody else gets their secrets.
    case custodianAssignment = "custodian.assign"
    /// Needing a second admin less often than now.
    case settingsChange = "organization.change"
    /// Destroying what is known of a person, which nobody can take back.
    case personErasure = "person.erase"

    /// Without it nobody asks, and nobody agrees.
    package var scope: Scope {
        switch self {
        case .grantCreation, .grantChange: .grantsWrite
        case .integrationCreation, .integrationChange: .integrationsWrite
        case .workspaceToken, .workspaceTokenChange: .tokensWrite
        case .passwordLink, .secondFactorReset, .roleAssignment, .custodianAssignment, .personErasure: .usersWrite
        case .settingsChange: .organizationWrite
        }
    }

    /// Whether agreeing does it. Otherwise who asked may do it once, because what comes of it is shown to them alone.
    package var isDoneByAgreeing: Bool { self != .passwordLink && self != .workspaceToken }
}

/// What an organization may want a second admin for.
package enum ApprovalRequirement: String, Sendable, CaseIterable {
    /// A grant or a workspace token that may change something (see ``Scope/isReadOnly``), and an integration whose rule
    /// makes such grants.
    case grantWithWriteScope = "grant_with_write_scope"
    /// A grant that works from anywhere, and an integration whose rule makes such grants.
    case grantWithoutIPRestriction = "grant_without_ip_restriction"
    /// The erasure of a person.
    case personErasure = "person_erasure"
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
