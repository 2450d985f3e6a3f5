/// Who is calling, once proved: never made from what a request merely says.
package struct Caller: Sendable, Hashable {
    package let organization: OrganizationID
    package let user: UserID
    package let kind: UserKind
    package let role: Role
    package let username: String
    /// The person whose account it is, or on whose behalf the integration user exists.
    package let person: PersonID?
    package let integration: IntegrationID?
    package let grant: GrantID?
    package let clientName: String?
    /// The app that a user let do this, and their approval; nil for every other token.
    package var app: AppID?
    /// The client id of an app that no admin registered; nil: the app's id is.
    package var appName: String?
    package var authorization: AuthorizationID?
    /// The workspace that the grant is attributed to; nil for a member, whose reach is the organization.
    package let workspace: WorkspaceID?
    package let credential: Credential
    /// What this call may do: token ∩ grant ∩ integration's ceiling ∩ the account's own permissions.
    package let scopes: ScopeSet
    package let tokenIssuedAt: Timestamp
    package let tokenExpiresAt: Timestamp

    /// Whether somebody else's app makes this call. What a human has to do with their own hand it may not do, whatever
    /// they consented to; the command line of this program is that hand.
    package var isThroughApp: Bool { app != nil && appName != CommandLineClient.name }

    package init(
        organization: OrganizationID,
        user: UserID,
        kind: UserKind,
        role: Role,
        username: String,
        person: PersonID?,
        integration: IntegrationID?,
        grant: GrantID?,
        clientName: String?,
        workspace: WorkspaceID?,
        credential: Credential,
        scopes: ScopeSet,
        tokenIssuedAt: Timestamp,
        tokenExpiresAt: Timestamp
    ) {
        self.organization = organization
        self.user = user
        self.kind = kind
        self.role = role
        self.username = username
        self.person = person
        self.integration = integration
        self.grant = grant
        self.clientName = clientName
        self.workspace = workspace
        self.credential = credential
        self.scopes = scopes
        self.tokenIssuedAt = tokenIssuedAt
        self.tokenExpiresAt = tokenExpiresAt
    }

    /// What was presented, without the secret.
    package struct Credential: Sendable, Hashable {
        package let token: TokenID
        /// First 8 hexadecimal digits of the stored digest: enough to name it in a leaf, useless to forge it.
        package let digestPrefix: String

        package init(token: TokenID, digestPrefix: String) {
            self.token = token
            self.digestPrefix = digestPrefix
        }
    }
}

