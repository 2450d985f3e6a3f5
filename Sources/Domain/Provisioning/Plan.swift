/// The changes that an event would make, computed without making them.
package struct Plan: Sendable {
    package var settlement: Settlement
    package var steps: [Step] = []
    /// Waiting leavers of this person that the event takes back.
    package var supersedesScheduledLeavers = false

    /// What becomes of the event itself.
    package enum Settlement: Sendable, Equatable {
        case applied
        /// Older than what was applied already.
        case stale
        /// Nothing to do, and why: a fixed word.
        case ignored(IgnoredReason)
    }

    /// Raw values stand in event rows and audit entries.
    package enum IgnoredReason: String, Sendable {
        case ping
        /// Nobody of that id is known; the lane remembers, so that an older joiner is stale.
        case unknownPerson = "unknown_person"
        /// The person has no access, and this kind of event gives none.
        case noAccess = "no_access"
        /// A leaving was cancelled that was not recorded.
        case nothingToCancel = "nothing_to_cancel"
    }

    /// One change, to be made in the plan's order: what a step refers to is made by an earlier one or is there already.
    package enum Step: Sendable {
        case createPerson(PersonID, CanonicalPerson, PersonStatus)
        case updatePerson(PersonID, before: PersonState.KnownPerson, after: CanonicalPerson, PersonStatus)
        case createMember(UserID, username: String, for: PersonID)
        case createIntegrationUser(
            UserID,
            username: String,
            for: PersonID,
            custodian: UserID,
            integration: ProvisionedIntegration
        )
        case createGrant(
            GrantID,
            user: UserID,
            for: PersonID,
            integration: ProvisionedIntegration,
            expiresAt: Timestamp
        )
        case updateGrant(PersonState.KnownGrant, for: PersonID, integration: ProvisionedIntegration)
        /// Increments the user's epoch and ends its grants and claim links.
        case deactivateUser(PersonState.KnownUser, for: PersonID, because: EndReason)
    }

    /// Why a user ends. Raw values stand in audit entries.
    package enum EndReason: String, Sendable {
        case leaver
        case revokeNow = "revoke_now"
        case deleted
        /// The rule of the integration no longer matches.
        case ruleEnded = "rule_ended"
        /// An admin deactivated the member.
        case memberDeactivated = "member_deactivated"
    }
}

/// Why an event cannot be applied however often it is tried.
package enum PlanRefusal: Error, Sendable, Equatable {
    /// The laid-over person would be no person any more.
    case person(PersonError)
    /// A joiner without an account name.
    case missingUserName
}

extension PlanRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .person(let error): "/person\(error.pointer) \(error.problem)"
        case .missingUserName: "/person/userName is missing: there is no name for the account"
        }
    }
}
