/// A member who is signed in in a browser, once proved by the session's cookie: never made from what a request says.
package struct SessionCaller: Sendable, Hashable {
    package let organization: OrganizationID
    package let organizationName: String
    package let user: UserID
    package let role: Role
    package let username: String
    /// The person whose account it is.
    package let person: PersonID?
    package let session: SessionID
    /// First 8 hexadecimal digits of the stored digest.
    package let digestPrefix: String
    package let authenticatedAt: Timestamp
    package let expiresAt: Timestamp
    /// Whether the sign-in was proved by a code besides the password, of the authenticator or for its loss.
    package let hasSecondFactor: Bool
    /// Until when no secret may be claimed, after the password was replaced by way of an admin; nil: it may.
    package let claimingBlockedUntil: Timestamp?

    package init(
        organization: OrganizationID,
        organizationName: String,
        user: UserID,
        role: Role,
        username: String,
        person: PersonID?,
        session: SessionID,
        digestPrefix: String,
        authenticatedAt: Timestamp,
        expiresAt: Timestamp,
        hasSecondFactor: Bool,
        claimingBlockedUntil: Timestamp?
    ) {
        self.organization = organization
        self.organizationName = organizationName
        self.user = user
        self.role = role
        self.username = username
        self.person = person
        self.session = session
        self.digestPrefix = digestPrefix
        self.authenticatedAt = authenticatedAt
        self.expiresAt = expiresAt
        self.hasSecondFactor = hasSecondFactor
        self.claimingBlockedUntil = claimingBlockedUntil
    }

    /// What the account itself may do; nothing narrows it in a browser.
    package var scopes: ScopeSet { role.permissions }
}

/// How long a sign-in lasts.
package enum SessionTerms {
    /// Without a request for this long it is over.
    package static let idle = Duration.seconds(2 * 3600)
    /// Whatever happens, it is over after this.
    package static let absolute = Duration.seconds(12 * 3600)
    /// How long a right password waits for its code.
    package static let secondFactorPatience = Duration.seconds(5 * 60)
    /// Sessions that one member may have at once; the oldest ends for one more.
    package static let mostOpen = 20
}