/// Everything that decides whether a token is good, as one look-up returned it.
package struct TokenFacts: Sendable {
    package var caller: Caller
    /// The resource that it was issued for (RFC 8707); nil: for everything of ours.
    package var audience: String?
    package var isRevoked: Bool
    package var isUserActive: Bool
    package var matchesUserEpoch: Bool
    /// nil for a personal token, which has no grant.
    package var grant: GrantFacts?
    /// nil for a token that is no app's.
    package var authorization: AuthorizationFacts?
    /// nil where the user belongs to no integration.
    package var isIntegrationActive: Bool?
    package var checkedAt: Timestamp

    /// What a token's grant says now. Read in the same statement as the rest of the facts.
    package struct GrantFacts: Sendable {
        package var status: GrantStatus
        package var matchesEpoch: Bool
        package var expiresAt: Timestamp
        /// nil: unrestricted. Never empty.
        package var ipAllowList: [NetworkRange]?

        package init(
            status: GrantStatus,
            matchesEpoch: Bool,
            expiresAt: Timestamp,
            ipAllowList: [NetworkRange]?
        ) {
            self.status = status
            self.matchesEpoch = matchesEpoch
            self.expiresAt = expiresAt
            self.ipAllowList = ipAllowList
        }
    }

    /// What the user's approval of the token's app says now.
    package struct AuthorizationFacts: Sendable {
        package var isActive: Bool
        package var matchesEpoch: Bool
        package var isAppActive: Bool

        package init(isActive: Bool, matchesEpoch: Bool, isAppActive: Bool) {
            self.isActive = isActive
            self.matchesEpoch = matchesEpoch
            self.isAppActive = isAppActive
        }
    }

    package init(
        caller: Caller,
        audience: String? = nil,
        isRevoked: Bool,
        isUserActive: Bool,
        matchesUserEpoch: Bool,
        grant: GrantFacts?,
        isIntegrationActive: Bool?,
        checkedAt: Timestamp
    ) {
        self.caller = caller
        self.audience = audience
        self.isRevoked = isRevoked
        self.isUserActive = isUserActive
        self.matchesUserEpoch = matchesUserEpoch
        self.grant = grant
        self.isIntegrationActive = isIntegrationActive
        self.checkedAt = checkedAt
    }

    /// The first reason to refuse, or nil: the one judgement of every door. An address that could not be told is in no
    /// allow-list.
    ///
    /// The order is from the user outward, so that an audit entry of a leaver's call says that the user is gone rather
    /// than that some token ran out.
    package func refusal(from address: IPAddress?, for audience: AcceptedAudience) -> AccessRefusal? {
        if !isUserActive { return .userDeactivated }
        if !matchesUserEpoch { return .superseded }
        if let refusal = grant.flatMap({ Self.refusal(of: $0, at: checkedAt, from: address) }) { return refusal }
        if let authorization {
            if !authorization.isAppActive { return .appDisabled }
            if !authorization.isActive || !authorization.matchesEpoch { return .authorizationEnded }
        }
        if isIntegrationActive == false { return .integrationDisabled }
        if isRevoked { return .tokenRevoked }
        if caller.tokenExpiresAt <= checkedAt { return .tokenExpired }
        return audience.accepts(self.audience) ? nil : .wrongAudience
    }

    /// As above, where nobody says from where and for what it is used: everything but addresses and audience.
    package var refusalWhereverUsed: AccessRefusal? {
        var facts = self
        facts.grant?.ipAllowList = nil
        return facts.refusal(from: nil, for: .any)
    }

    /// Everything whose ending or narrowing changes these facts. What decides more than this names gets its subject here,
    /// or a cache would answer on after it ended.
    package var subjects: [AccessSubject] {
        var subjects: [AccessSubject] = [
            .organization(caller.organization), .user(caller.user), .token(caller.credential.token),
        ]
        if let grant = caller.grant { subjects.append(.grant(grant)) }
        if let authorization = caller.authorization { subjects.append(.authorization(authorization)) }
        if let integration = caller.integration { subjects.append(.integration(integration)) }
        return subjects
    }

    /// What of the grant alone is asked at issue as well as at use.
    package static func refusal(
        of grant: GrantFacts,
        at now: Timestamp,
        from address: IPAddress?
    ) -> AccessRefusal? {
        if grant.status == .ended { return .grantEnded }
        if grant.status == .suspended { return .grantSuspended }
        if !grant.matchesEpoch { return .superseded }
        if grant.expiresAt <= now { return .grantExpired }
        guard let allowed = grant.ipAllowList else { return nil }
        guard let address, allowed.contains(where: { $0.contains(address) }) else { return .addressNotAllowed }
        return nil
    }
}

/// For which resource a door lets a token be good.
package enum AcceptedAudience: Sendable, Hashable {
    /// Whoever asks judges the audience itself.
    case any
    /// Tokens that name one of these, or none.
    case resources(Set<String>)

    func accepts(_ audience: String?) -> Bool {
        switch self {
        case .any: true
        case .resources(let accepted): audience.map(accepted.contains) ?? true
        }
    }
}

/// Why a call of a known caller is refused. Raw values stand in audit entries and never change.
package enum AccessRefusal: String, Error, Sendable, CaseIterable {
    case userDeactivated = "user_deactivated"
    /// An epoch moved on since the token was issued: killed, regenerated or deactivated meanwhile.
    case superseded = "superseded"
    case grantEnded = "grant_ended"
    case grantSuspended = "grant_suspended"
    case grantExpired = "grant_expired"
    case addressNotAllowed = "address_not_allowed"
    case integrationDisabled = "integration_disabled"
    case authorizationEnded = "authorization_ended"
    case appDisabled = "app_disabled"
    /// A code came a second time: what it was exchanged for ends.
    case codeReplayed = "code_replayed"
    /// A used refresh token came again: its family ends.
    case refreshReused = "refresh_reused"
    case tokenRevoked = "token_revoked"
    case tokenExpired = "token_expired"
    case wrongAudience = "wrong_audience"
    case scopeMissing = "scope_missing"
    /// Who asked may not agree; neither may who is no security admin.
    case secondAdminNeeded = "second_admin_needed"
    case notFound = "not_found"
    /// Signed in, and not who keeps the secret that was asked for.
    case notCustodian = "not_custodian"
    /// The password of the account was replaced by way of an admin: it claims no secret for a while.
    case claimingBlocked = "claiming_blocked"
    case wrongSecret = "wrong_secret"
    /// A signed assertion came a second time.
    case assertionReplayed = "assertion_replayed"
    case wrongPassword = "wrong_password"
    case wrongCode = "wrong_code"
    /// Too many attempts at a password or a code.
    case throttled = "throttled"
    case invalid = "invalid"
    case conflict = "conflict"
}
