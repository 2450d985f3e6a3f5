/// Everything that the planner may know about one person: what is there now.
package struct PersonState: Sendable {
    package var lane: Lane
    package var person: KnownPerson?
    /// Accounts that are active now: at most one member, at most one user an integration.
    package var member: KnownUser?
    package var integrationUsers: [KnownUser]

    /// How far the events of this person got.
    package struct Lane: Sendable {
        package var source: SourceID
        package var externalID: ExternalID
        package var applied: EventPosition?
        /// Whether an event that is newer than the one to be planned gave access: a joiner, a rehire or a cancelled
        /// leaver. Asked for kinds that end it.
        package var isReadmitted: Bool

        package init(
            source: SourceID,
            externalID: ExternalID,
            applied: EventPosition?,
            isReadmitted: Bool = false
        ) {
            self.source = source
            self.externalID = externalID
            self.applied = applied
            self.isReadmitted = isReadmitted
        }
    }

    /// The person as last applied.
    package struct KnownPerson: Sendable {
        package var id: PersonID
        package var status: PersonStatus
        package var canonical: CanonicalPerson

        package init(id: PersonID, status: PersonStatus, canonical: CanonicalPerson) {
            self.id = id
            self.status = status
            self.canonical = canonical
        }
    }

    /// An active account of the person; the member's has no integration.
    package struct KnownUser: Sendable {
        package var id: UserID
        package var username: String
        package var integration: IntegrationID?
        /// Grants that have not ended.
        package var grants: [KnownGrant]

        package init(id: UserID, username: String, integration: IntegrationID?, grants: [KnownGrant]) {
            self.id = id
            self.username = username
            self.integration = integration
            self.grants = grants
        }
    }

    /// A grant that has not ended, with the terms that a rule may change.
    package struct KnownGrant: Sendable {
        package var id: GrantID
        package var scopes: ScopeSet
        package var ipAllowList: [NetworkRange]?
        package var ruleVersion: Int64?
        /// Whether the rule made it. What an admin made is the admin's: a rule ends it with its user and changes nothing.
        package var isOfRule: Bool

        package init(
            id: GrantID,
            scopes: ScopeSet,
            ipAllowList: [NetworkRange]?,
            ruleVersion: Int64?,
            isOfRule: Bool
        ) {
            self.id = id
            self.scopes = scopes
            self.ipAllowList = ipAllowList
            self.ruleVersion = ruleVersion
            self.isOfRule = isOfRule
        }
    }

    package init(
        lane: Lane,
        person: KnownPerson? = nil,
        member: KnownUser? = nil,
        integrationUsers: [KnownUser] = []
    ) {
        self.lane = lane
        self.person = person
        self.member = member
        self.integrationUsers = integrationUsers
    }
}

/// An integration as the planner sees it.
package struct ProvisionedIntegration: Sendable {
    package var id: IntegrationID
    package var slug: Slug
    package var name: String
    package var version: Int64
    package var workspace: WorkspaceID
    package var scopes: ScopeSet
    package var rule: IntegrationRule
    package var lifetime: ISODuration
    package var ipAllowList: [NetworkRange]?

    package init(
        id: IntegrationID,
        slug: Slug,
        name: String,
        version: Int64,
        workspace: WorkspaceID,
        scopes: ScopeSet,
        rule: IntegrationRule,
        lifetime: ISODuration,
        ipAllowList: [NetworkRange]?
    ) {
        self.id = id
        self.slug = slug
        self.name = name
        self.version = version
        self.workspace = workspace
        self.scopes = scopes
        self.rule = rule
        self.lifetime = lifetime
        self.ipAllowList = ipAllowList
    }
}
